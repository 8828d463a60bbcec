"""The quality gate of INT8: at most half a point of the task's metric lost, else mixed precision, else no INT8 file.

Everything is chosen on the dev split. The test split is read once, later, by `evaluation`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.parity import Batch, load_engine
from export.quantise import Int8Options, quantisable_nodes, quantise

LIMIT = 0.005
"""Half a point of F1."""
SHARES = (0.1, 0.25, 0.5)
"""Share of the quantisable nodes kept in fp32 at each attempt, most sensitive first. Past half of them an INT8 file has
lost its point: it is neither small nor fast."""

Score = Callable[[Path], float]
"""Task metric on the dev split, in [0, 1], of the model in this ONNX file."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate decided; `to_dict` is the `int8` part of parity.json."""

    published: bool
    f1_fp32: float
    f1_int8: float | None
    why: str
    options: Int8Options
    attempts: tuple[dict[str, Any], ...]
    limit: float = LIMIT
    split: str = "dev"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "published": self.published,
            "passed": self.published,
            "f1_fp32": self.f1_fp32,
            "f1_int8": self.f1_int8,
            "limit": self.limit,
            "split": self.split,
            "why": self.why,
            "excluded_nodes": list(self.options.excluded_nodes),
            "options": self.options.to_dict(),
            "attempts": list(self.attempts),
        }


def gate_int8(
    fp32: Path,
    int8: Path,
    score: Score,
    batches: Sequence[Batch],
    options: Int8Options | None = None,
    limit: float = LIMIT,
    split: str = "dev",
) -> GateResult:
    """Write the INT8 file if one holds the metric; leave none behind otherwise.

    Args:
        fp32: The exported model.
        int8: The file to publish; an earlier one is replaced, or removed when the gate refuses.
        score: Task metric of an ONNX file. Higher is better.
        batches: Token ids on which the sensitivity of nodes is measured, when it must be.
        options: What to quantise at first; the gate adds the nodes it excludes.
        limit: Largest loss of the metric.
        split: Name of the split that `score` reads, for the record.
    """
    options = options or Int8Options()
    reference = score(fp32)
    if not math.isfinite(reference) or reference <= 0:
        int8.unlink(missing_ok=True)
        why = f"the fp32 model scores {reference:.4g} on {split}: there is nothing to hold INT8 against"
        return GateResult(False, reference, None, why, options, (), limit, split)
    attempts: list[dict[str, Any]] = []
    for tried in _candidates(fp32, options, batches):
        quantise(fp32, int8, tried)
        value = score(int8)
        attempts.append({"f1_int8": value, "nodes_in_fp32": len(tried.excluded_nodes)})
        # The tolerance is for the last bit of a difference of floats, not for the metric.
        if reference - value <= limit + 1e-12:
            why = _why_published(reference - value, len(tried.excluded_nodes), limit, split)
            return GateResult(True, reference, value, why, tried, tuple(attempts), limit, split)
    int8.unlink(missing_ok=True)
    best = max(attempt["f1_int8"] for attempt in attempts)
    why = (
        f"no INT8 file: the best of {len(attempts)} attempts loses {100 * (reference - best):.2f} points of F1 on "
        f"{split}, more than {100 * limit:.2f}, even with {len(tried.excluded_nodes)} nodes kept in fp32"
    )
    return GateResult(False, reference, best, why, tried, tuple(attempts), limit, split)


def _candidates(fp32: Path, options: Int8Options, batches: Sequence[Batch]) -> Iterator[Int8Options]:
    """Yield the options to try, in order; the sensitivities are measured only if the first ones fail."""
    yield options
    ranked = [name for name, _ in rank_by_sensitivity(fp32, batches, options)]
    counts = sorted({max(1, math.ceil(share * len(ranked))) for share in SHARES})
    for count in counts:
        yield options.without([*options.excluded_nodes, *ranked[:count]])


def rank_by_sensitivity(
    fp32: Path, batches: Sequence[Batch], options: Int8Options | None = None
) -> list[tuple[str, float]]:
    """Return (node, error), most sensitive first.

    A node's error is the mean absolute difference of the logits when that node alone is quantised.
    """
    options = options or Int8Options()
    reference = load_engine(fp32)
    expected = [reference(*batch) for batch in batches]
    errors: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="carabin-int8-") as work:
        alone = Path(work) / "alone.onnx"
        for name in quantisable_nodes(fp32, options):
            quantise(fp32, alone, options, only=[name])
            engine = load_engine(alone)
            differences = [
                np.abs(engine(*batch) - logits)[batch[1].astype(bool)]
                for batch, logits in zip(batches, expected, strict=True)
            ]
            errors[name] = float(np.concatenate(differences).mean())
    return sorted(errors.items(), key=lambda item: (-item[1], item[0]))


def _why_published(loss: float, excluded: int, limit: float, split: str) -> str:
    change = f"loses {100 * loss:.2f} points of F1" if loss > 0 else f"loses no F1 ({100 * -loss:+.2f} points)"
    kept = f", with {excluded} sensitive nodes kept in fp32" if excluded else ""
    return f"INT8 {change} on {split}{kept}; the limit is {100 * limit:.2f}"
