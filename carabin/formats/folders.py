"""Outputs that are a folder, with the files of each document called by its id.

A part is a zip archive without dates, so that the same documents make the same bytes; the archives are unpacked at the
end of the run, in order. Of two documents of one id the second is called `id~2`: nothing is lost or overwritten. Where
a name does not tell the id, a file `name.id` beside the others holds it.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from carabin.documents import Document
from carabin.formats.base import Provenance, Writer
from carabin.formats.file_names import ID_SUFFIX, safe_name, told_id


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
                name = safe_name(document.id)
                files = self.files(document, provenance)
                if told_id(name) != document.id:
                    files[ID_SUFFIX] = document.id.encode()
                for suffix, data in files.items():
                    archive.writestr(zipfile.ZipInfo(f"{number}/{name}/{suffix}"), data)

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
    for head, entries in groupby(archive.namelist(), key=lambda entry: entry.rpartition("/")[0]):
        name = head.partition("/")[2]
        files = {entry.rpartition("/")[2]: archive.read(entry) for entry in entries}
        place = _free_place(folder / name, main_suffix)
        if place != folder / name or not _is_spelled(place.parent, folder):
            files.setdefault(ID_SUFFIX, told_id(name).encode())
        for suffix, data in files.items():
            (place.parent / (place.name + suffix)).write_bytes(data)


def _is_spelled(place: Path, folder: Path) -> bool:
    """Tell whether a folder in a folder is called so: where capitals do not count, `a/1` is written into `A`."""
    if place == folder:
        return True
    return os.path.realpath(place) == os.path.join(os.path.realpath(folder), place.relative_to(folder))  # noqa: PTH118


def _free_place(wanted: Path, suffix: str) -> Path:
    wanted.parent.mkdir(parents=True, exist_ok=True)
    place, count = wanted, 1
    while (place.parent / (place.name + suffix)).exists():
        count += 1
        place = wanted.with_name(f"{wanted.name}~{count}")
    return place
