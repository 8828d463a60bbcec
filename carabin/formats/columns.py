"""What tables share: which column is the text, which the id, and the rows of a table of entities."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from carabin.documents import Document
from carabin.formats.base import (
    ENTITY_COLUMNS,
    ID_COLUMNS,
    TEXT_COLUMNS,
    InputError,
    InputWarning,
    Provenance,
    ReadOptions,
    Source,
)

COLUMNS = ("document_id", "start", "end", "label", "text", "score", "model")


def find_columns(path: Path, columns: Sequence[str], options: ReadOptions) -> tuple[str | None, str]:
    """Return the names of the id column (None where there is none) and of the text column.

    Raises:
        InputError: there is no such column; the message lists those there are. Or the rows are entities, not notes.
    """
    folded = {name.lower(): name for name in reversed(columns)}

    def found(named: str | None, usual: Sequence[str]) -> str | None:
        if named is not None:
            return named if named in columns else folded.get(named.lower(), named)
        return next((folded[name] for name in usual if name in folded), None)

    text, identifier = found(options.text_column, TEXT_COLUMNS), found(options.id_column, ID_COLUMNS)
    listed = ", ".join(repr(name[:40]) for name in columns[:30])
    if any(marks <= set(folded) for marks in ENTITY_COLUMNS) and options.text_column is None:
        raise InputError(f"{path}: is a table of entities, whose texts are pieces of notes; give the notes themselves")
    if text is None or text not in columns:
        raise InputError(f"{path}: no column '{text or 'text'}'; name one of {listed} with --text-column")
    if identifier is not None and identifier not in columns:
        raise InputError(f"{path}: no column '{identifier}'; name one of {listed} with --id-column")
    return identifier, text


def warn_without_id(source: Source, identifier: str | None, columns: Sequence[str]) -> None:
    """Warn, once for a folder of such tables, that rows are called by their place: nobody can join the result again."""
    if identifier is None:
        listed = ", ".join(repr(name[:40]) for name in columns[:30])
        cause = "no column of ids, so that notes are called by their file and row"
        warnings.warn(InputWarning(f"{source.named}: {cause}; name one of {listed} with --id-column"), stacklevel=1)


def find_other_columns(path: Path, columns: Sequence[str], options: ReadOptions) -> dict[str, str]:
    """Return the name asked for -> the column of each of `other_columns`. Raises InputError: there is none."""
    folded = {name.lower(): name for name in reversed(columns)}
    found = {name: name if name in columns else folded.get(name.lower(), "") for name in options.other_columns}
    for name in found:
        if not found[name]:
            listed = ", ".join(repr(column[:40]) for column in columns[:30])
            raise InputError(f"{path}: no column '{name}' to carry along; there are {listed}")
    return found


def entity_rows(documents: Sequence[Document], provenance: Provenance) -> Iterator[dict[str, Any]]:
    """Yield one row an entity."""
    for document in documents:
        for entity in document.entities:
            record = entity.to_dict(document.text)
            values = (document.id, *(record.get(name) for name in COLUMNS[1:-1]), provenance.model)
            yield dict(zip(COLUMNS, values, strict=True))
