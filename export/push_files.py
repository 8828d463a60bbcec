"""The files of a folder that may be published: which they are, whether the manifest says the same, and no pickles."""

import hashlib
import json
from pathlib import Path
from typing import Any

from carabin.errors import CarabinError
from carabin.trust.manifest import MANIFEST, SIGNATURE
from zoo.runs import RECORD, hash_file

PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".npy", ".npz")


class PublishError(CarabinError):
    """The folder must not be published; the message names the thing, the cause and the way out, on one line."""


def list_files(folder: Path) -> list[str]:
    """Return the files to publish, as sorted POSIX paths: all but the record that a run keeps for itself.

    Raises:
        PublishError: The folder holds a symbolic link, which could publish a file of another place.
    """
    names = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise PublishError(f"{path}: a symbolic link; put the file itself there")
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != RECORD:
            names.append(name)
    return names


def read_object(folder: Path, name: str, way_out: str) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        PublishError: The file cannot be read or holds something else.
    """
    try:
        value = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PublishError(f"{folder / name}: unreadable ({error}); {way_out}") from error
    if not isinstance(value, dict):
        raise PublishError(f"{folder / name}: not a JSON object; {way_out}")
    return value


def refuse_pickles(folder: Path, names: list[str]) -> None:
    """Refuse files that run code when they are loaded, whatever their name."""
    for name in names:
        with (folder / name).open("rb") as file:
            start = file.read(9)
        if name.endswith(PICKLE_SUFFIXES) or looks_like_pickle(name, start):
            raise PublishError(f"{folder / name}: a pickle or an archive, which can run code; publish safetensors only")


def looks_like_pickle(name: str, start: bytes) -> bool:
    """Tell from the first 9 bytes whether a file is a pickle (protocols 2 to 5) or a zip, which torch.save writes."""
    if name.endswith(".safetensors"):
        # It starts with the length of its JSON header, which may happen to spell a pickle's or a zip's first bytes.
        return start[8:9] != b"{"
    return start[:2] == b"PK" or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))


def check_manifest(folder: Path, names: list[str]) -> None:
    """Compare the files on disk with those the manifest lists, both ways."""
    way_out = "run the export again"
    listed = read_object(folder, MANIFEST, way_out).get("files")
    if not isinstance(listed, dict):
        raise PublishError(f'{folder / MANIFEST}: has no "files"; {way_out}')
    for name in names:
        if name not in listed and name not in (MANIFEST, SIGNATURE):
            raise PublishError(f"{folder / name}: not in {MANIFEST}; delete it, or {way_out}")
    for name, expected in listed.items():
        if name not in names:
            raise PublishError(f"{folder / name}: in {MANIFEST} but not on disk; {way_out}")
        path = folder / name
        if not isinstance(expected, dict) or expected.get("size") != path.stat().st_size:
            raise PublishError(f"{path}: not the size that {MANIFEST} gives; {way_out}")
        if expected.get("sha256") != hash_file(path):
            raise PublishError(f"{path}: not the sha256 that {MANIFEST} gives; {way_out}")


def hash_git_blob(path: Path) -> str:
    """Return the SHA-1 under which git, and so the Hub, stores a small file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
