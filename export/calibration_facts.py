"""What a card says of a student's confidence scores, as plain values; and the run's files that it is said from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.card_facts import interval, points
from zoo.runs import RECORD, RunError, hash_files, read_json

CALIBRATION = "calibration.json"
FOLDER = "calibration"
TEST = "test.json"
FILE_NAMES = {"onnx/model.onnx": "fp32", "onnx/model_quantized.onnx": "INT8"}

Json = Mapping[str, Any]


def read_calibration(run: Path, exported: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what `evaluation.calibrate` wrote: `fitted` (calibration.json) and `measured` (test.json).

    Args:
        run: Folder of the run.
        exported: Exported file -> its sha256.

    Returns:
        None if the run was not calibrated; the card then says so.

    Raises:
        RunError: the files were changed, or are of another export.
    """
    folder = run / FOLDER
    if not folder.is_dir():
        return None
    if hash_files(folder) != read_json(folder / RECORD)["files"]:
        raise RunError(
            f"{folder}: a file was changed after calibration; delete the folder and run evaluation.calibrate"
        )
    fitted, measured = read_json(folder / CALIBRATION), read_json(folder / TEST)
    of = {name: one["sha256"] for name, one in fitted["files"].items()}
    if of != {name: exported[name] for name in FILE_NAMES if name in exported}:
        raise RunError(f"{folder}: was fitted to another export; run evaluation.calibrate again")
    return {"fitted": fitted, "measured": measured["files"]}


def calibration_facts(calibration: Json | None) -> dict[str, Any] | None:
    """Return the section's values: where it was fitted, a row for each file and split, the thresholds."""
    if calibration is None:
        return None
    files = calibration["fitted"]["files"]
    labels = sorted({label for one in files.values() for label in (*one["thresholds"], *one["without_threshold"])})
    return {
        "dev": ", ".join(f"{one['corpus']}/{one['split']}" for one in calibration["fitted"]["dev"]),
        "documents": next(iter(files.values()))["n"]["documents"],
        "bases": [f"{FILE_NAMES[name]}: {one['temperature_basis']}" for name, one in files.items()],
        "names": [FILE_NAMES[name] for name in files],
        "rows": [
            _row(FILE_NAMES[name], files[name]["temperature"], split, scores)
            for name, splits in calibration["measured"].items()
            for split, scores in splits.items()
        ],
        "thresholds": [(label, [_threshold(one, label) for one in files.values()]) for label in labels],
    }


def _row(name: str, temperature: float, split: str, scores: Json) -> dict[str, str]:
    gain, words = scores["difference"], scores["ece_words"]
    return {
        "name": name,
        "temperature": f"{temperature:.2f}",
        "split": split,
        "ece": f"{_error(scores['ece']['before'])} → {_error(scores['ece']['after'])}",
        "ece_words": f"{_error(words['before'])} → {_error(words['after'])}",
        "all": f"{points(scores['all']['precision'])} / {points(scores['all']['recall'])}",
        "kept": f"{points(scores['thresholds']['precision'])} / {points(scores['thresholds']['recall'])}",
        "exact": interval(scores["thresholds"]),
        "gain": f"{100 * gain['value']:+.1f} ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})",
    }


def _error(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _threshold(fitted: Json, label: str) -> str:
    if label in fitted["thresholds"]:
        return f"{fitted['thresholds'][label]:.2f}"
    return "none: " + fitted["without_threshold"].get(label, "not met on dev")
