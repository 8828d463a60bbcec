"""CSV with `;`, `,` or tabs: one note a row in, one entity a row out (RFC 4180 with `,`)."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from carabin.documents import COMPRESSION_ERRORS, Document, open_binary
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
from carabin.formats.json_lines import concatenate
from carabin.formats.loading import bounded_lines, make_document

DELIMITERS = ";,\t"
_SALVAGED = 1000
"""Characters of a row kept to find its id, should the row be too long."""


class DelimitedReader:
    """Reads `.csv` and `.tsv`; a row without an id is called by its place, `file:row`."""

    def check(self, source: Source, options: ReadOptions, entities: bool) -> None:
        """Raise InputError if there is no header with the columns asked for."""
        header = _header(source.path, options)
        identifier, _ = find_columns(source.path, header, options)
        find_other_columns(source.path, header, options)
        warn_without_id(source, identifier, header)

    def read(self, source: Source, options: ReadOptions, entities: bool) -> Iterator[Item]:
        """Yield one item a row."""
        path = source.path
        id_column, text_column = find_columns(path, _header(path, options), options)
        others = find_other_columns(path, _header(path, options), options)
        warn_without_id(source, id_column, _header(path, options))
        csv.field_size_limit(options.max_characters + 1)
        with open_binary(path) as file:
            lines = _Remembered(_decoded_lines(file, options))
            header = next(lines)
            delimiter = find_delimiter(header)
            columns = next(csv.reader([header], delimiter=delimiter))
            rows = csv.reader(lines, delimiter=delimiter)
            number = 1
            while True:
                number += 1
                where = f"{path}:row {number}"
                lines.first = ""
                try:
                    row = next(rows)
                except StopIteration:
                    return
                except csv.Error as error:
                    identifier = _salvaged_id(lines.first, delimiter, columns, id_column)
                    yield BadDocument(where, _cause(error, options), identifier)
                    continue
                if row:
                    yield _item(row, columns, id_column, text_column, others, where, options)


class EntityCsvWriter(Writer):
    """Writes one entity a row."""

    suffix = ".csv"

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write the rows, without the header."""
        with path.open("w", encoding="utf-8", newline="") as file:
            _csv_writer(file).writerows(row.values() for row in entity_rows(documents, provenance))

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the header, then the parts."""
        with path.open("w", encoding="utf-8", newline="") as file:
            _csv_writer(file).writerow(COLUMNS)
        concatenate(parts, path, mode="ab")


def _header(path: Path, options: ReadOptions) -> list[str]:
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
    return next(csv.reader([header], delimiter=find_delimiter(header)))


def find_delimiter(header: str) -> str:
    """Return what stands between the columns of a header line."""
    return max(DELIMITERS, key=header.count)


def _item(
    row: list[str],
    columns: list[str],
    id_column: str | None,
    text_column: str,
    others: Mapping[str, str],
    where: str,
    options: ReadOptions,
) -> Item:
    if len(row) != len(columns):
        cause = f"{len(row)} fields where the header has {len(columns)}; unquoted delimiter?"
        # The id is sure only where the text, which the stray delimiter is in, comes after it.
        place = columns.index(id_column) if id_column else len(columns)
        sure = place < min(columns.index(text_column), len(row))
        return BadDocument(where, cause, printable(row[place])[:200] if sure else None)
    values = dict(zip(columns, row, strict=True))
    identifier = where if id_column is None else values[id_column]
    carried = {name: values[column] for name, column in others.items()}
    read = "".join((identifier, values[text_column], *carried.values()))
    if any("\udc80" <= character <= "\udcff" for character in read):
        cause = f"not {options.encoding}; convert it, or say --encoding cp1252"
        return BadDocument(where, cause, printable(identifier)[:200])
    return make_document(identifier, values[text_column], where, options, carried)


class _Remembered:
    """Lines, of which the first since `first` was emptied is kept: what is left of a row that cannot be read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.first = ""

    def __iter__(self) -> _Remembered:
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.first = self.first or line[:_SALVAGED]
        return line


def _salvaged_id(line: str, delimiter: str, columns: list[str], id_column: str | None) -> str | None:
    """Return the id of a row that cannot be read, if it stands whole before what is wrong with it."""
    if id_column is None:
        return None
    fields = next(csv.reader([line], delimiter=delimiter), [])
    place = columns.index(id_column)
    return printable(fields[place])[:200] if place < len(fields) - 1 else None


def _cause(error: csv.Error, options: ReadOptions) -> str:
    if "field larger" in str(error):
        limit = f"a field over the limit of {options.max_characters:,} characters"
        return f"{limit}, or an unbalanced quote; split it, or raise --max-characters"
    return f"not CSV ({error})"


def _decoded_lines(file: BinaryIO, options: ReadOptions) -> Iterator[str]:
    """Yield lines for the csv module; bytes that do not decode become lone surrogates, found again in their row."""
    for number, line in enumerate(bounded_lines(file, options.max_bytes)):
        if line is None:
            # Longer than any field may be: the csv module reports it as such.
            yield "x" * (options.max_characters + 2)
            continue
        line = line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
        yield line.decode(options.encoding, errors="surrogateescape")


def _csv_writer(file: TextIO) -> Any:  # noqa: ANN401 - the csv module names no public writer type
    # Quoting only where it must, the module forgets that a lone carriage return ends a row for whoever reads it.
    return csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


FORMAT = Format("csv", (".csv", ".tsv"), DelimitedReader(), EntityCsvWriter)
