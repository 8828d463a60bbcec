"""A student's calibration: one of another file, or a damaged one, would change every score and say nothing."""

import json
import shutil

import pytest

from carabin import Annotator, ModelError
from carabin.annotate import JobOptions, annotate_files, fitted_thresholds
from carabin.calibration import CALIBRATION, UNCALIBRATED, above_thresholds, read_calibration
from carabin.documents import Entity
from carabin.formats import InputError
from carabin.trust.manifest import hash_file

TEXT = "Le patient présente une fièvre aiguë, traitée par paracétamol."


def write_calibration(folder, temperature=2.0, thresholds=None, **changes):
    """Calibrate a student's folder and return it."""
    fitted = {
        "sha256": hash_file(folder / "onnx" / "model.onnx"),
        "temperature": temperature,
        "thresholds": {"DISO": 0.25} if thresholds is None else thresholds,
        **changes,
    }
    (folder / CALIBRATION).write_text(json.dumps({"schema": 1, "files": {"onnx/model.onnx": fitted}}))
    return folder


@pytest.fixture
def calibrated(student, tmp_path):
    return write_calibration(shutil.copytree(student, tmp_path / "calibrated"))


def test_a_calibrated_student_finds_the_same_at_milder_scores(student, calibrated):
    raw, mild = Annotator.load(student, threads=1), Annotator.load(calibrated, threads=1)
    assert (mild.temperature, mild.thresholds) == (2.0, {"DISO": 0.25})
    before, after = raw(TEXT), mild(TEXT)
    assert [(e.start, e.end, e.label) for e in after] == [(e.start, e.end, e.label) for e in before] != []
    assert all(mild.score < sure.score for mild, sure in zip(after, before, strict=True))


def test_nothing_is_left_out_unless_it_is_asked_for(calibrated, tmp_path):
    write_calibration(calibrated, thresholds={"DISO": 1.0, "CHEM": 0.0})
    notes = tmp_path / "notes.jsonl"
    notes.write_text(json.dumps({"id": "a", "text": TEXT}) + "\n", encoding="utf-8")

    def labels(**options):
        out = tmp_path / "out.jsonl"
        annotate_files([notes], out, calibrated, JobOptions(threads=1, **options))
        return [entity["label"] for entity in json.loads(out.read_text(encoding="utf-8"))["entities"]]

    assert labels() == ["DISO", "CHEM"]
    assert labels(calibrated=True) == ["CHEM"]
    # What is said by hand goes before what was fitted.
    assert labels(calibrated=True, thresholds={"DISO": 0.0}) == ["DISO", "CHEM"]


def test_thresholds_that_were_never_fitted_cannot_be_asked_for(annotator):
    with pytest.raises(InputError, match="published without fitted thresholds; say LABEL"):
        fitted_thresholds(annotator)


def test_a_threshold_for_the_rest_holds_for_labels_not_named():
    entities = [Entity(0, 1, "A", 0.4), Entity(1, 2, "B", 0.4), Entity(2, 3, "B"), Entity(3, 4, "B", 0.5)]
    assert above_thresholds(entities, {"A": 0.3, "*": 0.5}) == (entities[0], entities[2], entities[3])
    assert above_thresholds(entities, {}) == tuple(entities)


def damaged(**changes):
    return lambda folder: write_calibration(folder, **changes)


def rewritten(text):
    return lambda folder: (folder / CALIBRATION).write_text(text)


DAMAGES = {
    "not JSON": (rewritten("{"), "not JSON"),
    "a list": (rewritten("[]"), "not a JSON object"),
    "another schema": (rewritten('{"schema": 2, "files": {}}'), "schema 1"),
    "no such file": (rewritten('{"schema": 1, "files": {}}'), "says nothing of onnx/model.onnx"),
    "other weights": (damaged(sha256="0" * 64), "fitted to another onnx/model.onnx"),
    "no hash": (damaged(sha256=None), "fitted to another onnx/model.onnx"),
    "no temperature": (damaged(temperature=None), "'temperature' is not a number"),
    "a true temperature": (damaged(temperature=True), "'temperature' is not a number"),
    "a negative temperature": (damaged(temperature=-1), "'temperature' is not a number"),
    "no number": (damaged(temperature=float("nan")), "'temperature' is not a number"),
    "a huge temperature": (damaged(temperature=1e9), "'temperature' is not a number"),
    "a list of thresholds": (damaged(thresholds=[0.5]), "'thresholds' are not scores"),
    "a threshold beyond one": (damaged(thresholds={"DISO": 1.5}), "'thresholds' are not scores"),
    "a label of another student": (damaged(thresholds={"NOM": 0.5}), "'NOM', no label of this student"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_calibration_stops_the_student(calibrated, damage, message):
    damage(calibrated)
    with pytest.raises(ModelError, match=message) as caught:
        Annotator.load(calibrated, threads=1)
    assert "calibration.json" in str(caught.value)


def test_without_the_file_scores_are_the_networks_own(student):
    assert read_calibration(student, "onnx/model.onnx", "0" * 12, ("CHEM", "DISO")) is UNCALIBRATED
