"""Expected calibration error: does a confidence of 0.8 mean right four times in five?

ECE = sum over bins of (n_bin / n) * |accuracy_bin - confidence_bin|, over equal-width bins of confidence
(Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, equation 3; 15 bins as there).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

BINS = 15


class Reliability:
    """Confidences and outcomes gathered bin by bin, so that a corpus of any size takes the memory of its bins."""

    def __init__(self, bins: int = BINS) -> None:
        """Start with empty bins; bin b holds confidences in (b / bins, (b + 1) / bins], the first one 0 as well."""
        self.number = np.zeros(bins, dtype=np.int64)
        self.confidence = np.zeros(bins)
        self.correct = np.zeros(bins)

    def add(self, confidence: ArrayLike, correct: ArrayLike) -> None:
        """Add predictions.

        Args:
            confidence: Shape (n,), in [0, 1].
            correct: Shape (n,), true where the prediction was right.

        Raises:
            ValueError: the shapes differ, or a confidence is not in [0, 1].
        """
        sure, right = np.asarray(confidence, dtype=np.float64).ravel(), np.asarray(correct, dtype=np.float64).ravel()
        if sure.shape != right.shape:
            raise ValueError(f"{len(sure)} confidences for {len(right)} outcomes")
        # Float32 probabilities sum to one within rounding only.
        if not np.all((sure >= 0) & (sure <= 1 + 1e-5)):
            raise ValueError("a confidence is not in [0, 1]: is it a logit?")
        bins = len(self.number)
        where = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
        self.number += np.bincount(where, minlength=bins)
        self.confidence += np.bincount(where, weights=sure, minlength=bins)
        self.correct += np.bincount(where, weights=right, minlength=bins)

    def report(self) -> dict[str, Any]:
        """Return `value` (the ECE; None without predictions), `bins` and `n`."""
        n = int(self.number.sum())
        value = float(np.abs(self.correct - self.confidence).sum() / n) if n else None
        return {"value": value, "bins": len(self.number), "n": n}


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> float | None:
    """Return the ECE of predictions, None if there are none (see the module for the formula).

    Args:
        confidence: Shape (n,), in [0, 1].
        correct: Shape (n,), true where the prediction was right.
        bins: Equal-width bins of confidence.
    """
    reliability = Reliability(bins)
    reliability.add(confidence, correct)
    return reliability.report()["value"]
