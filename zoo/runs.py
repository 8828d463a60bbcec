"""What a run writes: steps that are done once, resumed after a kill, and never half-written taken for whole.

A step works in `<folder>.partial`, and the folder gets its name by rename, its `run.json` last: a folder that exists is
complete. `run.json` says for which inputs, by which command, seed, commit and software, so that another input never
reuses it. Two runs that share a step make it once: `.<folder>.lock` is held by who makes it, and freed by its death.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import typer
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from carabin.errors import CarabinError

RECORD = "run.json"
_SOFTWARE = ("torch", "transformers", "tokenizers", "datasets", "accelerate", "onnxruntime", "optimum-onnx", "numpy")


class RunError(CarabinError):
    """A step that cannot go on; the message names it, the cause and the way out."""


def fingerprint(value: object) -> str:
    """Return the sha256 (hex) of a value's canonical JSON: equal inputs, equal fingerprint, in any process."""
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_jsonable)


def _jsonable(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no place in a run's inputs")


def hash_file(path: Path) -> str:
    """Return the sha256 (hex) of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """Return {relative path: sha256} for every file of a folder but its own record."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD)
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in files}


def write_json(path: Path, value: object) -> None:
    """Write JSON by rename: a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=2, ensure_ascii=False, default=_jsonable)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON file's value. Raises RunError: missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path}: no such file; run the step that writes it first") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{path}: damaged ({error}); delete it and run the step again") from None


def is_done(folder: Path, inputs: object) -> bool:
    """Has this step been completed for exactly these inputs?"""
    record = folder / RECORD
    return record.is_file() and read_json(record).get("inputs_sha256") == fingerprint(inputs)


class Alone:
    """The group of processes that do a step together, when there is but one; `training.processes` knows the others."""

    leader = True
    number, count = 0, 1
    """Which of how many processes this one is."""

    def wait(self) -> None:
        """Return when every process of the group has come here."""


def run_step(
    folder: Path,
    inputs: object,
    work: Callable[[Path], dict[str, Any] | None],
    seed: int | None = None,
    group: Alone | None = None,
) -> bool:
    """Do a step unless it is done for these inputs.

    Args:
        folder: Where its result belongs.
        inputs: Everything the result depends on; anything `fingerprint` takes.
        work: Called with the working folder, which holds what an earlier, killed call for the *same* inputs left there,
            and is empty otherwise. May return figures for the record.
        seed: For the record.
        group: The processes that all call this and all do the work; only their leader names the folder.

    Returns:
        True if the work was done now, False if it was found done.

    Raises:
        RunError: the disk is full (or another OSError names the file at fault).
    """
    group = group or Alone()
    group.wait()
    if is_done(folder, inputs):
        return False
    partial = folder.with_name(folder.name + ".partial")
    try:
        with _sole_maker(folder) if group.leader else nullcontext():
            group.wait()
            if is_done(folder, inputs):  # by whom we waited for
                return False
            _make(folder, partial, inputs, work, seed, group)
    except (OSError, SafetensorError) as error:
        # safetensors wraps the system's "no space left" in an error of its own.
        name, cause = getattr(error, "filename", None), getattr(error, "strerror", None)
        raise RunError(
            f"{name or folder}: {cause or error}; what is there so far is kept in {partial}, "
            "run the same command again to go on"
        ) from error
    return True


def _make(
    folder: Path,
    partial: Path,
    inputs: object,
    work: Callable[[Path], dict[str, Any] | None],
    seed: int | None,
    group: Alone,
) -> None:
    """Do a step in its working folder, and give that the step's name."""
    claim = {"inputs_sha256": fingerprint(inputs)}
    if group.leader:
        _claim(partial, claim)
    group.wait()
    started = datetime.now(UTC)
    figures = work(partial) or {}
    group.wait()
    if group.leader:
        (partial / "claim.json").unlink()
        figures = {**figures, "seconds": round((datetime.now(UTC) - started).total_seconds(), 2)}
        record = {**claim, **provenance(seed), "inputs": json.loads(_canonical(inputs)), **figures}
        write_json(partial / RECORD, {**record, "files": hash_files(partial)})
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    group.wait()


@contextmanager
def _sole_maker(folder: Path) -> Iterator[None]:
    """Hold a step's lock: two runs that share a teacher, an encoder or a folder must not write into one another."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = folder.with_name(f".{folder.name}.lock")
    lock = FileLock(place)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        typer.echo(f"another run is making {folder}: waiting for it", err=True)
        lock.acquire()
    try:
        yield
        place.unlink(missing_ok=True)  # who waits on what is gone looks again, and finds the step done
    finally:
        lock.release()


def _claim(partial: Path, claim: dict[str, str]) -> None:
    """Make the working folder ours: go on with what the same inputs left there, clear away anything else."""
    if (partial / "claim.json").is_file() and read_json(partial / "claim.json") == claim:
        return
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_json(partial / "claim.json", claim)


def provenance(seed: int | None = None) -> dict[str, Any]:
    """Return who made a result: command, seed, commit, date and software."""
    return {
        "command": " ".join([Path(sys.executable).name, *_command()]),
        "seed": seed,
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": {"python": platform.python_version(), **_versions()},
    }


def _command() -> list[str]:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return ["-m", spec.name, *sys.argv[1:]] if spec else sys.argv


def _versions() -> dict[str, str]:
    found = {}
    for package in _SOFTWARE:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"],
        capture_output=True, text=True, cwd=Path(__file__).parent, check=False,
    )  # fmt: skip
    return result.stdout.strip() or "unknown"
