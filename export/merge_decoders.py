"""Two INT8 decoders -> one, by optimum-onnx. Runs in the export environment only.

    .venv/export/bin/python -m export.merge_decoders --student runs/…/export

Merged from the quantised pair, not quantised from the merged file, it holds each weight once, and answers as they do.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from export.onnx_files import MERGED, SEQ2SEQ, int8_file


def merge_decoders(student: Path) -> Path:
    """Write onnx/decoder_model_merged_quantized.onnx of a student's folder, by rename, and return it."""
    from optimum.onnx import merge_decoders as merge

    merged = int8_file(student, MERGED)
    partial = merged.with_name(f".{merged.name}.{os.getpid()}.partial")
    first, later = (int8_file(student, name) for name in SEQ2SEQ[1:])
    # The decoder with past gives no keys and values of the source, which do not change: not strictly the same outputs.
    merge(decoder=first, decoder_with_past=later, save_path=partial, strict=False)
    return partial.replace(merged)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--student", type=Path, required=True)
    merge_decoders(parser.parse_args().student)


if __name__ == "__main__":
    main()
