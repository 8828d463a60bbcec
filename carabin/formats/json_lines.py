"""JSONL: DESIGN's document, one a line. Also standard input, which may be plain lines."""

from __future__ import annotations

import codecs
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from carabin.documents import Document, DocumentError, decode_json, open_binary
from carabin.formats.base import (
    ID_COLUMNS,
    TEXT_COLUMNS,
    BadDocument,
    Format,
    Item,
    Provenance,
    ReadOptions,
    Source,
    Writer,
    printable,
)
from carabin.formats.loading import bounded_lines, decode_text, make_document

STDIN_NAME = "stdin"
"""What standard input is called where a document of it is named."""


class JsonLinesReader:
    """Reads `.jsonl`."""

    def check(self, source: Source, options: ReadOptions, entities: bool) -> None:
        """Raise nothing: each line is judged by itself."""

    def read(self, source: Source, options: ReadOptions, entities: bool) -> Iterator[Item]:
        """Yield one item a line."""
        with open_binary(source.path) as file:
            yield from read_lines(file, str(source.path), options, entities, "jsonl")


def read_lines(
    file: BinaryIO, name: str, options: ReadOptions, entities: bool = False, kind: str | None = None
) -> Iterator[Item]:
    """Yield one item a line; without a kind, JSONL if the first line is a JSON object, else plain text."""
    yield from _read_lines(bounded_lines(file, options.max_bytes), name, options, entities, kind)


def read_stdin(file: BinaryIO, options: ReadOptions, entities: bool = False) -> Iterator[Item]:
    """Yield one item a line of standard input; or the one text that it is, if that is asked for and it is no JSONL."""
    lines, head = bounded_lines(file, options.max_bytes), list[bytes | None]()
    for line in lines:
        head.append(line)
        if line is None or line.strip():
            break
    first = head[-1] if head else None
    if not options.whole_stdin or first is None or _is_object(first.removeprefix(codecs.BOM_UTF8)):
        yield from _read_lines(chain(head, lines), STDIN_NAME, options, entities, None)
        return
    data = b"".join(line for line in head if line) + file.read(options.max_bytes + 1)
    if len(data) > options.max_bytes:
        yield BadDocument(STDIN_NAME, f"over {options.max_bytes:,} bytes; split it")
    elif data.strip():
        yield decode_text(data, STDIN_NAME, STDIN_NAME, options)


def _read_lines(
    lines: Iterable[bytes | None], name: str, options: ReadOptions, entities: bool, kind: str | None
) -> Iterator[Item]:
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if line is None:
            yield BadDocument(where, f"line over {options.max_bytes:,} bytes; split it")
            continue
        line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if not line.strip():
            continue
        if kind is None:
            kind = "jsonl" if _is_object(line) else "text"
        if kind == "text":
            stripped = line.removesuffix(b"\n").removesuffix(b"\r")
            # A byte order mark inside the input is a character like others, and is counted.
            yield decode_text(stripped, where, str(number), options, keep_mark=True)
        else:
            yield _item(line, where, options, entities)


class JsonLinesWriter(Writer):
    """Writes one document a line."""

    suffix = ".jsonl"

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write a run of documents."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json_line(document, provenance) for document in documents)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the parts one after the other."""
        concatenate(parts, path)


def json_line(document: Document, provenance: Provenance) -> str:
    """Return DESIGN's document on one line, with the surface of each entity and the model that found it."""
    record = replace(document, attributes={**document.attributes, "model": provenance.model}).to_dict(surfaces=True)
    for entity in record["entities"]:
        entity["model"] = provenance.model
    return json.dumps(record, ensure_ascii=False) + "\n"


def write_json_lines(records: Sequence[dict[str, Any]], path: Path, mode: str = "w") -> None:
    """Write records as JSONL."""
    with path.open(mode, encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def concatenate(parts: Sequence[Path], path: Path, mode: str = "wb") -> None:
    """Put files one after the other."""
    with path.open(mode) as out:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, out)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(decode_json(line, ""), dict)
    except DocumentError:
        return False


def _item(line: bytes, where: str, options: ReadOptions, entities: bool) -> Item:
    try:
        record = decode_json(line, "")
    except DocumentError as error:
        return BadDocument(where, str(error).removeprefix(": "), _salvaged_id(line, options))
    if not isinstance(record, dict):
        return BadDocument(where, f"expected an object with 'id' and 'text', found {type(record).__name__}")
    text_key = options.text_column or next((key for key in TEXT_COLUMNS if key in record), "text")
    id_key = options.id_column or next((key for key in ID_COLUMNS if key in record), "id")
    identifier = record.get(id_key)
    if isinstance(identifier, bool | float | list | dict):
        return BadDocument(where, f"'{id_key}' is neither a string nor a whole number")
    name = where if identifier is None else str(identifier)
    gold = (record.get("entities") or ()) if entities else ()
    rest = {key: value for key, value in record.items() if key not in (id_key, text_key, "entities")}
    return make_document(name, record.get(text_key), where, options, rest, gold)


def _salvaged_id(line: bytes, options: ReadOptions) -> str | None:
    """Return the id of a record whose bytes are not all UTF-8, if the rest of it is JSON."""
    try:
        record = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    found = next((record[key] for key in (options.id_column, *ID_COLUMNS) if key in record), None)
    return printable(str(found)[:200]) if isinstance(found, str | int) else None


FORMAT = Format("jsonl", (".jsonl", ".ndjson"), JsonLinesReader(), JsonLinesWriter, gold=True)
