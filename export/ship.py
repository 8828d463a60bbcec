"""Ship a finished student inside the wheel of carabin, where it works at once and with no network.

    make ship-bert-mini PROFILE=quaero [KEY=publisher.pem]
    python -m export.ship --run runs/bert-mini/quaero/seed-1 [--key publisher.pem]

1. Copy the run's repository but for the float32 weights and the merged decoder, which carabin does not read: what a
   hospital runs, and all that says what it is.
2. Write the manifest of these files anew and, with a key, sign it.
3. Verify the folder as a hospital would; refuse one that weighs too much.
4. Take the place of the student shipped before, `carabin/students/<student>/`.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from carabin.student_folder import SHIPPED
from carabin.verify import Verification, verify
from export.lineage import write_manifest
from export.onnx_files import MERGED, fp32_file, int8_file, onnx_names
from export.publishable import start_afresh
from export.sign import key_password, sign_files
from zoo.errors import one_line_errors
from zoo.runs import RECORD, RunError, read_json

LARGEST = 8_000_000
"""Bytes of one shipped student: the wheel carries several."""
LEFT_OUT = frozenset({"model.safetensors", "manifest.json", "model.sig", RECORD})


def ship(run: Path, shipped: Path = SHIPPED, key: Path | None = None, largest: int = LARGEST) -> Verification:
    """Put a run's student into the package.

    Args:
        run: Folder of a finished run.
        shipped: Where the package keeps its students.
        key: Private key to sign with; None ships it unsigned.
        largest: Bytes that it may weigh.

    Raises:
        RunError: the run has no repository or no INT8 file, or weighs too much.
        ModelError: what was copied is not what a hospital may load.
    """
    repository = run / "repository"
    if not (repository / RECORD).is_file():
        raise RunError(f"{repository}: no such repository; finish the run first (make train-…)")
    names = onnx_names(read_json(repository / "config.json"))
    for int8 in (int8_file(repository, name) for name in names):
        if not int8.is_file():
            raise RunError(f"{int8}: the quality gate published no INT8 file; this student is not shipped")
    left_out = {int8_file(repository, MERGED), *(fp32_file(repository, name) for name in names)}
    name = read_json(run / "plan.json")["student"]["id"]
    fresh = shipped / f".{name}.partial"
    fresh.mkdir(parents=True, exist_ok=True)
    start_afresh(fresh)
    for source in sorted(path for path in repository.rglob("*") if path.is_file()):
        relative = source.relative_to(repository).as_posix()
        if relative not in LEFT_OUT and source not in left_out:
            (fresh / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, fresh / relative)
    write_manifest(fresh)
    if key is not None:
        sign_files(fresh, key, key_password(key))
    found = verify(fresh)
    if found.size > largest:
        shutil.rmtree(fresh)
        raise RunError(f"{name}: {found.size / 1e6:.1f} MB, over the {largest / 1e6:.0f} MB of a shipped student")
    target = shipped / name
    if target.exists():
        shutil.rmtree(target)
    fresh.rename(target)
    return replace(found, folder=target)


def main(
    run: Annotated[Path, typer.Option(help="Folder of a finished run.")],
    key: Annotated[Path | None, typer.Option(help="Private key to sign with (python -m export.sign new-key).")] = None,
) -> None:
    """Ship a run's student inside the package."""
    with one_line_errors("ship"):
        found = ship(run, key=key)
    signed = "signed" if key else "not signed: give KEY=publisher.pem"
    typer.echo(f"ship    {found.folder}: {found.files} files, {found.size / 1e6:.1f} MB, {signed}")


if __name__ == "__main__":
    typer.run(main)
