"""Which model a score is about: its file, hash, weights and size."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from zoo.checkpoints import ENSEMBLE, Which, model_file, read_ensemble, resolve_which
from zoo.registry import REPOSITORY
from zoo.runs import hash_file

WRITER_PARTS = ("decoder_model", "decoder_with_past_model", "encoder_model")
"""The ONNX files a writer is run from; the first stands for them (`zoo.checkpoints.weight_files`)."""


def describe_model(folder: Path, which: Which) -> dict[str, Any]:
    """Return which file is scored: its path (below the repository where it is there), hash, size and weights."""
    file = model_file(folder, which)
    place = folder.resolve()
    return {
        # An absolute path says where the run's machine keeps things, which is nobody's business once published.
        "path": place.relative_to(REPOSITORY).as_posix() if place.is_relative_to(REPOSITORY) else place.name,
        "sha256": hash_file(file),
        "which": resolve_which(folder, which),
        "parameters": count_parameters(folder, file),
        "bytes": sum(part.stat().st_size for part in weight_parts(folder, file)),
    }


def count_parameters(folder: Path, file: Path) -> int | None:
    """Return the number of weights: of the checkpoints, or else of the ONNX file's initializers."""
    checkpoints = [part for part in weight_parts(folder, file) if part.suffix == ".safetensors"]
    beside = folder / "model.safetensors"
    if checkpoints or beside.is_file():
        return sum(_count_in_checkpoint(checkpoint) for checkpoint in checkpoints or [beside])
    try:
        import onnx
    except ImportError:
        return None
    initializers = onnx.load(file, load_external_data=False).graph.initializer
    # Of a writer's files that is its decoder alone; a published one has its checkpoint beside.
    return sum(prod(i.dims) for i in initializers if not i.name.endswith(("_scale", "_zero_point")) and i.dims)


def weight_parts(folder: Path, file: Path) -> list[Path]:
    """Return the files that hold a model's weights: one, each member's of an ensemble, or what a writer is run from."""
    if file.name.startswith(WRITER_PARTS[0]):
        return [file.with_name(file.name.replace(WRITER_PARTS[0], part)) for part in WRITER_PARTS]
    if file.name != ENSEMBLE:
        return [file]
    return [member / "model.safetensors" for member in read_ensemble(folder)]


def _count_in_checkpoint(checkpoint: Path) -> int:
    from safetensors import safe_open

    with safe_open(checkpoint, "np") as weights:
        return sum(prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
