"""The model of a folder that may be published: whole, the checkpoint's, INT8 only where it held its metric."""

import math
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from export.gate_record import read_figures
from export.onnx_files import fp32_file, int8_file, is_seq2seq, onnx_names
from export.publishable import GENERATION
from export.push_files import PublishError, read_object

QUANTIZED_SUFFIXES = ("_quantized", "_int8", "_uint8", "_q4", "_q4f16", "_bnb4")
INT8_LIMIT = 0.005
"""Half a point of the metric, the most that INT8 may lose."""


def check_family(folder: Path, names: list[str]) -> None:
    """Check that the set of ONNX files is whole, of each precision that is there."""
    config = read_object(folder, "config.json", "export again")
    wanted = [fp32_file(folder, name) for name in onnx_names(config)]
    quantized = [int8_file(folder, name) for name in onnx_names(config)]
    if any(path.is_file() for path in quantized):
        wanted += quantized
    if is_seq2seq(config):
        wanted.append(folder / GENERATION)
    for path in wanted:
        if path.relative_to(folder).as_posix() not in names:
            raise PublishError(f"{folder}: {path.relative_to(folder).as_posix()} is missing; export again, to its end")


def check_onnx_parity(parity: dict[str, Any], folder: Path, names: list[str]) -> None:
    """Check that there is an ONNX model and that it answers as torch does; the figures count, not the word `passed`."""
    where = folder / "parity.json"
    if not any(name.startswith("onnx/") and name.endswith(".onnx") for name in names):
        raise PublishError(f"{folder / 'onnx'}: holds no ONNX file; export again")
    compared = parity.get("torch_vs_onnx")
    if not isinstance(compared, dict):
        raise PublishError(f"{where}: torch and ONNX were never compared; export again")
    difference, tolerance = compared.get("max_abs_logit_difference"), compared.get("tolerance")
    within = is_number(difference) and is_number(tolerance) and difference <= tolerance
    if compared.get("passed") is not True or not within:
        raise PublishError(
            f"{where}: torch and ONNX differ by {difference} (tolerance {tolerance}); correct the export, run it again"
        )


def check_int8_gate(parity: dict[str, Any], folder: Path, names: list[str]) -> None:
    """Check that a quantized file is there exactly when its task metric held; here too the figures count."""
    int8 = parity.get("int8")
    if not isinstance(int8, dict):
        raise PublishError(f"{folder / 'parity.json'}: INT8 was never judged; export again")
    quantized = [name for name in names if PurePosixPath(name).stem.endswith(QUANTIZED_SUFFIXES)]
    metric, before, after = read_figures(int8) or (None, None, None)
    limit = int8.get("limit", INT8_LIMIT)
    # The last addend is for the last bit of a difference of floats.
    held = is_number(before) and is_number(after) and is_number(limit) and before - after <= limit + 1e-9
    if quantized and not (held and int8.get("passed") is True and int8.get("published") is True):
        why = int8.get("why") or (f"{metric} {after} against {before}" if metric else "never measured")
        raise PublishError(f"{folder / quantized[0]}: INT8 did not pass its gate ({why}); export again without it")
    if int8.get("published") is True and not quantized:
        raise PublishError(f"{folder / 'parity.json'}: says that INT8 is published, and no file is; export again")


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
