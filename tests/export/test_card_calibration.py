"""A card that is silent about confidence, or speaks of another export's, makes a hospital trust scores wrongly."""

import json
from pathlib import Path
from typing import Any

import pytest

from carabin.calibration import SCHEMA
from export.build_card import build_card
from zoo.registry import Registry, Student
from zoo.runs import RunError, hash_file, hash_files, write_json

pytest_plugins = ["tests.export.run_fixture"]


def exact(value: float, precision: float, recall: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02, "precision": precision, "recall": recall}


def write_calibration(run: Path) -> None:
    """Write what `evaluation.calibrate` leaves, fitted to the run's export."""
    names = ("onnx/model.onnx", "onnx/model_quantized.onnx")
    fitted: dict[str, Any] = {
        name: {
            "sha256": hash_file(run / "export" / name), "temperature": 2.171 + number,
            "temperature_basis": "500 entities found right and 400 wrong",
            "thresholds": {"CHEM": 0.412}, "without_threshold": {"GEOG": "3 gold and 1 found on dev, fewer than 30"},
            "n": {"documents": 60, "gold": 1000, "found": 900},
        }
        for number, name in enumerate(names)
    }  # fmt: skip
    split = {
        "ece": {"before": 0.4394, "after": 0.1521}, "ece_words": {"before": 0.062, "after": None},
        "all": exact(0.36, 0.35, 0.37), "thresholds": exact(0.372, 0.41, 0.33),
        "difference": {"value": 0.012, "low": -0.004, "high": 0.02},
    }  # fmt: skip
    dev = [{"corpus": "synthetic-reports", "split": "dev"}]
    folder = run / "calibration"
    write_json(folder / "calibration.json", {"schema": SCHEMA, "dev": dev, "files": fitted})
    write_json(folder / "test.json", {"files": {name: {"synthetic-reports/test": split} for name in names}})
    write_json(folder / "run.json", {"files": hash_files(folder)})


def test_the_calibration_is_published_and_told(run: Path, student: Student, registry: Registry) -> None:
    write_calibration(run)
    build_card(run, student, registry)
    repository = run / "repository"
    card = (repository / "README.md").read_text(encoding="utf-8")
    for fact in (
        "synthetic-reports/dev (60 documents; fp32: 500 entities found right and 400 wrong; INT8: 500",
        "| fp32 | 2.17 | synthetic-reports/test | 0.439 → 0.152 | 0.062 → - |",
        "| INT8 | 3.17 | synthetic-reports/test |",
        "| fp32 | synthetic-reports/test | 35.0 / 37.0 | 41.0 / 33.0 | 37.2 (35.2-39.2) | +1.2 (-0.4 to +2.0) |",
        "| CHEM | 0.41 | 0.41 |",
        "| GEOG | none: 3 gold and 1 found on dev, fewer than 30 |",
        "`carabin annotate --threshold calibrated`",
    ):
        assert fact in card
    assert "not calibrated" not in card
    assert (repository / "calibration.json").read_bytes() == (run / "calibration" / "calibration.json").read_bytes()
    manifest = json.loads((repository / "manifest.json").read_text())["files"]
    assert manifest["calibration.json"]["sha256"] == hash_file(repository / "calibration.json")
    metrics = json.loads((repository / "metrics.json").read_text())
    assert metrics["calibration"]["measured"]["onnx/model.onnx"]["synthetic-reports/test"]["ece"]["after"] == 0.1521


def test_a_student_that_was_not_calibrated_says_so(run: Path, student: Student, registry: Registry) -> None:
    build_card(run, student, registry)
    assert "The scores of this student are not calibrated" in (run / "repository" / "README.md").read_text()
    assert not (run / "repository" / "calibration.json").exists()
    # Calibrated afterwards, the card is no longer the run's.
    write_calibration(run)
    assert build_card(run, student, registry)


def test_a_calibration_of_another_export_is_refused(run: Path, student: Student, registry: Registry) -> None:
    write_calibration(run)
    (run / "export" / "onnx" / "model.onnx").write_bytes(b"another")
    write_json(run / "export" / "run.json", {"files": hash_files(run / "export")})
    with pytest.raises(RunError, match="fitted to another export; run evaluation.calibrate again"):
        build_card(run, student, registry)


def test_a_calibration_that_was_edited_is_refused(run: Path, student: Student, registry: Registry) -> None:
    write_calibration(run)
    path = run / "calibration" / "calibration.json"
    path.write_text(path.read_text().replace("2.171", "1.0"))
    with pytest.raises(RunError, match="changed after calibration"):
        build_card(run, student, registry)
