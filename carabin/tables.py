"""Tables of notes: CSV with `;`, `,` or tabs, and Parquet (the OMOP NOTE table among them)."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from carabin.documents import COMPRESSION_ERRORS, open_binary
from carabin.inputs import (
    ID_COLUMNS,
    TEXT_COLUMNS,
    BadDocument,
    InputError,
    Item,
    ReadOptions,
    bounded_lines,
    decode_text,
    make_document,
)

if TYPE_CHECKING:
    import pyarrow

DELIMITERS = ";,\t"
_PARQUET_ROWS = 64


def find_columns(path: Path, kind: str, options: ReadOptions) -> tuple[str | None, str]:
    """Return the names of the id column (None where there is none) and of the text column.

    Raises:
        InputError: the file is not a table, or has no such column; the message lists those it has.
    """
    columns = _parquet_columns(path) if kind == "parquet" else _csv_columns(path, options)
    folded = {name.lower(): name for name in reversed(columns)}
    text = options.text_column or next((folded[name] for name in TEXT_COLUMNS if name in folded), None)
    identifier = options.id_column or next((folded[name] for name in ID_COLUMNS if name in folded), None)
    listed = ", ".join(repr(name[:40]) for name in columns[:30])
    if text not in columns:
        raise InputError(f"{path}: no column '{text or 'text'}'; name one of {listed} with --text-column")
    if identifier is not None and identifier not in columns:
        raise InputError(f"{path}: no column '{identifier}'; name one of {listed} with --id-column")
    return identifier, text


def read_table(path: Path, kind: str, options: ReadOptions) -> Iterator[Item]:
    """Yield one item a row; a row without an id is called by its place, `file:row`."""
    identifier, text = find_columns(path, kind, options)
    read = _read_parquet if kind == "parquet" else _read_csv
    yield from read(path, identifier, text, options)


def _csv_columns(path: Path, options: ReadOptions) -> list[str]:
    try:
        with open_binary(path) as file:
            line = next(bounded_lines(file, 1_000_000), None)
    except COMPRESSION_ERRORS:
        raise InputError(f"{path}: compressed file is damaged; fetch it again") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if not line or not line.strip():
        raise InputError(f"{path}: no header line")
    try:
        header = line.removeprefix(codecs.BOM_UTF8).decode(options.encoding)
    except UnicodeDecodeError:
        raise InputError(f"{path}: header is not {options.encoding}; convert it, or say --encoding cp1252") from None
    return next(csv.reader([header], delimiter=_delimiter(header)))


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)


def _read_csv(path: Path, id_column: str | None, text_column: str, options: ReadOptions) -> Iterator[Item]:
    csv.field_size_limit(options.max_characters + 1)
    with open_binary(path) as file:
        lines = _decoded_lines(file, options)
        header = next(lines)
        delimiter = _delimiter(header)
        columns = next(csv.reader([header], delimiter=delimiter))
        rows = csv.reader(lines, delimiter=delimiter)
        number = 1
        while True:
            number += 1
            where = f"{path}:row {number}"
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadDocument(where, f"not CSV ({error}); an unbalanced quote?")
                continue
            if row:
                yield _csv_item(row, columns, id_column, text_column, where, options)


def _csv_item(
    row: list[str], columns: list[str], id_column: str | None, text_column: str, where: str, options: ReadOptions
) -> Item:
    if len(row) != len(columns):
        return BadDocument(where, f"{len(row)} fields where the header has {len(columns)}; unquoted delimiter?")
    values = dict(zip(columns, row, strict=True))
    identifier = where if id_column is None else values[id_column]
    if any("\udc80" <= character <= "\udcff" for character in identifier + values[text_column]):
        cause = f"not {options.encoding}; convert it, or say --encoding cp1252"
        return BadDocument(where, cause, identifier.encode("utf-8", "backslashreplace").decode()[:200])
    return make_document(identifier, values[text_column], where, options)


def _decoded_lines(file: BinaryIO, options: ReadOptions) -> Iterator[str]:
    """Yield lines for the csv module; bytes that do not decode become lone surrogates, found again in their row."""
    for number, line in enumerate(bounded_lines(file, options.max_bytes)):
        if line is None:
            # Longer than any field may be: the csv module reports it as such.
            yield "x" * (options.max_characters + 2)
            continue
        line = line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
        yield line.decode(options.encoding, errors="surrogateescape")


def _parquet_columns(path: Path) -> list[str]:
    return list(_open_parquet(path).schema_arrow.names)


def _open_parquet(path: Path) -> pyarrow.parquet.ParquetFile:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        cause = getattr(error, "strerror", None) or "not a Parquet file, or cut short"
        raise InputError(f"{path}: {cause}; write it again") from None


def _read_parquet(path: Path, id_column: str | None, text_column: str, options: ReadOptions) -> Iterator[Item]:
    import pyarrow

    number = 0
    try:
        table = _open_parquet(path)
        columns = [text_column] if id_column is None else [id_column, text_column]
        for batch in table.iter_batches(batch_size=_PARQUET_ROWS, columns=columns, use_threads=False):
            names = [None] * len(batch) if id_column is None else _values(batch.column(id_column))
            for name, value in zip(names, _values(batch.column(text_column)), strict=True):
                where = f"{path}:row {number}"
                number += 1
                yield _parquet_item(name, value, where, options)
    except (pyarrow.ArrowException, OSError) as error:
        yield BadDocument(f"{path}:row {number}", f"{type(error).__name__}: damaged Parquet; what follows is lost")


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


def _parquet_item(name: object, value: object, where: str, options: ReadOptions) -> Item:
    if isinstance(name, bytes):
        name = name.decode("utf-8", "backslashreplace")
    identifier = where if name is None else str(name)
    if isinstance(value, bytes):
        if len(value) > options.max_bytes:
            return BadDocument(where, f"over {options.max_bytes:,} bytes; split it", identifier)
        # Parquet text is UTF-8 whatever the encoding of the hospital's CSV files.
        return decode_text(value, where, identifier, ReadOptions(max_characters=options.max_characters))
    return make_document(identifier, value, where, options)
