"""Parquet: one note a row in (the OMOP NOTE table among them), one entity a row out.

`parquet-documents` writes one document a row, its entities a list: what `datasets` loads and what reads back as gold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carabin.documents import Document
from carabin.formats.base import (
    BadDocument,
    Format,
    InputError,
    Item,
    Provenance,
    ReadOptions,
    Source,
    Writer,
    printable,
)
from carabin.formats.columns import COLUMNS, entity_rows, find_columns, find_other_columns, warn_without_id
from carabin.formats.loading import make_document

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

_READ_ROWS = 64
_GOLD = "entities"


class ParquetReader:
    """Reads `.parquet`; a row without an id is called by its place, `file:row`."""

    def check(self, source: Source, options: ReadOptions, entities: bool) -> None:
        """Raise InputError if it is not Parquet, or has not the columns asked for."""
        names = _open(source.path).schema_arrow.names
        identifier, _ = find_columns(source.path, names, options)
        find_other_columns(source.path, names, options)
        if entities and _GOLD not in names:
            raise InputError(
                f"{source.path}: no column '{_GOLD}' (a list of start, end, label): no gold to compare with"
            )
        warn_without_id(source, identifier, names)

    def read(self, source: Source, options: ReadOptions, entities: bool) -> Iterator[Item]:
        """Yield one item a row."""
        import pyarrow

        path, number = source.path, 0
        try:
            table = _open(path)
            found = find_columns(path, table.schema_arrow.names, options)
            others = find_other_columns(path, table.schema_arrow.names, options)
            warn_without_id(source, found[0], table.schema_arrow.names)
            wanted = (*found, *others.values(), _GOLD if entities else None)
            columns = list(dict.fromkeys(name for name in wanted if name is not None))
            for batch in table.iter_batches(batch_size=_READ_ROWS, columns=columns, use_threads=False):
                values = [_values(batch.column(name)) if name else [None] * len(batch) for name in found]
                gold = batch.column(_GOLD).to_pylist() if entities else [()] * len(batch)
                carried = zip(*(batch.column(name).to_pylist() for name in others.values()), strict=True)
                rest = carried if others else [()] * len(batch)
                for name, text, records, more in zip(*values, gold, rest, strict=True):
                    where = f"{path}:row {number}"
                    number += 1
                    attributes = dict(zip(others, map(_plain, more), strict=True))
                    yield _item(name, text, records or (), where, options, attributes)
        except (pyarrow.ArrowException, OSError) as error:
            yield BadDocument(f"{path}:row {number}", f"{type(error).__name__}: damaged Parquet; what follows is lost")


class ParquetWriter(Writer):
    """Writes rows made of documents; what rows, the formats say."""

    suffix = ".parquet"

    def schema(self) -> pyarrow.Schema:
        """Return the columns and their types."""
        raise NotImplementedError

    def rows(self, documents: Sequence[Document], provenance: Provenance) -> Iterator[dict[str, Any]]:
        """Yield the rows of a run of documents."""
        raise NotImplementedError

    def numbered(self, table: pyarrow.Table, first: int) -> pyarrow.Table:
        """Return the rows with what depends on their place in the whole, the number of rows before them."""
        return table

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write one row group."""
        import pyarrow as pa
        import pyarrow.parquet

        table = pa.Table.from_pylist(list(self.rows(documents, provenance)), schema=self.schema())
        pyarrow.parquet.write_table(table, path)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Copy the parts into one file, a row group a part."""
        import pyarrow.parquet

        with pyarrow.parquet.ParquetWriter(path, self.schema()) as writer:
            first = 0
            for part in parts:
                table = self.numbered(pyarrow.parquet.read_table(part, schema=self.schema()), first)
                first += len(table)
                if len(table):
                    writer.write_table(table)


class EntityParquetWriter(ParquetWriter):
    """Writes one entity a row."""

    def schema(self) -> pyarrow.Schema:
        """Return the columns and their types."""
        import pyarrow as pa

        types = (pa.string(), pa.int64(), pa.int64(), pa.string(), pa.string(), pa.float64(), pa.string())
        return pa.schema(list(zip(COLUMNS, types, strict=True)))

    def rows(self, documents: Sequence[Document], provenance: Provenance) -> Iterator[dict[str, Any]]:
        """Yield the rows of a run of documents."""
        return entity_rows(documents, provenance)


class DocumentParquetWriter(ParquetWriter):
    """Writes one document a row."""

    def schema(self) -> pyarrow.Schema:
        """Return the columns and their types."""
        import pyarrow as pa

        text, whole = pa.string(), pa.int64()
        entity = [("start", whole), ("end", whole), ("label", text), ("text", text), ("score", pa.float64())]
        entities = pa.list_(pa.struct([*entity, ("model", text)]))
        return pa.schema([("id", text), ("text", text), (_GOLD, entities), ("model", text)])

    def rows(self, documents: Sequence[Document], provenance: Provenance) -> Iterator[dict[str, Any]]:
        """Yield the rows of a run of documents."""
        for document in documents:
            records = [{**entity.to_dict(document.text), "model": provenance.model} for entity in document.entities]
            yield {"id": document.id, "text": document.text, _GOLD: records, "model": provenance.model}


def _open(path: Path) -> pyarrow.parquet.ParquetFile:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        cause = getattr(error, "strerror", None) or "not a Parquet file, or cut short"
        raise InputError(f"{path}: {cause}; write it again") from None


def _values(column: pyarrow.Array) -> Iterator[object]:
    """Yield the column's values, strings as bytes: Parquet promises UTF-8 but no writer is held to it."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pyarrow.types.is_string(column.type) or pyarrow.types.is_string_view(column.type):
        column = column.cast(pyarrow.binary())
    elif pyarrow.types.is_large_string(column.type):
        column = column.cast(pyarrow.large_binary())
    for value in column:
        yield value.as_py()


def _plain(value: object) -> object:
    """Return a value as JSON can hold it."""
    value = _whole(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _whole(value: object) -> object:
    # pandas makes floats of whole numbers as soon as one is missing, databases make decimals.
    return int(value) if isinstance(value, float | Decimal) and value == value // 1 else value


def _item(
    name: object, value: object, records: object, where: str, options: ReadOptions, attributes: Mapping[str, object]
) -> Item:
    if isinstance(name, bytes):
        name = name.decode("utf-8", "backslashreplace")
    identifier = where if name is None else str(_whole(name))
    if isinstance(value, bytes):
        if len(value) > options.max_bytes:
            return BadDocument(where, f"over {options.max_bytes:,} bytes; split it", printable(identifier)[:200])
        # Parquet text is UTF-8 whatever the encoding of the hospital's CSV files.
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            return BadDocument(where, f"not utf-8 (byte {error.start})", printable(identifier)[:200])
    return make_document(identifier, value, where, options, attributes, records)


FORMAT = Format("parquet", (".parquet",), ParquetReader(), EntityParquetWriter, gold=True)
DOCUMENTS = Format("parquet-documents", (), writer=DocumentParquetWriter)
