"""Wrong evidence makes a question that parses, quotes the report and is nonsense: a heading taken for a drug."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.exercises.evidence import Evidence
from carabin.exercises.material import Material, ReportText
from carabin.exercises.words import ExerciseWords, Phrasebook
from carabin.generation.source import read_source
from carabin.generation.tasks import ANSWER_TYPES, EXERCISES
from tests.carabin.tiny_writer import make_tokenizer

LETTER = """Centre hospitalier de Valbrune
Clinique médicale

ANTÉCÉDENTS
- Migraines (depuis 15 ans)
- Prothèse totale de hanche gauche
- Mère diabétique

ALLERGIES
Allergie à la pénicilline. Pas d'allergie au latex.

TRAITEMENT À L'ENTRÉE
- Kardégic 75 mg : 1 sachet le matin
- Paracétamol 1 g x 3/j

HISTOIRE DE LA MALADIE
Un homme de 71 ans, admis par les urgences pour dyspnée.

BIOLOGIE
CRP à 95 mg/L, leucocytes 14,2 G/L.
Radiographie de thorax (12/03/2024) : un foyer de la base droite.
ECBC : Haemophilus influenzae.

ÉVOLUTION
Ramipril interrompu : insuffisance rénale aiguë.

CONCLUSION
Pneumopathie franche lobaire aiguë chez un homme de 71 ans.

TRAITEMENT DE SORTIE
Amoxicilline 1 g, comprimé : 1 comprimé trois fois par jour pendant 7 jours

SUIVI
Consultation de pneumologie à 6 semaines.
"""


BOOK = Phrasebook(make_tokenizer(), ExerciseWords({}, {}))


def answers(text: str, asks: str) -> set[str]:
    """Return what of a report may answer a type."""
    material = Material(ReportText(text), read_source(BOOK.tokenizer, EXERCISES, text), BOOK)
    return {text[span.start : span.end] for unit in range(len(material.units)) for span in material.answers(unit, asks)}


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        ("antecedent", {"Migraines", "Prothèse totale de hanche", "Prothèse totale de hanche gauche"}),
        ("allergy", {"pénicilline"}),
        ("entry-treatment", {"Kardégic", "Paracétamol"}),
        ("treatment", {"Amoxicilline"}),
        ("dose", {"75 mg", "1 g"}),
        ("lab", {"95 mg/L", "14,2 G/L"}),
        ("procedure", {"Radiographie de thorax", "ECBC"}),
        ("germ", {"Haemophilus influenzae"}),
        ("stopped", {"Ramipril"}),
        ("diagnosis", {"Pneumopathie franche lobaire aiguë"}),
        ("follow-up", {"Consultation de pneumologie", "Consultation de pneumologie à 6 semaines"}),
    ],
)
def test_a_type_is_answered_where_the_report_shows_it_and_nowhere_else(asks: str, expected: set[str]) -> None:
    assert answers(LETTER, asks) == expected


def test_what_is_denied_answers_nothing() -> None:
    assert answers("ANTÉCÉDENTS\nPas de diabète.\nAucune allergie connue.", "antecedent") == set()
    assert answers("ALLERGIES\nAucune allergie connue.\nNéant.\nNon connues.", "allergy") == set()


def test_a_title_and_a_letterhead_answer_nothing() -> None:
    text = "Clinique du Parc\nService de médecine\n\nCONCLUSION\n----------\nColite aiguë.\n"
    assert answers(text, "diagnosis") == {"Colite aiguë"}


def test_what_a_question_names_leads_to_its_answer() -> None:
    line = "- Kardégic 75 mg : 1 sachet le matin"
    shown = ReportText("TRAITEMENT DE SORTIE\n" + line).evidence.of((21, 21 + len(line)))
    drug, dose = (2, 10), (11, 16)

    def named(asks: str, template: str, words: str, answer: tuple[int, int]) -> bool:
        start = line.index(words)
        return shown.may_name(asks, template, start, start + len(words), answer)

    assert named("treatment", "quel medicament est prescrit a la dose de {} ?", "75 mg", drug)
    assert not named("treatment", "quel medicament est prescrit a la dose de {} ?", "1 sachet le matin", drug)
    assert named("treatment", "quel medicament est pris ainsi : {} ?", "1 sachet le matin", drug)
    assert not named("treatment", "quel medicament est pris ainsi : {} ?", "sachet le matin", drug)
    assert named("dose", "quelle est la dose de {} ?", "Kardégic", dose)
    assert not named("dose", "quelle est la dose de {} ?", "sachet", dose)


def test_a_dose_that_two_lines_share_names_no_drug() -> None:
    lines = "TRAITEMENT DE SORTIE\nAmlor 5 mg le matin.\nCoversyl 5 mg le soir.\nTahor 10 mg le soir."
    evidence = ReportText(lines).evidence
    first, last = evidence.parts.units[1], evidence.parts.units[3]
    assert evidence.is_told_twice("5 mg", first)
    assert not evidence.is_told_twice("10 mg", last)


def test_the_report_counts_not_the_window() -> None:
    evidence = ReportText("ANTÉCÉDENTS\n" + "- Migraines.\n" * 3 + "\nBIOLOGIE\nCRP 5 mg/L.").evidence
    assert isinstance(evidence, Evidence)
    assert [evidence.parts.of(unit) for unit in evidence.parts.units[1:]] == ["past"] * 3 + ["results"] * 2


@settings(max_examples=150)
@given(
    st.text(st.sampled_from(list("aéB 1,5mg:()-\n.•œ’'\u0301\u00a0\r")) | st.characters(), max_size=80),
    st.sampled_from(ANSWER_TYPES),
    st.data(),
)
def test_any_words_of_any_text_are_judged(text: str, asks: str, data: st.DataObject) -> None:
    report = ReportText(text)
    for start, end in report.units:
        shown = report.evidence.of((start, end))
        first = data.draw(st.integers(0, end - start - 1))
        last = data.draw(st.integers(first + 1, end - start))
        assert shown.may_answer(asks, first, last) in (True, False)
        assert shown.may_name(asks, "dose {}", first, last, (first, last)) in (True, False)
