"""What a hospital hands over: text, folders, JSONL, CSV, Parquet, standard input; read as a stream of documents.

A document that cannot be read becomes a `BadDocument` in its place, and the stream goes on. Texts are never changed:
line ends, spaces and unusual characters stay, since offsets count them.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from carabin.documents import COMPRESSION_ERRORS, Document, DocumentError, check_encodable, decode_json, open_binary
from carabin.errors import CarabinError

STDIN = "-"
TEXT_COLUMNS = ("text", "note_text", "texte")
ID_COLUMNS = ("id", "note_id", "doc_id", "document_id")
KINDS = {".txt": "text", ".jsonl": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
COMPRESSED = (".gz", ".xz")


class InputError(CarabinError):
    """An input that cannot be read at all: missing, of an unknown kind, without the columns asked for."""


@dataclass(frozen=True, slots=True)
class BadDocument:
    """A document that could not be read or annotated: where it stands and why, never its text."""

    where: str
    cause: str
    id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        # A file's name may be no more UTF-8 than its text.
        where = self.where.encode("utf-8", "backslashreplace").decode()
        return {"id": self.id, "where": where, "cause": self.cause}


Item = Document | BadDocument


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How inputs are read."""

    text_column: str | None = None
    """Column or JSON field of the text; None looks for `text`, `note_text`, `texte`."""
    id_column: str | None = None
    """Column or JSON field of the id; None looks for `id`, `note_id`, `doc_id`, `document_id`."""
    encoding: str = "utf-8"
    """Of text and CSV files, and of standard input: `cp1252` for what older Windows software writes."""
    max_characters: int = 10_000_000
    """Longer texts are reported, not annotated: a note of 5,000 pages is a mistake, and would fill the memory."""

    def __post_init__(self) -> None:
        try:
            plain = "a\n;".encode(self.encoding) == b"a\n;"
        except LookupError:
            raise InputError(f"encoding '{self.encoding}' is unknown; try utf-8, cp1252 or latin-1") from None
        if not plain:
            raise InputError(f"encoding '{self.encoding}' is not read line by line; convert the input to UTF-8")
        if self.max_characters < 1:
            raise InputError("the longest text allowed must be at least one character")

    @property
    def max_bytes(self) -> int:
        """Longest line or file worth reading: an escaped astral character takes twelve bytes in JSON."""
        return 12 * self.max_characters + 65_536


def input_kind(name: str) -> str:
    """Return `stdin`, `folder`, `text`, `jsonl`, `csv` or `parquet`. Raises InputError: missing, or none of them."""
    if name == STDIN:
        return "stdin"
    path = Path(name)
    if path.is_dir():
        return "folder"
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    suffix = path.with_suffix("").suffix if path.suffix in COMPRESSED else path.suffix
    kind = KINDS.get(suffix.lower())
    if kind is None or (kind == "parquet" and path.suffix in COMPRESSED):
        raise InputError(f"{path}: reads .txt, .jsonl, .csv, .tsv (.gz, .xz), .parquet, a folder of .txt, or - (stdin)")
    return kind


def check_inputs(names: Sequence[str], options: ReadOptions) -> None:
    """Raise InputError before anything is run: an input is missing, of unknown kind, or lacks its columns."""
    if list(names).count(STDIN) > 1:
        raise InputError("standard input (-) can be read only once")
    for name in names:
        kind = input_kind(name)
        if kind == "folder" and next(Path(name).rglob("*.txt"), None) is None:
            raise InputError(f"{name}: no .txt file in this folder")
        if kind in ("csv", "parquet"):
            from carabin import tables

            tables.find_columns(Path(name), kind, options)


