"""Intervals: one that is too narrow turns noise into a finding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.scoring import bootstrap
from carabin.scoring.bootstrap import bootstrap_difference, bootstrap_f1, bootstrap_ratio


def draw_counts(rng: np.random.Generator, documents: int, right: float = 0.8) -> np.ndarray:
    gold = rng.poisson(8, documents)
    tp = rng.binomial(gold, right)
    return np.stack([tp, tp + rng.binomial(gold, 1 - right), gold], axis=1)


def test_value_is_micro_f1_and_the_method_is_named():
    result = bootstrap_f1([[1, 2, 2], [3, 3, 4]], seed=1)
    assert result["value"] == pytest.approx(8 / 11)
    assert (result["precision"], result["recall"]) == pytest.approx((4 / 5, 4 / 6))
    assert result["low"] <= result["value"] <= result["high"]
    named = {"n": 2, "unit": "document", "level": 0.95, "resamples": 1000}
    assert {key: result[key] for key in named} == named


def test_equal_seeds_give_equal_intervals_whatever_the_memory(monkeypatch):
    counts = draw_counts(np.random.default_rng(1), 50)
    first = bootstrap_f1(counts, seed=7)
    monkeypatch.setattr(bootstrap, "_CHUNK", 50 * 13)
    assert bootstrap_f1(counts, seed=7) == first
    assert bootstrap_f1(counts, seed=8)["low"] != first["low"]


def test_resampling_is_that_of_documents_one_by_one():
    counts = draw_counts(np.random.default_rng(2), 12)
    rng = np.random.default_rng(3)
    slow = []
    for _ in range(4000):
        tp, predicted, gold = counts[rng.integers(0, 12, 12)].sum(axis=0)
        slow.append(2 * tp / (predicted + gold))
    result = bootstrap_f1(counts, seed=4, resamples=4000)
    assert (result["low"], result["high"]) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.008)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    corpora = [draw_counts(rng, 60) for _ in range(300)]
    # In the long run tp = predicted = gold * 0.8 + …: the expected counts give the true F1.
    truth = 2 * 0.8 / (0.8 + 0.2 + 1)
    intervals = [bootstrap_f1(counts, seed=i, resamples=400) for i, counts in enumerate(corpora)]
    covered = np.mean([result["low"] <= truth <= result["high"] for result in intervals])
    assert 0.90 <= covered <= 0.985


def test_documents_not_entities_are_drawn():
    """Errors that come whole documents at a time widen the interval; drawing entities would hide that."""
    spread = np.asarray([[8, 10, 10]] * 30)
    lumped = np.asarray([[10, 10, 10]] * 24 + [[0, 10, 10]] * 6)
    assert bootstrap_f1(spread, 1)["value"] == bootstrap_f1(lumped, 1)["value"]
    assert bootstrap_f1(spread, 1)["high"] - bootstrap_f1(spread, 1)["low"] == pytest.approx(0)
    assert bootstrap_f1(lumped, 1)["high"] - bootstrap_f1(lumped, 1)["low"] > 0.2


def test_pairing_finds_a_small_difference_that_separate_intervals_hide():
    rng = np.random.default_rng(6)
    twin = draw_counts(rng, 40)
    student = twin.copy()
    student[::2, 0] = np.minimum(student[::2, 0] + 1, student[::2, 2])
    student[::2, 1] = np.maximum(student[::2, 1], student[::2, 0])
    result = bootstrap_difference(student, twin, seed=1)
    one, two = bootstrap_f1(student, 1), bootstrap_f1(twin, 1)
    assert result["value"] == pytest.approx(one["value"] - two["value"])
    assert one["low"] < two["high"]
    assert result["low"] > 0 and result["not_above"] == 0
    mirrored = bootstrap_difference(twin, student, seed=1)
    assert (mirrored["low"], mirrored["high"]) == pytest.approx((-result["high"], -result["low"]))


def test_a_system_does_not_differ_from_itself():
    counts = draw_counts(np.random.default_rng(7), 20)
    result = bootstrap_difference(counts, counts, seed=1)
    assert (result["value"], result["low"], result["high"], result["not_above"]) == (0, 0, 0, 1)


def test_other_documents_are_refused():
    with pytest.raises(ValueError, match="score both on the same split"):
        bootstrap_difference([[1, 1, 1]], [[1, 1, 2]], seed=1)
    for counts in ([], [[1, 2]], [1, 2, 3]):
        with pytest.raises(ValueError, match="one row"):
            bootstrap_f1(counts, seed=1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_intervals_stay_between_zero_and_one(rows):
    counts = [[min(row), row[1], row[2]] for row in rows]
    result = bootstrap_f1(counts, seed=1, resamples=50)
    assert 0 <= result["low"] <= result["high"] <= 1


def test_a_label_that_few_documents_hold_is_not_said_to_fail_in_the_draws_without_it():
    result = bootstrap_f1([[1, 1, 1], [1, 1, 1], *[[0, 0, 0]] * 18], seed=1)
    assert (result["value"], result["low"], result["high"], result["n"]) == (1.0, 1.0, 1.0, 20)
    nothing = bootstrap_f1([[0, 0, 0]] * 3, seed=1)
    assert (nothing["value"], nothing["low"], nothing["high"]) == (0.0, 0.0, 0.0)


def test_a_share_weighs_documents_by_what_they_hold():
    """The mean of shares would let a document of one claim weigh as much as one of nine."""
    found = bootstrap_ratio([1, 0], [1, 9], seed=1)
    assert found["value"] == pytest.approx(0.1)
    assert (found["low"], found["high"], found["n"]) == (0.0, 1.0, 2)


def test_a_share_of_nothing_is_not_zero():
    assert bootstrap_ratio([0, 0], [0, 0], seed=1)["value"] is None


def test_a_share_needs_hits_and_trials_of_the_same_documents():
    with pytest.raises(ValueError, match="one of each for each document"):
        bootstrap_ratio([1, 0], [1], seed=1)
