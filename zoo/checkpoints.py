"""What a model's folder holds, without loading any of it: checkpoint, ensemble of checkpoints, ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from carabin.student_folder import ModelError
from zoo.runs import hash_file, read_json, write_json

Which = Literal["auto", "torch", "onnx", "int8"]
ENSEMBLE = "ensemble.json"


def weight_files(folder: Path) -> dict[str, Path]:
    """Return, by engine, the file that holds or names a folder's weights, whether it is there or not.

    An ensemble's is `ensemble.json`, which names its members by the sha256 of their weights. A student that writes has
    three ONNX files, of one checkpoint: its decoder's stands for them.
    """
    ensemble = folder / ENSEMBLE
    onnx = folder / "onnx"
    name = "decoder_model" if any(onnx.glob("decoder_model*.onnx")) else "model"
    return {
        "int8": onnx / f"{name}_quantized.onnx",
        "onnx": onnx / f"{name}.onnx",
        "torch": ensemble if ensemble.is_file() else folder / "model.safetensors",
    }


def resolve_which(folder: Path, which: Which = "auto") -> Literal["torch", "onnx", "int8"]:
    """Return the engine that `zoo.torch_engine.load_annotator` would take for a folder.

    `auto` takes what a hospital would run: the INT8 file where the quality gate let it be published, else the fp32 ONNX
    file, else, in a folder that was not exported, the checkpoint.

    Raises:
        ModelError: the folder holds no file for that engine; lists those it has.
    """
    files = weight_files(folder)
    if which not in ("auto", *files):
        raise ModelError(f"which = '{which}' is not one of auto, torch, onnx, int8")
    for name in files if which == "auto" else (which,):
        if files[name].is_file():
            return name  # type: ignore[return-value]
    present = ", ".join(name for name, path in files.items() if path.is_file()) or "none of them"
    wanted = "model.safetensors, onnx/model.onnx" if which == "auto" else str(files[which].relative_to(folder))
    raise ModelError(f"{folder}: holds no {wanted} for which = '{which}'; it has {present}: train or export it first")


def model_file(folder: Path, which: Which = "auto") -> Path:
    """Return the file that holds the weights `which` reads: what a score's hash must name."""
    return weight_files(folder)[resolve_which(folder, which)]


def write_ensemble(members: list[Path], folder: Path) -> dict[str, Any]:
    """Write `ensemble.json`: the members, beside this folder, by name and by the sha256 of their weights."""
    named = [{"folder": member.name, "sha256": hash_file(member / "model.safetensors")} for member in members]
    write_json(folder / ENSEMBLE, {"members": named})
    return {"members": len(members)}


def read_ensemble(folder: Path) -> list[Path]:
    """Return the folders of an ensemble's members.

    Raises:
        ModelError: a member is missing, or has other weights than the ensemble was made of.
    """
    members = []
    for entry in read_json(folder / ENSEMBLE)["members"]:
        member = folder.parent / entry["folder"]
        weights = member / "model.safetensors"
        if not weights.is_file() or hash_file(weights) != entry["sha256"]:
            raise ModelError(f"{weights}: missing, or not the weights that {folder / ENSEMBLE} names; train it again")
        members.append(member)
    return members
