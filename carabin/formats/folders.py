"""Outputs that are a folder, with the files of each document called by its id.

A part is a zip archive without dates, so that the same documents make the same bytes; the archives are unpacked at the
end of the run, in order. Of two documents of one id the second is called `id~2`: nothing is lost or overwritten.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from carabin.documents import Document
from carabin.formats.base import Provenance, Writer

# What Windows refuses in a name, and `%` that spells it; a name that is nothing but dots is a way up.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"\\|?*%]|^\.+$|^[. ]|[. ]$')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)
_LONGEST = 150
"""Bytes of a name: file systems stop at 255, and a suffix and `~2` come after it."""
_LONGEST_PATH = 400
"""Code points of an id with folders in it: systems stop at 4,096 bytes with the folder's own path."""


class FilePerDocumentWriter(Writer):
    """Writes each document into files of its own."""

    suffix = ".zip"
    main_suffix: ClassVar[str]
    """Of the file that is written where the output is one file."""

    @property
    def makes_folder(self) -> bool:
        """Whether the output is a folder."""
        return not self.options.single_file

    def files(self, document: Document, provenance: Provenance) -> dict[str, bytes]:
        """Return the files of a document by their suffixes."""
        raise NotImplementedError

    def folder_files(self) -> dict[str, bytes]:
        """Return the files that stand once in the folder, by their names."""
        return {}

    def blank_file(self) -> bytes:
        """Return the one file of a run whose one document was set aside."""
        return b""

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write the files of a run of documents; `0/report/.ann` is that of the first, of id `report`."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for number, document in enumerate(documents):
                for suffix, data in self.files(document, provenance).items():
                    archive.writestr(zipfile.ZipInfo(f"{number}/{safe_name(document.id)}/{suffix}"), data)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Unpack the parts into a new folder, or write the file of the one document."""
        if not self.makes_folder:
            path.write_bytes(self._only_file(parts))
            return
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        for name, data in self.folder_files().items():
            (path / name).write_bytes(data)
        for part in parts:
            with zipfile.ZipFile(part) as archive:
                _unpack(archive, path, self.main_suffix)

    def _only_file(self, parts: Sequence[Path]) -> bytes:
        for part in parts:
            with zipfile.ZipFile(part) as archive:
                for name in archive.namelist():
                    if name.endswith(f"/{self.main_suffix}"):
                        return archive.read(name)
        return self.blank_file()


def _unpack(archive: zipfile.ZipFile, folder: Path, main_suffix: str) -> None:
    place, number = Path(), ""
    for entry in archive.namelist():
        head, _, suffix = entry.rpartition("/")
        if head.partition("/")[0] != number:
            number, _, name = head.partition("/")
            place = _free_place(folder / name, main_suffix)
        (place.parent / (place.name + suffix)).write_bytes(archive.read(entry))


def _free_place(wanted: Path, suffix: str) -> Path:
    wanted.parent.mkdir(parents=True, exist_ok=True)
    place, count = wanted, 1
    while (place.parent / (place.name + suffix)).exists():
        count += 1
        place = wanted.with_name(f"{wanted.name}~{count}")
    return place


def safe_name(identifier: str) -> str:
    """Return a relative path that any file system takes, the same for the same id; `/` in an id makes folders."""
    steps = [step for step in identifier.split("/") if step]
    if len(identifier) > _LONGEST_PATH:
        steps = [identifier.replace("/", "%")]
    return "/".join(_safe_step(step, number == len(steps)) for number, step in enumerate(steps, 1)) or "%"


def _safe_step(step: str, last: bool) -> str:
    name = _UNSAFE.sub(lambda match: "".join(f"%{ord(character):02X}" for character in match.group()), step)
    name = _DEVICES.sub(lambda match: f"{match.group()}%", name, count=1) if _DEVICES.match(name) else name
    if not last:
        # A folder `a.txt` would stand where the text of document `a` goes.
        name = re.sub(r"\.(?=[^.]*$)", "%2E", name)
    if len(name.encode()) > _LONGEST:
        import hashlib

        short = name.encode()[: _LONGEST - 20].decode(errors="ignore")
        name = f"{short}%{hashlib.sha256(step.encode()).hexdigest()[:16]}"
    return name
