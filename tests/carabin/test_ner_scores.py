"""Entity scores: a score that is wrong looks like any other number, so each rule has its golden case."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Entity
from carabin.scoring.ner_scores import Counts, add_up, count_matches, score_spans, total

CASES = json.loads(Path(__file__).with_name("ner_cases.json").read_text(encoding="utf-8"))


def as_dicts(documents: list) -> list:
    return [[{"start": start, "end": end, "label": label} for start, end, label in spans] for spans in documents]


@pytest.mark.parametrize("match", ["exact", "overlap"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden_cases(case, match):
    predictions, references = as_dicts(case["predictions"]), as_dicts(case["references"])
    pairs = zip(predictions, references, strict=True)
    found = total(add_up(count_matches(ours, theirs, match) for ours, theirs in pairs))
    tp, predicted, gold = case[match]
    assert found == Counts(tp, predicted, gold)
    scores = score_spans(predictions, references, match)
    assert scores["precision"] == pytest.approx(tp / predicted if predicted else 0.0)
    assert scores["recall"] == pytest.approx(tp / gold if gold else 0.0)
    assert scores["f1"] == pytest.approx(2 * tp / (predicted + gold) if tp else 0.0)
    assert scores["support"] == gold


def test_each_label_has_its_own_score():
    scores = score_spans(as_dicts([[[0, 4, "DISO"], [5, 9, "CHEM"]]]), as_dicts([[[0, 4, "DISO"], [5, 8, "ANAT"]]]))
    assert scores["by_label"]["DISO"] == {"f1": 1.0, "precision": 1.0, "recall": 1.0, "support": 1}
    assert scores["by_label"]["CHEM"]["f1"] == scores["by_label"]["ANAT"]["f1"] == 0.0
    assert scores["by_label"]["CHEM"]["support"] == 0


SPAN_SETS = st.lists(st.integers(0, 40), max_size=16).map(lambda edges: pair_up(sorted(set(edges))))


def pair_up(edges: list[int]) -> list[Entity]:
    return [Entity(start, end, "DISO") for start, end in zip(edges[::2], edges[1::2], strict=False)]


def largest_matching(predicted: list[Entity], gold: list[Entity]) -> int:
    """Return the size of a maximum bipartite matching, by augmenting paths."""
    taken: dict[int, int] = {}

    def place(number: int, seen: set[int]) -> bool:
        for other, entity in enumerate(gold):
            if other not in seen and entity.start < predicted[number].end and predicted[number].start < entity.end:
                seen.add(other)
                if other not in taken or place(taken[other], seen):
                    taken[other] = number
                    return True
        return False

    return sum(place(number, set()) for number in range(len(predicted)))


@given(SPAN_SETS, SPAN_SETS)
def test_overlap_finds_the_largest_matching_and_never_less_than_exact(predicted, gold):
    exact, overlap = (total(count_matches(predicted, gold, match)) for match in ("exact", "overlap"))
    assert overlap.tp == largest_matching(predicted, gold)
    assert exact.tp <= overlap.tp


@given(SPAN_SETS, SPAN_SETS, st.randoms())
def test_the_order_of_spans_does_not_matter(predicted, gold, shuffler: random.Random):
    shuffled = shuffler.sample(predicted, len(predicted)), shuffler.sample(gold, len(gold))
    for match in ("exact", "overlap"):
        assert count_matches(*shuffled, match) == count_matches(predicted, gold, match)


def test_faults_say_what_is_wrong():
    with pytest.raises(ValueError, match="2 documents predicted, 1 annotated"):
        score_spans([[], []], [[]])
    with pytest.raises(ValueError, match="'fuzzy' is not 'exact' or 'overlap'"):
        count_matches([], [], "fuzzy")
