"""ROUGE that a French reader can trust: accents, decimals, units; and the baselines that stand beside it."""

import json
from pathlib import Path

import evaluate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from carabin.documents import Document
from evaluation.baselines import BASELINES, find_cut
from evaluation.rouge_report import ROUGES, FrenchTokenizer, report_scores, score_texts, split_sentences
from zoo.conclusions import Body, split_conclusion
from zoo.synthesis import generate_reports

HERE = Path(__file__).parent
CASES = json.loads((HERE / "rouge_cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_golden_cases(case):
    scores = score_texts([case["prediction"]], [case["reference"]], case.get("stem", False))
    assert {name: values[0] for name, values in scores.items()} == pytest.approx({name: case[name] for name in ROUGES})


def test_the_default_tokenizer_has_the_fault_that_ours_is_for():
    """Should rouge-score learn to keep accents, our tokenizer is to be thought over."""
    assert RougeScorer(["rouge1"]).score("été", "ét")["rouge1"].fmeasure == 1.0
    assert score_texts(["ét"], ["été"])["rouge1"] == [0.0]


PLAIN = st.lists(st.sampled_from(["repos", "strict", "apixaban", "a", "5", "24", ".", "\n"]), max_size=15).map(" ".join)


@given(PLAIN, PLAIN)
def test_where_nothing_is_french_our_scores_are_those_of_rouge_score(prediction, reference):
    theirs = RougeScorer(list(ROUGES)).score(split_sentences(reference), split_sentences(prediction))
    ours = score_texts([prediction], [reference])
    assert {name: values[0] for name, values in ours.items()} == {name: theirs[name].fmeasure for name in ROUGES}


@given(st.text())
def test_a_text_is_its_own_best_summary(text):
    scores = score_texts([text], [text])
    expected = 1.0 if FrenchTokenizer().tokenize(text) else 0.0
    assert scores["rouge1"] == scores["rougeL"] == scores["rougeLsum"] == [expected]


def test_the_module_gives_means_and_their_intervals():
    metric = evaluate.load(str(HERE.parents[1] / "evaluation" / "metrics" / "rouge_fr"))
    found = metric.compute(predictions=["repos", "repos", ""], references=["repos", "repos strict", "repos"], seed=3)
    assert found["rouge1"] == pytest.approx((1 + 2 / 3) / 3)
    interval = found["intervals"]["rouge1"]
    assert interval["low"] < found["rouge1"] < interval["high"]
    assert (interval["n"], interval["unit"]) == (3, "document")
    assert metric.compute(predictions=["traitements"], references=["traitement"], stem=True)["rougeL"] == 1.0


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="2 texts written for 1 expected"):
        score_texts(["a", "b"], ["a"])


def test_no_documents_have_no_mean():
    with pytest.raises(ValueError, match="no documents"):
        report_scores(score_texts([], []), seed=1)


REPORT = """Compte rendu

** Motif **
Dyspnée.

** Evolution **
Apyrexie. Sortie à J3.
Apixaban continué.

** Synthese **
Embolie pulmonaire traitée, surveillance.

** Suivi **
Consultation à 2 mois.
"""


def test_the_last_section_is_the_one_before_the_conclusion_not_the_last_of_the_text():
    start = REPORT.index("Embolie")
    document = Document("r", REPORT, attributes={"conclusion": {"start": start, "end": start + 42}})
    body = split_conclusion(document)
    assert BASELINES["last-section"](document, body) == "Apyrexie. Sortie à J3.\nApixaban continué."
    assert BASELINES["lead-3"](document, body) == "Compte rendu\n** Motif **\nDyspnée."


def test_a_section_that_is_one_line_is_kept():
    body = Body("Dyspnée.\n\nConsultation.", "Au total.")
    document = Document("r", "Dyspnée.\n\nAu total.\n\nConsultation.")
    assert BASELINES["last-section"](document, body) == "Dyspnée."


def test_no_baseline_sees_the_conclusion():
    """It would be copied, and no student could stand above it."""
    for record in generate_reports("dev", 40, seed=5):
        document = Document.from_dict(record, "dev")
        if body := split_conclusion(document):
            assert 0 < find_cut(document.text, body.text) <= record["conclusion"]["start"]
            assert all(body.conclusion not in write(document, body) for write in BASELINES.values())
            assert all(write(document, body) for write in BASELINES.values())
