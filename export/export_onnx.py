"""Checkpoint -> onnx/*.onnx, by optimum-onnx. Runs in the export environment only.

    .venv/export/bin/python -m export.export_onnx --checkpoint runs/…/export --out runs/…/export

Steps:
    1. Read the files that `export.publishable` wrote, and nothing else, offline; config.json says which family it is.
    2. Let optimum trace the model with free batch and sequence axes: a tagger into one file, an encoder-decoder into
       encoder, decoder, decoder with past, and both decoders merged.
    3. Put its files into OUT/onnx/, by rename.

Optimum's own validation is off: `export.parity` compares the files with the lab's torch on real texts: stricter.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from export.onnx_files import fp32_file, is_seq2seq, onnx_names


def export_onnx(checkpoint: Path, out: Path) -> list[Path]:
    """Write the ONNX files of OUT/onnx/.

    Args:
        checkpoint: Folder that holds what `export.publishable` wrote.
        out: Folder of the future repository; may be the same.

    Returns:
        The files.

    Raises:
        FileNotFoundError: a file of the checkpoint is missing.
    """
    for name in ("config.json", "model.safetensors"):
        if not (checkpoint / name).is_file():
            raise FileNotFoundError(
                f"{checkpoint / name}: no such file; run export.publishable on the checkpoint first"
            )
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    # Read when huggingface_hub is imported: the export of local files must never ask the Hub anything.
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    from optimum.exporters.onnx import main_export

    task = "text2text-generation-with-past" if is_seq2seq(config) else "token-classification"
    targets = {name: fp32_file(out, name) for name in onnx_names(config)}
    with tempfile.TemporaryDirectory(dir=out, prefix=".onnx.") as work:
        main_export(str(checkpoint), output=work, task=task, device="cpu", do_validation=False)
        for name, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(work) / f"{name}.onnx").replace(target)
    return list(targets.values())


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
