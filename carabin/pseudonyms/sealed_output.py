"""An output with its mapping beside it: each part's records are sealed with the part, and joined with the parts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from carabin.documents import Document
from carabin.formats.base import Provenance, Writer
from carabin.pseudonyms.mapping import MappingWriter
from carabin.pseudonyms.pseudonymiser import PseudonymisedDocument


class SealedWriter(Writer):
    """Writes as another writer does, and the mapping of what it writes."""

    def __init__(self, form: Writer, mapping: MappingWriter, path: Path) -> None:
        super().__init__(form.options)
        self.form = form
        self.mapping = mapping
        self.path = path

    @property
    def suffix(self) -> str:  # type: ignore[override]
        """Of the parts."""
        return self.form.suffix

    @property
    def makes_folder(self) -> bool:
        """Whether the output is a folder."""
        return self.form.makes_folder

    def refuses(self, document: Document) -> str | None:
        """Return why the document cannot be written in this format, None if it can."""
        return self.form.refuses(document)

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write a run of documents; their mapping is on the disk before the journal knows of them."""
        records = [document.mapping() for document in documents if isinstance(document, PseudonymisedDocument)]
        sealed = _beside(path.with_name(path.name.removesuffix(".new")))
        new = sealed.with_name(sealed.name + ".new")
        with new.open("wb") as file:
            file.write(self.mapping.seal(records))
            file.flush()
            os.fsync(file.fileno())
        new.replace(sealed)
        self.form.write_part(documents, path, provenance)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Join the parts, and their mapping into its own file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(self.path.name + ".new")
        self.mapping.join([_beside(part) for part in parts], new)
        new.replace(self.path)
        self.form.join(parts, path)


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ".mapping")
