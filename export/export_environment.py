"""The two jobs that need optimum, which needs transformers 4: run in an environment of their own, as processes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from zoo.registry import REPOSITORY
from zoo.runs import RunError

DEFAULT_PYTHON = REPOSITORY / ".venv" / "export" / "bin" / "python"


def check_python(python: Path) -> None:
    """Raise RunError if there is no such environment."""
    if not python.is_file():
        raise RunError(f"{python}: no such file; the export environment is missing: run 'make environments', "
                       "or name its python with --export-python or CARABIN_EXPORT_PYTHON")  # fmt: skip


def run_export(python: Path, folder: Path) -> None:
    """Run `export.export_onnx` on a folder of publishable files. Raises RunError: it failed."""
    _run(python, folder, "export to ONNX", "export.export_onnx", "--checkpoint", str(folder), "--out", str(folder))


def run_merge(python: Path, folder: Path) -> None:
    """Run `export.merge_decoders` on a folder whose decoders are quantised. Raises RunError: it failed."""
    _run(python, folder, "merging the decoders", "export.merge_decoders", "--student", str(folder))


def _run(python: Path, folder: Path, what: str, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"}
    command = [str(python.absolute()), "-m", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=environment, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or [f"exit {result.returncode}"])[-1]
        raise RunError(f"{folder}: {what} failed in {python} ({last}); run it again by hand to see all of it")
