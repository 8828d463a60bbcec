"""From bytes and values to documents: what the readers share."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from carabin.documents import COMPRESSION_ERRORS, Document, DocumentError, check_encodable, open_binary
from carabin.formats.base import BadDocument, Item, ReadOptions, Source, printable


def bounded_lines(file: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """Yield the lines of a file, None for one longer than the limit: it is passed over without being held."""
    while line := file.readline(limit + 1):
        if len(line) <= limit:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(limit + 1)
        yield None


def read_bytes(source: Source, options: ReadOptions, path: Path | None = None) -> bytes | BadDocument:
    """Return what a file that holds one document holds, or why it cannot be read."""
    path = path or source.path
    try:
        with open_binary(path) as file:
            data: bytes = file.read(options.max_bytes + 1)
    except COMPRESSION_ERRORS as error:
        cause = f"compressed file is damaged ({type(error).__name__})"
    except OSError as error:
        cause = error.strerror or type(error).__name__
    else:
        if len(data) <= options.max_bytes:
            return data
        cause = f"over {options.max_bytes:,} bytes; split it"
    return BadDocument(str(path), cause, printable(source.id)[:200])


def decode_text(data: bytes, where: str, identifier: str, options: ReadOptions, keep_mark: bool = False) -> Item:
    """Return the document these bytes hold in the encoding of the options.

    A byte order mark is left out, as is right of a file that holds one document, or kept: anywhere else it is a
    character, which the offsets of whoever reads the same bytes count.
    """
    data = data if keep_mark else data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode(options.encoding)
    except UnicodeDecodeError as error:
        cause = f"not {options.encoding} (byte {error.start}); convert it, or say --encoding cp1252"
        return BadDocument(where, cause, printable(identifier)[:200])
    return make_document(identifier, text, where, options)


def make_document(
    identifier: str,
    text: object,
    where: str,
    options: ReadOptions,
    attributes: Mapping[str, Any] | None = None,
    entities: object = (),
) -> Item:
    """Return the document, or why there is none.

    Args:
        identifier: Its id.
        text: Its text, if it is one.
        where: File and place in it, for the report.
        options: The longest text allowed.
        attributes: The record's other fields.
        entities: Records with `start`, `end` and `label`.
    """
    label = printable(identifier)[:200]
    if text is None:
        return BadDocument(where, "no text (null)", label)
    if not isinstance(text, str):
        return BadDocument(where, f"the text is a {type(text).__name__}, not a string", label)
    if len(text) > options.max_characters:
        limit = f"over the limit of {options.max_characters:,}"
        return BadDocument(where, f"{len(text):,} characters, {limit}; split it, or raise --max-characters", label)
    try:
        check_encodable(identifier, "id")
        check_encodable(text, "text")
    except DocumentError as error:
        return BadDocument(where, str(error), label)
    try:
        return Document.from_dict({**(attributes or {}), "id": identifier, "text": text, "entities": entities}, where)
    except DocumentError as error:
        return BadDocument(where, str(error).removeprefix(where).split("): ", 1)[-1], label)
