"""Where reports go: into a file whole or not at all, and straight into what is no file, as /dev/stdout.

A part of a run has more to it: see `carabin.jobs.journal`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from carabin.errors import CarabinError

_STDOUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
_STREAMS = (*_STDOUT, "/dev/stdin", "/dev/stderr")
_OPEN_FILES = ("/dev/fd/", "/proc/")


class ReportPlaceError(CarabinError):
    """A report that cannot be written where it was asked for."""


def is_stdout(path: Path) -> bool:
    """Return whether a path is another name of standard output."""
    return os.path.abspath(path) in _STDOUT  # noqa: PTH100 - resolve() would follow it to what is behind it


def is_device(path: Path) -> bool:
    """Return whether a path is a device, a pipe, or stands for an open file.

    To rename a file to its place would leave a file where /dev/null was, or the one behind /dev/stdout without a name.
    """
    place = os.path.abspath(path)  # noqa: PTH100 - as above
    if place in _STREAMS or place.startswith(_OPEN_FILES):
        return True
    return path.exists() and not (path.is_file() or path.is_dir())


def check_report_places(inputs: Sequence[str], outputs: Sequence[Path | None]) -> None:
    """Raise ReportPlaceError before anything is run if a report cannot be written, or would replace an input."""
    taken = {Path(name).resolve() for name in inputs}
    for path in outputs:
        if path is None or is_device(path) or str(path) == "-":
            continue
        if path.resolve() in taken:
            raise ReportPlaceError(f"{path}: is read and written at once; write to another file")
        if path.is_dir():
            raise ReportPlaceError(f"{path}: is a folder; name a file in it")
        taken.add(path.resolve())
        path.parent.mkdir(parents=True, exist_ok=True)


def write_report(path: Path, text: str) -> None:
    """Write a report in UTF-8: a file there is replaced once the new one is whole, a device is written to as it is."""
    if is_device(path):
        # Not "w": what stands in a file behind /dev/stderr would be cut off.
        with path.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        return
    place = path.resolve()
    new = place.with_name(f"{place.name}.new")
    try:
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(place)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
