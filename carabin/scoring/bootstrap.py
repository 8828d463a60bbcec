"""Percentile bootstrap over documents (Efron and Tibshirani, 1993, chapter 13), from each document's counts.

The document is drawn, not the entity: entities of one document stand or fall together, and drawing them one by one
would give intervals that are too narrow. With few documents (QUAERO EMEA's test has 15) the interval is itself
uncertain, so every result carries its unit and its n.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 1000
# Documents times resamples held at once: bounds the memory to some 80 MB whatever the corpus.
_CHUNK = 10_000_000


def f1_of(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """Return micro F1 = 2 tp / (predicted + gold), 0 where there is neither.

    Args:
        counts: Shape (..., 3): tp, predicted, gold.
    """
    weight = counts[..., 1] + counts[..., 2]
    return np.where(weight > 0, 2 * counts[..., 0] / np.maximum(weight, 1), 0.0)


def bootstrap_f1(counts: ArrayLike, seed: int, resamples: int = RESAMPLES, level: float = LEVEL) -> dict[str, Any]:
    """Return micro F1 with its document-bootstrap interval.

    A drawn corpus in which nothing was predicted or annotated has no F1 and is left out: where only two documents of
    twenty hold a label, one draw in eight holds none of it, and counting that as 0 would say that the label fails.

    Args:
        counts: Shape (n_documents, 3): each document's tp, predicted, gold.
        seed: Of the resampling.
        resamples: How many corpora are drawn.
        level: Of the interval.

    Returns:
        `value`, `low`, `high`, `precision`, `recall`, `n` (documents), `unit`, `level`, `resamples`.

    Raises:
        ValueError: no documents, or counts of another shape.
    """
    table = _checked(counts)
    sums = np.concatenate([weights @ table for weights in _resamples(len(table), seed, resamples)])
    met = sums[:, 1:].any(axis=1)
    drawn = f1_of(sums[met] if met.any() else sums)
    tp, predicted, gold = table.sum(axis=0)
    return {
        "value": float(f1_of(table.sum(axis=0))),
        **_interval(drawn, level),
        "precision": float(tp / predicted) if predicted else 0.0,
        "recall": float(tp / gold) if gold else 0.0,
        **_method(len(table), resamples, level),
    }


def bootstrap_difference(
    counts: ArrayLike, baseline: ArrayLike, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Any]:
    """Return F1(counts) - F1(baseline) with a *paired* interval: both systems are scored on the same drawn documents.

    Args:
        counts: Shape (n_documents, 3), of the student.
        baseline: Same shape, same documents in the same order, of its twin (or its teacher).
        seed: Of the resampling.
        resamples: How many corpora are drawn.
        level: Of the interval.

    Returns:
        `value`, `low`, `high`, `not_above` (share of the drawn corpora where the difference is not above zero), `n`,
        `unit`, `level`, `resamples`.

    Raises:
        ValueError: the two tables are not of the same documents.
    """
    ours, theirs = _checked(counts), _checked(baseline)
    if len(ours) != len(theirs) or not np.array_equal(ours[:, 2], theirs[:, 2]):
        raise ValueError(
            f"the two systems were not scored on the same documents ({len(ours)} and {len(theirs)} documents, or other "
            "gold counts): score both on the same split"
        )
    drawn = np.concatenate(
        [f1_of(weights @ ours) - f1_of(weights @ theirs) for weights in _resamples(len(ours), seed, resamples)]
    )
    return {
        "value": float(f1_of(ours.sum(axis=0)) - f1_of(theirs.sum(axis=0))),
        **_interval(drawn, level),
        "not_above": float((drawn <= 0).mean()),
        **_method(len(ours), resamples, level),
    }


def bootstrap_statistic(
    table: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Any]:
    """Return a statistic of a corpus's summed counts with its document-bootstrap interval.

    Args:
        table: Shape (n_documents, n_counts), what is counted in each document.
        statistic: Takes summed counts, shape (..., n_counts), to a figure each, NaN where it is not defined.
        seed: Of the resampling.
        resamples: How many corpora are drawn.
        level: Of the interval.

    Returns:
        `value`, `low`, `high`, `n`, `unit`, `level`, `resamples`. Value and interval are None where the statistic is
        not defined; the interval is of the drawn corpora where it is.

    Raises:
        ValueError: no documents.
    """
    if len(table) == 0:
        raise ValueError("no documents: a statistic needs at least one")
    value = float(statistic(table.sum(axis=0)))
    drawn = np.concatenate([statistic(weights @ table) for weights in _resamples(len(table), seed, resamples)])
    drawn = drawn[~np.isnan(drawn)]
    interval = _interval(drawn, level) if len(drawn) and not np.isnan(value) else {"low": None, "high": None}
    return {"value": None if np.isnan(value) else value, **interval, **_method(len(table), resamples, level)}


def bootstrap_ratio(
    parts: ArrayLike, wholes: ArrayLike, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Any]:
    """Return sum(parts) / sum(wholes) with its document-bootstrap interval.

    A share takes each document's hits and trials; the mean of a score, the scores and ones; a *paired* difference of
    two means, the differences and ones.

    Args:
        parts: Shape (n_documents,).
        wholes: Shape (n_documents,), none below zero.
        seed: Of the resampling.
        resamples: How many corpora are drawn.
        level: Of the interval.

    Returns:
        As `bootstrap_statistic`: None where all wholes are zero.

    Raises:
        ValueError: no documents, or the two are not of the same documents.
    """
    above, below = np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64)
    if above.shape != below.shape or above.ndim != 1:
        raise ValueError(f"parts of shape {above.shape}, wholes of shape {below.shape}: one of each for each document")
    return bootstrap_statistic(np.stack([above, below], axis=1), _ratio_of, seed, resamples, level)


def _ratio_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    defined = sums[..., 1] > 0
    return np.where(defined, sums[..., 0] / np.where(defined, sums[..., 1], 1), np.nan)


def _checked(counts: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 3 or len(table) == 0:
        raise ValueError(f"counts of shape {table.shape}: expected one row (tp, predicted, gold) for each document")
    return table


def _resamples(n: int, seed: int, resamples: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each document is drawn, shape (chunk, n); drawing n with replacement is a multinomial."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // n)
    for start in range(0, resamples, chunk):
        yield rng.multinomial(n, np.full(n, 1 / n), size=min(chunk, resamples - start)).astype(np.float64)


def _interval(drawn: NDArray[np.float64], level: float) -> dict[str, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return {"low": float(low), "high": float(high)}


def _method(n: int, resamples: int, level: float) -> dict[str, Any]:
    return {"n": n, "unit": "document", "level": level, "resamples": resamples}
