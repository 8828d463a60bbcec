"""Our scores against those of others: seqeval, and the `evaluate` modules that a researcher loads."""

import json
import warnings
from pathlib import Path

import evaluate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from carabin.documents import Entity
from carabin.scoring.ner_scores import score_spans

TESTS = Path(__file__).parents[1]
CASES = json.loads((TESTS / "carabin" / "ner_cases.json").read_text(encoding="utf-8"))
METRICS = TESTS.parent / "evaluation" / "metrics"
LABELS = ("DISO", "CHEM", "ANAT")


def as_dicts(documents: list) -> list:
    return [[{"start": start, "end": end, "label": label} for start, end, label in spans] for spans in documents]


TAGS = st.sampled_from(("O", "O", *(f"{prefix}-{label}" for label in LABELS for prefix in "BI")))


@st.composite
def tag_pairs(draw) -> tuple[list[list[str]], list[list[str]]]:
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    sides = ([draw(st.lists(TAGS, min_size=n, max_size=n)) for n in lengths] for _ in range(2))
    return tuple(sides)


def spans_of(tags: list[str]) -> list[Entity]:
    """Return the strict IOB2 entities of a sequence; word i stands at 3i..3i+2 of its text."""
    spans, position = [], 0
    while position < len(tags):
        if tags[position].startswith("B-"):
            label, end = tags[position][2:], position + 1
            while end < len(tags) and tags[end] == f"I-{label}":
                end += 1
            spans.append(Entity(3 * position, 3 * end - 1, label))
            position = end
        else:
            position += 1
    return spans


@given(tag_pairs())
def test_exact_scores_are_seqevals_in_strict_mode(pair):
    predicted, gold = pair
    ours = score_spans([spans_of(tags) for tags in predicted], [spans_of(tags) for tags in gold])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, function in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            theirs = function(gold, predicted, mode="strict", scheme=IOB2, average="micro", zero_division=0)
            assert ours[name] == pytest.approx(float(theirs)), name


@pytest.mark.parametrize("match", ["exact", "overlap"])
def test_evaluate_modules_give_the_same_scores(match, tmp_path):
    """The network is blocked in every test; test_offline.py also starts from an empty HF_HOME."""
    metric = evaluate.load(str(METRICS / f"ner_{match}_f1"), cache_dir=str(tmp_path))
    for case in CASES:
        predictions, references = as_dicts(case["predictions"]), as_dicts(case["references"])
        assert metric.compute(predictions=predictions, references=references) == score_spans(
            predictions, references, match
        ), case["name"]
    # evaluate adds documents one by one too.
    metric.add(prediction=predictions[0], reference=references[0])
    assert metric.compute() == score_spans(predictions[:1], references[:1], match)