def read_inputs(names: Sequence[str], options: ReadOptions) -> Iterator[Item]:
    """Yield every document of every input, in order; folders in the order of their paths."""
    for name in names:
        kind = input_kind(name)
        try:
            if kind == "stdin":
                yield from _read_lines(sys.stdin.buffer, "stdin", options, None)
            elif kind == "folder":
                for path in sorted(Path(name).rglob("*.txt")):
                    yield _read_text(path, path.relative_to(name).with_suffix("").as_posix(), options)
            elif kind == "text":
                yield _read_text(Path(name), re.sub(r"\.txt(\.gz|\.xz)?$", "", Path(name).name), options)
            elif kind == "jsonl":
                with open_binary(Path(name)) as file:
                    yield from _read_lines(file, name, options, "jsonl")
            else:
                from carabin import tables

                yield from tables.read_table(Path(name), kind, options)
        except COMPRESSION_ERRORS as error:
            yield BadDocument(name, f"compressed file is damaged ({type(error).__name__}); what follows is lost")
        except OSError as error:
            yield BadDocument(name, f"{error.strerror or type(error).__name__}; what follows is not read")


def bounded_lines(file: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """Yield the lines of a file, None for one longer than the limit: it is passed over without being held."""
    while line := file.readline(limit + 1):
        if len(line) <= limit:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(limit + 1)
        yield None


def make_document(identifier: str, text: object, where: str, options: ReadOptions) -> Item:
    """Return the document, or why there is none."""
    label = identifier.encode("utf-8", "backslashreplace").decode()[:200]
    if text is None:
        return BadDocument(where, "no text (null)", label)
    if not isinstance(text, str):
        return BadDocument(where, f"the text is a {type(text).__name__}, not a string", label)
    if len(text) > options.max_characters:
        return BadDocument(where, _too_long(len(text), options), label)
    try:
        check_encodable(identifier, "id")
        check_encodable(text, "text")
    except DocumentError as error:
        return BadDocument(where, str(error), label)
    return Document(identifier, text)


def decode_text(data: bytes, where: str, identifier: str, options: ReadOptions) -> Item:
    """Return the document these bytes hold in the encoding of the options, a byte order mark left out."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode(options.encoding)
    except UnicodeDecodeError as error:
        cause = f"not {options.encoding} (byte {error.start}); convert it, or say --encoding cp1252"
        return BadDocument(where, cause, identifier)
    return make_document(identifier, text, where, options)


def _too_long(length: int, options: ReadOptions) -> str:
    return f"{length:,} characters, over the limit of {options.max_characters:,}; split it, or raise --max-characters"


def _read_text(path: Path, identifier: str, options: ReadOptions) -> Item:
    try:
        with open_binary(path) as file:
            data = file.read(options.max_bytes + 1)
    except COMPRESSION_ERRORS as error:
        return BadDocument(str(path), f"compressed file is damaged ({type(error).__name__})", identifier)
    except OSError as error:
        return BadDocument(str(path), error.strerror or type(error).__name__, identifier)
    if len(data) > options.max_bytes:
        return BadDocument(str(path), f"over {options.max_bytes:,} bytes; split it", identifier)
    return decode_text(data, str(path), identifier, options)


def _read_lines(file: BinaryIO, name: str, options: ReadOptions, kind: str | None) -> Iterator[Item]:
    """Yield one item a line; without a kind, JSONL if the first line is a JSON object, else plain text."""
    for number, line in enumerate(bounded_lines(file, options.max_bytes), 1):
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
            yield decode_text(stripped, where, str(number), options)
        else:
            yield _json_item(line, where, options)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(decode_json(line, ""), dict)
    except DocumentError:
        return False


def _salvaged_id(line: bytes, options: ReadOptions) -> str | None:
    """Return the id of a record whose bytes are not all UTF-8, if the rest of it is JSON."""
    try:
        record = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    found = next((record[key] for key in (options.id_column, *ID_COLUMNS) if key in record), None)
    return str(found)[:200].encode("utf-8", "backslashreplace").decode() if isinstance(found, str | int) else None


def _json_item(line: bytes, where: str, options: ReadOptions) -> Item:
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
    item = make_document(where if identifier is None else str(identifier), record.get(text_key), where, options)
    if isinstance(item, BadDocument):
        return item
    rest = {key: value for key, value in record.items() if key not in (id_key, text_key, "entities")}
    try:
        return Document.from_dict({**rest, "id": item.id, "text": item.text}, where)
    except DocumentError as error:
        return BadDocument(where, str(error).removeprefix(where).split("): ", 1)[-1], item.id)
