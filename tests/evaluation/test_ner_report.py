"""One split's report: gold moved under noise, counts, calibration. Wrong alignment would read as a weak student."""

import json
from pathlib import Path

import pytest

from carabin.documents import Document, Entity
from carabin.scoring.bootstrap import bootstrap_f1
from carabin.scoring.ner_scores import score_spans
from carabin.tokens.words import find_words
from evaluation.ner_report import Noise, ScoreError, score_documents
from zoo.noise import KINDS

GOLDEN = Path(__file__).with_name("noise_scores.json")
NOISES = tuple(Noise(kind, rate) for kind in KINDS for rate in (0.1, 0.5))


def test_an_oracle_scores_one_and_the_record_is_complete(make_annotator, reports):
    record = score_documents(make_annotator(), reports, "umls", seed=1)
    for metric in ("ner_exact_f1", "ner_overlap_f1"):
        assert record[metric]["value"] == record[metric]["low"] == record[metric]["high"] == 1.0
        assert record[metric]["n"] == record["documents"] == len(reports)
    assert record["entities"] == sum(len(report.entities) for report in reports)
    assert record["counts"] == [[len(report.entities)] * 3 for report in reports]
    assert sum(label["support"] for label in record["by_label"].values()) == record["entities"]
    # It is always right at a confidence of 0.9 (each I or B has 0.005 more): it doubts itself too much.
    assert record["ece"] == {"value": pytest.approx(0.095, abs=0.001), "bins": 15, "n": record["entities"]}
    assert record["ece_words"]["value"] == pytest.approx(0.1, abs=0.001)
    assert record["ece_words"]["n"] == sum(len(find_words(report.text)) for report in reports)
    json.dumps(record)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("glue", "pdf", "ocr")])
def test_gold_follows_the_noise_so_that_a_perfect_reader_still_scores_one(kind, make_annotator, reports):
    noise = Noise(kind, 0.7)
    noised = {(after := noise.apply(report, 1)).text: after for report in reports}
    reader = make_annotator(tags_of=lambda text: noised[text].entities)
    record = score_documents(reader, reports, "umls", seed=1, noise=noise)
    assert record["ner_exact_f1"]["value"] == 1.0
    assert any(text not in {report.text for report in reports} for text in noised)


def noisy_scores(annotator, reports) -> dict:
    golden = {}
    for noise in NOISES:
        record = score_documents(annotator, reports, "umls", seed=1, noise=noise, resamples=200)
        names = ("ner_exact_f1", "ner_overlap_f1")
        scores = {name: [round(record[name][key], 6) for key in ("value", "low", "high")] for name in names}
        golden[str(noise)] = {**scores, "entities": record["entities"], **record["noise"]}
    return golden


def test_scores_under_noise_are_the_golden_ones(make_annotator, reports):
    """To rewrite the file, delete it and run this test, which then fails once; read the difference."""
    found = noisy_scores(make_annotator(), reports)
    if not GOLDEN.exists():
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
        GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        pytest.fail(f"{GOLDEN.name} was missing and is written anew: read it, then run again")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_noise_of_a_document_depends_on_its_id_and_the_seed_only(reports):
    noise = Noise("typo", 0.5)
    alone = noise.apply(reports[5], 1)
    assert [noise.apply(report, 1) for report in reports][5] == alone
    assert noise.apply(reports[5], 2) != alone


def test_an_entity_that_an_abbreviation_swallowed_is_counted(make_annotator):
    document = Document("d", "une insuffisance rénale chronique", (Entity(17, 23, "ANAT"),))
    record = score_documents(make_annotator(), [document], "umls", seed=1, noise=Noise("abbreviate", 1.0))
    assert record["noise"] == {"kind": "abbreviate", "rate": 1.0, "entities_lost": 1}
    assert record["entities"] == 0


def test_nested_gold_that_was_flattened_is_reported(make_annotator):
    documents = [Document(str(n), "fièvre", (Entity(0, 6, "DISO"),), {"nested_dropped": n}) for n in range(3)]
    assert score_documents(make_annotator(), documents, "umls", seed=1)["nested_dropped"] == 3


def test_partial_finds_count_as_overlap_and_not_as_exact(make_annotator):
    document = Document("d", "embolie pulmonaire bilatérale", (Entity(0, 29, "DISO"),))
    record = score_documents(make_annotator(), [document], "umls", seed=1)
    assert (record["ner_exact_f1"]["value"], record["ner_overlap_f1"]["value"]) == (0.0, 1.0)
    assert record["ece"]["value"] == pytest.approx(0.905, abs=0.001)


def test_intervals_come_from_the_counts(make_annotator, reports):
    record = score_documents(make_annotator(terms={"HTA": "DISO", "fièvre": "DISO"}), reports, "umls", seed=3)
    assert record["ner_exact_f1"] == bootstrap_f1(record["counts"], seed=3)
    finder = make_annotator(terms={"HTA": "DISO", "fièvre": "DISO"})
    scores = score_spans([finder.find(report.text) for report in reports], [report.entities for report in reports])
    assert record["ner_exact_f1"]["value"] == pytest.approx(scores["f1"])
    assert record["by_label"] == scores["by_label"]


def test_blank_and_empty_documents_are_scored_too(make_annotator, reports):
    record = score_documents(make_annotator(), [Document("a", ""), Document("b", " \n"), *reports], "umls", seed=1)
    assert record["ner_exact_f1"]["value"] == 1.0
    assert record["counts"][:2] == [[0, 0, 0], [0, 0, 0]]


def test_what_cannot_be_scored_says_why(make_annotator):
    annotator = make_annotator()
    document = Document("d7", "fièvre", (Entity(0, 6, "NOM"),))
    with pytest.raises(ScoreError, match="document 'd7': gold label NOM"):
        score_documents(annotator, [document], "umls", seed=1)
    nested = Document("d8", "embolie pulmonaire", (Entity(0, 18, "DISO"), Entity(8, 18, "ANAT")))
    with pytest.raises(ScoreError, match="document 'd8'.*overlaps.*flatten"):
        score_documents(annotator, [nested], "umls", seed=1)
    with pytest.raises(ScoreError, match="the model has no label ADRESSE"):
        score_documents(annotator, [], "pii", seed=1)
    with pytest.raises(ScoreError, match="label set 'omop' is not one of umls"):
        score_documents(annotator, [], "omop", seed=1)
    with pytest.raises(ScoreError, match="no documents"):
        score_documents(annotator, [], "umls", seed=1)


@pytest.mark.parametrize("text", ["typo", "typo:much", "sms:0.1", "typo:1.5", ""])
def test_noise_is_written_kind_and_rate(text):
    assert str(Noise.parse("typo:0.10")) == "typo:0.1"
    with pytest.raises(ScoreError, match="noise"):
        Noise.parse(text)
