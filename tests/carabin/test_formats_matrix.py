"""Every form in, every form out: what is silently lost on the way is an offset, a label, a score or a document."""

import pytest

from carabin.annotate import JobOptions, annotate_files
from carabin.formats.registry import READABLE, WRITABLE
from tests.carabin.format_cases import INPUTS, OUTPUTS, found_in, real_documents


@pytest.fixture(scope="module")
def documents():
    return real_documents()


@pytest.fixture(scope="module", params=INPUTS)
def source(request, documents, tmp_path_factory):
    return INPUTS[request.param](documents, tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def expected(documents, lively):
    """What the model finds, asked directly."""
    return [
        (document.id, e.start, e.end, e.label, document.text[e.start : e.end], round(e.score, 4))
        for document in lively.annotate(documents)
        for e in document.entities
    ]


@pytest.mark.parametrize("form", OUTPUTS)
def test_any_form_in_and_any_out_keep_each_entity(source, form, documents, expected, lively_student, tmp_path):
    out = tmp_path / OUTPUTS[form]
    report = annotate_files([source], out, lively_student, JobOptions(to=form, threads=1))
    assert (report.documents, report.errors) == (len(documents), 0)
    assert found_in(form, out) == expected
    assert len(expected) > 20


def test_the_matrix_has_every_form():
    assert set(OUTPUTS) == set(WRITABLE)
    assert set(READABLE) <= set(INPUTS)
