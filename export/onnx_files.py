"""The ONNX files of a student, under the names that optimum and transformers.js look for.

Standard library only: the export environment reads this too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = "onnx"
TAGGER = ("model",)
SEQ2SEQ = ("encoder_model", "decoder_model", "decoder_with_past_model")
"""What reads the source, what writes the first token, what writes each further one from what is remembered."""
MERGED = "decoder_model_merged"
"""Both decoders in one file, for the libraries that want it so; carabin reads the two."""
QUANTIZED = "_quantized"


def is_seq2seq(config: Mapping[str, Any]) -> bool:
    """Tell from its config.json whether a student writes; the others tag words."""
    return bool(config.get("is_encoder_decoder"))


def onnx_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all that a student's `onnx/` holds, without suffixes."""
    return (*SEQ2SEQ, MERGED) if is_seq2seq(config) else TAGGER


def fp32_file(folder: Path, name: str) -> Path:
    """Return where a student's folder holds a file in fp32."""
    return folder / FOLDER / f"{name}.onnx"


def int8_file(folder: Path, name: str) -> Path:
    """Return where a student's folder holds a file in INT8."""
    return folder / FOLDER / f"{name}{QUANTIZED}.onnx"


def remove_int8(folder: Path, names: Sequence[str]) -> None:
    """Leave no INT8 file of these names behind."""
    for name in names:
        int8_file(folder, name).unlink(missing_ok=True)
