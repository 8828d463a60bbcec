"""What tables share: which column is the text, which the id, and the rows of a table of entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from carabin.documents import Document
from carabin.formats.base import ENTITY_COLUMNS, ID_COLUMNS, TEXT_COLUMNS, InputError, Provenance, ReadOptions

COLUMNS = ("document_id", "start", "end", "label", "text", "score", "model")


def find_columns(path: Path, columns: Sequence[str], options: ReadOptions) -> tuple[str | None, str]:
    """Return the names of the id column (None where there is none) and of the text column.

    Raises:
        InputError: there is no such column; the message lists those there are. Or the rows are entities, not notes.
    """
    folded = {name.lower(): name for name in reversed(columns)}
    text = options.text_column or next((folded[name] for name in TEXT_COLUMNS if name in folded), None)
    identifier = options.id_column or next((folded[name] for name in ID_COLUMNS if name in folded), None)
    listed = ", ".join(repr(name[:40]) for name in columns[:30])
    if ENTITY_COLUMNS <= set(columns) and options.text_column is None:
        raise InputError(f"{path}: is a table of entities, whose texts are pieces of notes; give the notes themselves")
    if text is None or text not in columns:
        raise InputError(f"{path}: no column '{text or 'text'}'; name one of {listed} with --text-column")
    if identifier is not None and identifier not in columns:
        raise InputError(f"{path}: no column '{identifier}'; name one of {listed} with --id-column")
    return identifier, text


def entity_rows(documents: Sequence[Document], provenance: Provenance) -> Iterator[dict[str, Any]]:
    """Yield one row an entity."""
    for document in documents:
        for entity in document.entities:
            record = entity.to_dict(document.text)
            values = (document.id, *(record.get(name) for name in COLUMNS[1:-1]), provenance.model)
            yield dict(zip(COLUMNS, values, strict=True))
