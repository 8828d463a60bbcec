import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BASE = {"numpy", "onnxruntime", "tokenizers", "typer", "rich", "pyarrow"}
EXTRAS = {"serve", "cas", "spark", "openvino", "hub", "verify", "spacy", "pseudonyms", "all"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel of a clean copy, and the copy: setuptools would pack what an older build left in build/."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(REPOSITORY / "carabin", source / "carabin", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "."]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=300)
    return zipfile.ZipFile(next(source.glob("*.whl"))), source / "carabin"


@pytest.fixture(scope="module")
def wheel(built):
    return built[0]


def test_every_file_of_the_package_is_in_the_wheel_and_nothing_else(built):
    """A page or a word list left out is found only by the hospital that installs it."""
    wheel, package = built
    files = {file.relative_to(package.parent).as_posix() for file in package.rglob("*") if file.is_file()}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == files


def test_a_plain_install_asks_for_little_and_each_extra_for_its_own(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    metadata = message_from_string(wheel.read(name).decode())
    needs = [need for need in metadata.get_all("Requires-Dist") if "extra ==" not in need]
    assert {need.partition(">=")[0].strip() for need in needs} == BASE
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    assert not [need for need in metadata.get_all("Requires-Dist") if need.startswith(("torch", "transformers"))]


def test_the_command_and_the_component_are_found_where_their_hosts_look(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    entries = wheel.read(name).decode()
    assert "[console_scripts]\ncarabin = carabin.cli:main" in entries
    assert "[spacy_factories]\ncarabin_ner = carabin.spacy_component:create_carabin_ner" in entries
