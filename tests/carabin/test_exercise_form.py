from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from carabin.exercises.exercise import OPTIONS, ExerciseError
from carabin.exercises.form import LONGEST_RUN, parse_form, read_form, write_form
from carabin.exercises.units import find_units
from carabin.exercises.wording import FoldedPiece, fold, mentions
from carabin.generation.tasks import MARKS
from tests.carabin.exercise_cases import DIAGNOSIS, PROGRESSIVE, QRM, QROC, REPORT, REPORTS, make_draft


@pytest.mark.parametrize("drafts", [[make_draft()], [QRM], [QROC], [DIAGNOSIS], PROGRESSIVE])
def test_what_is_written_is_read_back(drafts):
    assert read_form(write_form(drafts), REPORT) == drafts


@st.composite
def drafts_of_reports(draw):
    """A report and a draft that quotes it, with answers that keep the rules."""
    report = draw(REPORTS)
    units = find_units(report)
    assume(units)
    kind = draw(st.sampled_from(["qru", "qrm", "qroc"]))
    first = draw(st.integers(0, len(units) - 1))
    count = draw(st.integers(1, LONGEST_RUN)) if kind == "qrm" else 1
    start, end = units[first][0], units[min(first + count, len(units)) - 1][1]
    words = sorted({word for word in report[start:end].split() if fold(word).isalpha()})
    assume(len({fold(word) for word in words}) == len(words) and len(words) >= (2 if kind == "qrm" else 1))
    right = words[: draw(st.integers(2, 4))] if kind == "qrm" else words[:1]
    wrong = [] if kind == "qroc" else [f"zz{letter}" for letter in "abcde"][: OPTIONS - len(right)]
    rest = [word for word in words[len(right) :] if not any(mentions(fold(word), fold(answer)) for answer in right)]
    hole = rest[0] if rest else ""
    template = "?? {}" if hole else "??"
    return report, make_draft(kind, "treatment", report[start:end], right, template, hole, wrong, report)


@given(drafts_of_reports())
def test_any_report_can_be_written_about_and_the_quote_is_its_own(pair):
    report, draft = pair
    (read,) = read_form(write_form([draft]), report)
    # The same words may stand earlier: there they are found.
    place = {"start": read.question.start, "end": read.question.end}
    assert read == replace(draft, question=replace(draft.question, **place))
    assert report[read.question.start : read.question.end] == read.question.quote


@given(st.lists(st.sampled_from([*MARKS, "x", " ", "1 g", "{}"]), max_size=14).map("".join))
def test_what_is_not_of_the_form_is_refused_in_one_way(text):
    """A student without a constraint writes anything: only ExerciseError may come of it, and never a wrong reading."""
    try:
        fields = parse_form(text)
    except ExerciseError:
        return
    assert len(fields) in (1, 3)
    assert all(field.quote and field.right and field.template for field in fields)


BROKEN = {
    "not whole sentences": {"quote": "Doliprane 1 g"},
    "not in the quote": {"right": ("66 mg",)},
    "names what is not in the quote": {"hole": "Fumafer"},
    "two options are the same": {"wrong": ("5 mg", "5  MG", "50 mg", "500 mg")},
    "a wrong answer stands in the report": {"wrong": ("75 MG", "10 mg", "50 mg", "500 mg")},
    "gives a right answer away": {"template": "Est-ce 1 g de {} ?"},
    "not of the type": {"wrong": ("cinq", "10 mg", "50 mg", "500 mg")},
}


@pytest.mark.parametrize("rule", BROKEN)
def test_the_rule_that_is_broken_is_named_and_the_report_is_not_quoted(rule):
    with pytest.raises(ExerciseError, match=rule) as raised:
        read_form(write_form([make_draft(**BROKEN[rule])]), REPORT)
    assert "Doliprane" not in str(raised.value) and "mg" not in str(raised.value)


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (("<qru>", ""), "begins with the mark"),
        (("<dose>", ""), "the type stand first"),
        (("<dose>", "x<dose>"), "nothing between"),
        (("<wrong>5 mg", ""), "wrong ones must be 4"),
        (("<right>1 g", "<right>1 g<right>1 comprimé"), "1 to 1 right"),
        (("<ask>", "<wrong>"), "the fields are"),
        (("<of>Doliprane", ""), "one {}"),
        (("<wrong>5 mg", "<wrong> "), "field is empty"),
        (("<qru>", "<dp><qru>"), "stands alone"),
        (("<qru>", "<dp>x<qru>"), "something stands between"),
    ],
)
def test_a_form_that_is_damaged_is_refused(damage, rule):
    with pytest.raises(ExerciseError, match=rule):
        read_form(write_form([make_draft()]).replace(*damage), REPORT)


def test_the_evidence_of_a_progressive_file_comes_later_and_later():
    with pytest.raises(ExerciseError, match="evidence"):
        read_form(write_form([PROGRESSIVE[1], PROGRESSIVE[0], PROGRESSIVE[2]]), REPORT)


def test_wordings_are_compared_by_whole_words_without_case_and_accents():
    assert fold("L’ŒDÈME  aigu\u00a0") == fold("l'oedeme aigu")
    assert mentions(fold("Un œdème aigu."), fold("Oedème"))
    assert not mentions("confirme", "irm")
    assert not mentions("2,5 mg", "5 mg") and not mentions("1 comprime de 12,5 mg", "2,5 mg")
    assert mentions("fievre,toux", "toux") and mentions("2,5 mg.", "2,5 mg")
    assert not mentions("texte", "")


@given(
    st.text(max_size=30) | st.text(st.sampled_from("aÉœ \u00a0\u0301½…’ß"), max_size=30),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_a_part_is_folded_as_if_alone(piece, start, end):
    part = piece[start:end]
    if part and part == part.strip() and not "".join(part.split()) == "":
        assert FoldedPiece(piece).part(start, start + len(part)) == fold(part)
