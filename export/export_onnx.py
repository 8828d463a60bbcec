"""Checkpoint -> onnx/model.onnx, by optimum-onnx. Runs in the export environment only.

    .venv/export/bin/python -m export.export_onnx --checkpoint runs/…/export --out runs/…/export

Steps:
    1. Read the four files that `export.publishable` wrote, and nothing else, offline.
    2. Let optimum trace the model with free batch and sequence axes.
    3. Put its file at OUT/onnx/model.onnx, by rename.

Optimum's own validation is off: `export.parity` compares the file with the lab's torch on real texts: stricter.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path


def export_onnx(checkpoint: Path, out: Path) -> Path:
    """Write OUT/onnx/model.onnx.

    Args:
        checkpoint: Folder that holds what `export.publishable` wrote.
        out: Folder of the future repository; may be the same.

    Returns:
        The file.

    Raises:
        FileNotFoundError: a file of the checkpoint is missing.
    """
    for name in ("config.json", "model.safetensors"):
        if not (checkpoint / name).is_file():
            raise FileNotFoundError(
                f"{checkpoint / name}: no such file; run export.publishable on the checkpoint first"
            )
    # Read when huggingface_hub is imported: the export of local files must never ask the Hub anything.
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    from optimum.exporters.onnx import main_export

    target = out / "onnx" / "model.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".onnx.") as work:
        main_export(str(checkpoint), output=work, task="token-classification", device="cpu", do_validation=False)
        (Path(work) / "model.onnx").replace(target)
    return target


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        export_onnx(arguments.checkpoint, arguments.out)
    except FileNotFoundError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
