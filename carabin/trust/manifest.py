"""`manifest.json`: the size and sha256 of every file of a student, and whether the files are still those.

Names are taken from a file that a stranger may have written, so they are checked before any path is made of them: plain
ASCII, relative, the same on Linux and Windows, no two alike but for their case.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carabin.errors import ModelError

MANIFEST = "manifest.json"
SIGNATURE = "model.sig"
UNLISTED = frozenset({MANIFEST, SIGNATURE, ".gitattributes", "run.json"})
"""What lies beside the listed files: the manifest, the signature over them, the Hub's and the lab's own records."""

MOST_FILES = 1_000
LARGEST_MANIFEST = 1 << 20
_PART = re.compile(r"[A-Za-z0-9._+-]{1,100}")
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AGAIN = "fetch the student again"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """What the manifest says of one file."""

    sha256: str
    size: int


def read_manifest(folder: Path) -> dict[str, ListedFile]:
    """Return what manifest.json lists, by name. Raises ModelError: missing, malformed, or a name is no safe path."""
    path = folder / MANIFEST
    files = read_strict_json(path, LARGEST_MANIFEST).get("files")
    if not isinstance(files, dict) or not 0 < len(files) <= MOST_FILES:
        raise ModelError(f'{path}: its "files" lists nothing, or not by name, or more than {MOST_FILES:,}; {_AGAIN}')
    for name, cause in _unsafe_names(files):
        raise ModelError(f"{path}: lists {name[:100]!r}, {cause}; do not use this student")
    return {name: _listed_file(path, name, entry) for name, entry in files.items()}


def _listed_file(path: Path, name: str, entry: object) -> ListedFile:
    sha256, size = (entry.get("sha256"), entry.get("size")) if isinstance(entry, dict) else (None, None)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ModelError(f"{path}: gives no sha256 of {name} (64 hexadecimal digits); {_AGAIN}")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ModelError(f"{path}: gives no size of {name}; {_AGAIN}")
    return ListedFile(sha256, size)


def _unsafe_names(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that must not become a path, with the reason."""
    seen: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        if ".." in parts or name.startswith("/") or "\\" in name or ":" in name:
            yield name, "a path that leads out of the folder"
        elif not all(_PART.fullmatch(part) and not part.endswith(".") for part in parts):
            yield name, "which is not a plain file name"
        elif any(_WINDOWS_DEVICES.fullmatch(part) for part in parts):
            yield name, "which is a device on Windows"
        elif name in UNLISTED:
            yield name, "which cannot be listed in it"
        elif name.casefold() in seen:
            yield name, f"which is {seen[name.casefold()]} on Windows"
        seen[name.casefold()] = name


def read_strict_json(path: Path, largest: int) -> dict[str, Any]:
    """Return a JSON object that every reader understands alike.

    Raises:
        ModelError: missing, larger than `largest` bytes, not JSON, not an object, or with the same key twice, of which
            one reader takes the first and another the last.
    """
    try:
        if path.stat().st_size > largest:
            raise ModelError(f"{path}: larger than {largest:,} bytes; {_AGAIN}")
        record = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_distinct)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; is '{path.parent}' a student's folder?") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; make it readable") from None
    except ModelError:
        raise
    except (ValueError, RecursionError) as error:
        cause = error.msg if isinstance(error, json.JSONDecodeError) else str(error) or type(error).__name__
        raise ModelError(f"{path}: not JSON ({cause}); {_AGAIN}") from None
    if not isinstance(record, dict):
        raise ModelError(f"{path}: not a JSON object; {_AGAIN}")
    return record


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("the same key twice in one object")
    return record


def list_folder(folder: Path) -> list[str]:
    """Return the regular files of a folder, as sorted POSIX paths. Raises ModelError: a link, or a special file."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; name a student's folder")
    names: list[str] = []
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            path = Path(entry.path)
            if _is_link(entry):
                raise ModelError(
                    f"{path}: a link, which can lead out of the folder; copy the files themselves (cp -rL, or robocopy)"
                )
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif entry.is_file(follow_symlinks=False):
                names.append(path.relative_to(folder).as_posix())
            else:
                raise ModelError(f"{path}: neither a file nor a folder; delete it")
            if len(names) + len(waiting) > 2 * MOST_FILES:
                raise ModelError(f"{folder}: more than {2 * MOST_FILES:,} files; is it a student's folder?")
    return sorted(names)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise ModelError(f"{folder}: {error.strerror}; make it readable") from None


def _is_link(entry: os.DirEntry[str]) -> bool:
    # A Windows junction is no symbolic link, but leads elsewhere all the same.
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    return entry.is_symlink() or bool(attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT)


def check_listing(folder: Path, listed: Iterable[str], present: Iterable[str]) -> None:
    """Compare names both ways. Raises ModelError: a file is missing, or one is there that is not listed."""
    listed, present = set(listed), set(present)
    for name in sorted(listed - present):
        raise ModelError(f"{folder / name}: listed in {MANIFEST}, but not there; {_AGAIN}")
    for name in sorted(present - listed - UNLISTED):
        raise ModelError(f"{folder / name}: not listed in {MANIFEST}; delete it if you put it there, else {_AGAIN}")


def check_file(folder: Path, name: str, listed: ListedFile) -> None:
    """Compare a file with what the manifest says of it. Raises ModelError: another size or sha256."""
    path = folder / name
    try:
        if path.stat().st_size != listed.size:
            raise ModelError(f"{path}: not the size that {MANIFEST} gives; {_AGAIN}")
        if hash_file(path) != listed.sha256:
            raise ModelError(f"{path}: not the sha256 that {MANIFEST} gives; it was changed or damaged, {_AGAIN}")
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; {_AGAIN}") from None


def hash_file(path: Path) -> str:
    """Return a file's SHA-256, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
