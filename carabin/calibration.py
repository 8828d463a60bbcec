"""`calibration.json`: what makes a student's scores probabilities, and where to cut them.

A network is surer than it should be. Its logits are divided by one *temperature* before they become probabilities
(Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017). That never changes which tag
is the most probable: the entities stay the same, their scores become honest. The lab fits the temperature, and a
threshold for each label, on its development corpora (`evaluation.calibrate`), for each ONNX file: INT8 scores differ.

    {"schema": 1, "files": {"onnx/model.onnx": {"sha256": str, "temperature": 2.1, "thresholds": {"DISO": 0.41}, …}}, …}

A label that was too rare to fit has no threshold. Thresholds are applied only when asked for: an entity that is not
written cannot be brought back, one that is can be left out later, by its score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carabin.documents import Entity
from carabin.student_folder import ModelError, read_object

CALIBRATION = "calibration.json"
SCHEMA = 1
TEMPERATURES = (0.01, 100.0)
"""Beyond these a score says nothing any more: the file is damaged."""
ANY_LABEL = "*"
"""In thresholds: every label that is not named."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one ONNX file of a student was fitted with."""

    temperature: float
    thresholds: Mapping[str, float]
    """Least score by label; a label may be missing."""


UNCALIBRATED = Calibration(1.0, {})
"""Of a student that was published without a calibration."""


def read_calibration(folder: Path, weights: str, version: str, labels: Sequence[str]) -> Calibration:
    """Return a student's calibration, `UNCALIBRATED` where it was published without one.

    Args:
        folder: The student's.
        weights: The ONNX file that answers, below the folder: `onnx/model.onnx`.
        version: Its SHA-256, or the beginning of it.
        labels: The student's.

    Raises:
        ModelError: the file is damaged, says nothing of these weights, or was fitted to others.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return UNCALIBRATED
    record = read_object(path)
    files = record.get("files")
    if record.get("schema") != SCHEMA or not isinstance(files, dict):
        raise ModelError(f"{path}: not a calibration of schema {SCHEMA}; fetch the student again, or a newer carabin")
    fitted = files.get(weights)
    if not isinstance(fitted, dict):
        raise ModelError(f"{path}: says nothing of {weights}; fetch the student again")
    digest = fitted.get("sha256")
    if not isinstance(digest, str) or not version or not digest.startswith(version):
        raise ModelError(f"{path}: was fitted to another {weights} than the one here; fetch the student again")
    temperature = fitted.get("temperature")
    if temperature is None or not _is_number(temperature, *TEMPERATURES):
        raise ModelError(f"{path}: 'temperature' is not a number in {list(TEMPERATURES)}; fetch the student again")
    thresholds = fitted.get("thresholds")
    if not isinstance(thresholds, dict) or not all(_is_number(value, 0, 1) for value in thresholds.values()):
        raise ModelError(f"{path}: 'thresholds' are not scores in [0, 1] by label; fetch the student again")
    if unknown := sorted(set(thresholds) - set(labels)):
        raise ModelError(f"{path}: has a threshold for {unknown[0]!r}, no label of this student; fetch it again")
    return Calibration(float(temperature), {label: float(value) for label, value in thresholds.items()})


def _is_number(value: Any, low: float, high: float) -> bool:  # noqa: ANN401 - from JSON
    # A NaN is in no interval.
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def above_thresholds(entities: Iterable[Entity], thresholds: Mapping[str, float]) -> tuple[Entity, ...]:
    """Return the entities that reach their label's threshold, in order; one without a score stays."""
    rest = thresholds.get(ANY_LABEL, 0.0)
    return tuple(e for e in entities if e.score is None or e.score >= thresholds.get(e.label, rest))
