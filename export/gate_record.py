"""The `int8` part of parity.json as others read it: its figures are named by their metric, which says itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

METRIC_NAMES = {"f1": "F1", "rougeL": "ROUGE-L"}
"""Key -> how it is called."""


class GateFigures(NamedTuple):
    """What the gate held against each other; None for what was not measured."""

    metric: str
    """How it is called."""
    fp32: Any
    int8: Any


def read_figures(record: Mapping[str, Any]) -> GateFigures | None:
    """Return the figures of a record, None if it has none of a known metric."""
    for key, name in METRIC_NAMES.items():
        if f"{key}_fp32" in record:
            return GateFigures(name, record[f"{key}_fp32"], record.get(f"{key}_int8"))
    return None
