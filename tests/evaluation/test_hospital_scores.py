"""`carabin evaluate` against the lab's own scores and against scikit-learn's kappa: one figure, wherever it is made."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from carabin.annotator import Annotator
from carabin.documents import Entity, dump_line
from carabin.evaluate import SEED, EvaluateOptions, evaluate_model
from carabin.scoring.agreement import WordAgreement
from carabin.tokens.tagging import encode_spans
from carabin.tokens.words import find_words
from evaluation.ner_report import score_documents


def test_a_hospital_gets_the_labs_scores_on_the_same_documents(onnx_repository, reports, tmp_path):
    gold = tmp_path / "gold.jsonl"
    gold.write_text("".join(map(dump_line, reports)), encoding="utf-8")
    ours = evaluate_model([gold], onnx_repository, EvaluateOptions(threads=1))
    theirs = score_documents(Annotator.load(onnx_repository, threads=1), reports, "umls", SEED)
    for name in ("documents", "entities", "ner_exact_f1", "ner_overlap_f1", "counts"):
        assert ours[name] == theirs[name], name
    assert ours["ece"] == pytest.approx(theirs["ece"])
    assert sum(predicted for _, predicted, _ in ours["counts"]) > 0, "two empty answers would agree too"
    for label, scores in theirs["by_label"].items():
        exact = ours["by_label"][label]["ner_exact_f1"]
        assert (exact["value"], exact["precision"], exact["recall"]) == pytest.approx(
            (scores["f1"], scores["precision"], scores["recall"])
        )


def test_kappa_is_scikit_learns(reports):
    rng = np.random.default_rng(2)
    agreement, sides = WordAgreement(), ([], [])
    labels = ("ANAT", "CHEM", "DISO", "PROC")
    for report in reports:
        other = [
            Entity(entity.start, entity.end, labels[rng.integers(4)] if rng.uniform() < 0.3 else entity.label)
            for entity in report.entities
            if rng.uniform() < 0.8
        ]
        agreement.add(report.text, report.entities, other)
        for side, spans in zip(sides, (report.entities, other), strict=True):
            side.extend((encode_spans(find_words(report.text), spans, labels) + 1) // 2)
    record = agreement.summary(seed=1, resamples=20)
    one, two = map(np.asarray, sides)
    assert record["kappa_words"]["value"] == pytest.approx(cohen_kappa_score(one, two))
    labelled = (one > 0) | (two > 0)
    assert record["kappa_labelled_words"]["value"] == pytest.approx(cohen_kappa_score(one[labelled], two[labelled]))
