"""The models of a run, by role, and what is scored of them only once: the way that taggers and writers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from evaluation.model_facts import weight_parts
from zoo.checkpoints import Which, weight_files
from zoo.runs import RunError, fingerprint, hash_file, read_json, write_json

NOISES = ("typo:0.1", "abbreviate:1.0")
"""What a ward's text does to a model: misspellings (missing accents among them), abbreviations."""
ROLES = ("teacher", "student", "twin", "onnx", "int8")
NOISED_ROLES = ("student", "twin")
"""Noise sets the student beside its twin; the exported files answer as the student does (`export.parity`)."""

Score = Callable[[Path, Which, Sequence[str]], dict[str, Any]]
"""Given a model's folder, its engine and the noises: its metrics record."""


def find_model(run: Path, role: str) -> tuple[Path | None, str]:
    """Return (folder, engine) of a role's model, no folder for a teacher over HTTP. Raises RunError: unknown role."""
    if role == "teacher":
        folder = read_json(run / "teacher.json").get("folder")
        return (Path(folder) if folder else None), "torch"
    if role in ("student", "twin"):
        return run / role, "torch"
    if role in ("onnx", "int8"):
        return run / "export", role
    raise RunError(f"role '{role}' is not one of {', '.join(ROLES)}")


def score_role(run: Path, role: str, plan: Mapping[str, Any], made_with: Mapping[str, Any], score: Score) -> str:
    """Score one role unless it is scored; return what was done: scored, found done, or withheld.

    Args:
        run: Folder of the run; `metrics/<role>.json` is written there.
        role: One of `ROLES`.
        plan: Of the run.
        made_with: What the score depends on besides the model, the splits and the noises: the sources of what scores.
        score: Called only where there is something to score.
    """
    folder, which = find_model(run, role)
    if folder is None:
        return "no checkpoint: answers over HTTP"
    weights, out = weight_files(folder)[which], run / "metrics" / f"{role}.json"
    if which == "int8" and not weights.is_file():
        out.unlink(missing_ok=True)
        return "withheld by the quality gate"
    noises = NOISES if role in NOISED_ROLES else ()
    hashes = [hash_file(part) for part in weight_parts(folder, weights)]
    key = fingerprint({"weights": hashes, "test": tested(plan), "noises": noises, **made_with})
    if is_done(out, key):
        return "found done"
    write_json(out, {**score(folder, cast("Which", which), noises), "inputs_sha256": key})
    return "scored"


def tested(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the splits that a plan is tested on, with their revisions."""
    return [entry for entry in plan["corpora"] if entry["role"] == "test"]


def is_done(out: Path, key: str) -> bool:
    """Tell whether a metrics file was made of exactly what the key names."""
    return out.is_file() and read_json(out).get("inputs_sha256") == key
