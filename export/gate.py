"""The quality gate of INT8: at most half a point of the task's metric lost, else mixed precision, else no INT8 file.

A student is one ONNX file or several that work together; they pass together or not at all. Everything is chosen on the
dev split. The test split is read once, later, by `evaluation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.gate_record import METRIC_NAMES
from export.onnx_files import fp32_file, int8_file, remove_int8
from export.quantise import Int8Options, quantise
from export.sensitivity import Probe, rank_by_sensitivity

LIMIT = 0.005
"""Half a point of F1 or of ROUGE-L."""
SHARES = (0.1, 0.25, 0.5)
"""Share of the quantisable nodes kept in fp32 at each attempt, most sensitive first. Past half of them an INT8 file has
lost its point: it is neither small nor fast."""

Score = Callable[[bool], float]
"""Task metric on the dev split, in [0, 1], of a student's fp32 files (False) or INT8 files (True). Higher is better."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate decided; `to_dict` is the `int8` part of parity.json."""

    metric: str
    published: bool
    fp32: float
    int8: float | None
    why: str
    options: Int8Options
    attempts: tuple[dict[str, Any], ...]
    limit: float = LIMIT
    split: str = "dev"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: its figures are named by their metric, `f1_fp32` or `rougeL_fp32`."""
        return {
            "published": self.published,
            "passed": self.published,
            f"{self.metric}_fp32": self.fp32,
            f"{self.metric}_int8": self.int8,
            "limit": self.limit,
            "split": self.split,
            "why": self.why,
            "excluded_nodes": list(self.options.excluded_nodes),
            "options": self.options.to_dict(),
            "attempts": list(self.attempts),
        }


def gate_int8(
    student: Path,
    names: Sequence[str],
    metric: str,
    score: Score,
    probe: Probe,
    options: Int8Options | None = None,
    limit: float = LIMIT,
    split: str = "dev",
) -> GateResult:
    """Write the INT8 files if some hold the metric; leave none behind otherwise.

    Args:
        student: Folder whose `onnx/` holds the fp32 files and receives the others; earlier ones are replaced, or
            removed when the gate refuses.
        names: The files, without suffixes (`export.onnx_files`).
        metric: What `score` measures: a key of METRIC_NAMES.
        score: Task metric on the dev split.
        probe: By which the sensitivity of nodes is measured, when it must be.
        options: What to quantise at first; the gate adds the nodes it excludes.
        limit: Largest loss of the metric.
        split: Name of the split that `score` reads, for the record.
    """
    options, named = options or Int8Options(), METRIC_NAMES[metric]
    remove_int8(student, names)
    reference = score(False)
    if not math.isfinite(reference) or reference <= 0:
        why = f"the fp32 model scores {reference:.4g} on {split}: there is nothing to hold INT8 against"
        return GateResult(metric, False, reference, None, why, options, (), limit, split)
    attempts: list[dict[str, Any]] = []
    for tried in _candidates(student, names, options, probe):
        for name in names:
            quantise(fp32_file(student, name), int8_file(student, name), tried)
        value = score(True)
        attempts.append({f"{metric}_int8": value, "nodes_in_fp32": len(tried.excluded_nodes)})
        # The tolerance is for the last bit of a difference of floats, not for the metric.
        if reference - value <= limit + 1e-12:
            why = _why_published(reference - value, named, len(tried.excluded_nodes), limit, split)
            return GateResult(metric, True, reference, value, why, tried, tuple(attempts), limit, split)
    remove_int8(student, names)
    best = max(attempt[f"{metric}_int8"] for attempt in attempts)
    why = (
        f"no INT8 file: the best of {len(attempts)} attempts loses {100 * (reference - best):.2f} points of {named} on "
        f"{split}, more than {100 * limit:.2f}, even with {len(tried.excluded_nodes)} nodes kept in fp32"
    )
    return GateResult(metric, False, reference, best, why, tried, tuple(attempts), limit, split)


def _candidates(student: Path, names: Sequence[str], options: Int8Options, probe: Probe) -> Iterator[Int8Options]:
    """Yield the options to try, in order; the sensitivities are measured only if the first ones fail."""
    yield options
    ranked = [node for node, _ in rank_by_sensitivity(student, names, probe, options)]
    counts = sorted({max(1, math.ceil(share * len(ranked))) for share in SHARES})
    for count in counts:
        yield options.without([*options.excluded_nodes, *ranked[:count]])


def _why_published(loss: float, named: str, excluded: int, limit: float, split: str) -> str:
    # Added to zero, so that no loss is no "-0.00".
    change = (
        f"loses {100 * loss:.2f} points of {named}" if loss > 0 else f"loses no {named} ({0 - 100 * loss:+.2f} points)"
    )
    kept = f", with {excluded} sensitive nodes kept in fp32" if excluded else ""
    return f"INT8 {change} on {split}{kept}; the limit is {100 * limit:.2f}"
