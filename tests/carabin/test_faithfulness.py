"""What a figure of faithfulness must not get wrong silently: units, accents, negations lost and negations invented."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.generation.faithfulness import Evidence, find_claims, unsupported

CASES = json.loads(Path(__file__).with_name("faithfulness_cases.json").read_text(encoding="utf-8"))
DRUGS = frozenset(
    ["acide tiaprofénique", "acide folique", "Acide", "apixaban", "warfarine", "XANAX", "paracétamol", "B12 500"]
)

PIECES = st.sampled_from(
    (
        "pas de |sans |ni |aucun |absence d'|fièvre|toux|embolie pulmonaire|signe de | : non|1 g|1000 mg| x 3/j|0,5|"
        "3 à 5 jours|114/84 mmHg|27/10/2022|mars 2019|né le |\n|. |, | et | ou |ALLERGIES\n|- |apixaban|une |/|2|"
        "Acide tiaprofénique|deux fois par jour|matin et soir|\u202f000|œdème|e\u0301tat|\u0301|toutes les 8 h|1-0-1|"
        "8h30|µg|1.|non-fumeur"
    ).split("|")
)
NOTES = st.one_of(st.lists(PIECES, max_size=25).map("".join), st.lists(PIECES, max_size=25).map(" ".join), st.text())


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_golden_cases(case):
    found = unsupported(case["output"], case["source"], DRUGS)
    assert [claim.surface for claim in found] == case["unsupported"]


@given(NOTES)
@settings(max_examples=300, deadline=None)
def test_a_text_supports_itself(text):
    """Else a student that copies would be blamed, and the share of supported claims would have no ceiling of 1."""
    assert unsupported(text, text, DRUGS) == []


@given(NOTES, NOTES)
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_judged_claim_by_claim_where_it_stands(output, source):
    judged = Evidence(source, DRUGS).judge(output)
    assert all(output[claim.start : claim.end] == claim.surface != "" for claim, _ in judged)
    own = {(claim.kind, claim.start, claim.end) for claim, _ in judged if claim.denied}
    assert own == {(claim.kind, claim.start, claim.end) for claim in find_claims(output, DRUGS)}


def test_a_dose_a_laboratory_value_and_a_date_are_told_apart():
    found = find_claims("Apixaban 5 mg x 2/j ; CRP 80 mg/L le 27/10/2022 ; 2 mg/kg ; poids 70 kg", DRUGS)
    assert [(claim.kind, claim.surface) for claim in found] == [
        ("drug", "Apixaban"), ("dose", "5 mg x 2/j"), ("number", "80 mg/L"), ("number", "27/10/2022"),
        ("dose", "2 mg/kg"), ("number", "70 kg"),
    ]  # fmt: skip


def test_the_numbers_of_a_drugs_name_are_no_values():
    assert [claim.kind for claim in find_claims("B12 500", DRUGS)] == ["drug"]


def test_a_lost_negation_is_told_from_an_invented_one():
    (lost,) = unsupported("Fièvre", "Pas de fièvre")
    (invented,) = unsupported("Pas de fièvre", "Fièvre")
    assert (lost.kind, lost.denied, invented.kind, invented.denied) == ("negation", False, "negation", True)


@pytest.mark.parametrize("text", ["pas " * 20_000, "1 " * 20_000, "A" * 50_000, "1-" * 20_000, "signe de " * 9_000])
def test_no_text_takes_for_ever(text):
    """A pattern that tries every cut of a long run would hang a batch on one damaged note."""
    assert unsupported("1 g", text)[0].surface == "1 g"
