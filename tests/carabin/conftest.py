import pytest

from carabin import Annotator
from tests.carabin.tiny_model import write_student


@pytest.fixture(scope="session")
def student(tmp_path_factory):
    """A folder whose model finds the words of `tiny_model.FOUND`."""
    return write_student(tmp_path_factory.mktemp("students") / "tiny")


@pytest.fixture(scope="session")
def lively_student(tmp_path_factory):
    """A folder whose model finds entities everywhere."""
    return write_student(tmp_path_factory.mktemp("students") / "lively", random=True)


@pytest.fixture(scope="session")
def annotator(student):
    return Annotator.load(student, threads=1)


@pytest.fixture(scope="session")
def lively(lively_student):
    return Annotator.load(lively_student, threads=1)
