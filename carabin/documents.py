"""The document: a text and the entities found in it, with offsets that are exact by construction.

Offsets are Unicode code points in `text`, half-open, never trimmed or normalised: `text[start:end]` is the entity.
"""

from __future__ import annotations

import gzip
import json
import lzma
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carabin.errors import CarabinError

# gzip.BadGzipFile is an OSError without a number; a full disk or a lost mount keeps its own message.
COMPRESSION_ERRORS = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)


class DocumentError(CarabinError):
    """A document that cannot be read; the message names where it stands and what is wrong, never its text."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled span of a document.

    Attributes:
        start: First code point.
        end: One past the last code point.
        label: Name from the model's label set.
        score: The model's confidence in [0, 1]; None for gold annotations.
    """

    start: int
    end: int
    label: str
    score: float | None = None

    def to_dict(self, text: str | None = None) -> dict[str, Any]:
        """Return the JSON form; with the document's text, the surface is added."""
        record: dict[str, Any] = {"start": self.start, "end": self.end, "label": self.label}
        if text is not None:
            record["text"] = text[self.start : self.end]
        if self.score is not None:
            record["score"] = round(self.score, 4)
        return record


@dataclass(frozen=True, slots=True)
class Document:
    """A text with an id, its entities sorted by start, and whatever else its record held."""

    id: str
    text: str
    entities: tuple[Entity, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, record: object, where: str) -> Document:
        """Return the document a JSON record describes.

        Args:
            record: The decoded record.
            where: File and line, for the error.

        Raises:
            DocumentError: no id, no text, a lone surrogate, or an entity outside the text.
        """
        if not isinstance(record, dict):
            raise DocumentError(f"{where}: expected an object with 'id' and 'text', found {type(record).__name__}")
        identifier, text = record.get("id"), record.get("text")
        if not isinstance(identifier, str | int) or isinstance(identifier, bool):
            raise DocumentError(f"{where}: 'id' is missing or is neither a string nor a number")
        check_encodable(str(identifier), f"{where}: 'id'")
        where = f"{where} (id {str(identifier)[:80]!r})"
        if not isinstance(text, str):
            raise DocumentError(f"{where}: 'text' is missing or is not a string")
        check_encodable(text, where)
        found = _entities(record.get("entities") or (), len(text), where)
        rest = {key: value for key, value in record.items() if key not in ("id", "text", "entities")}
        if rest:
            check_encodable(json.dumps(rest, ensure_ascii=False, default=str), f"{where}: other fields")
        return cls(str(identifier), text, tuple(sorted(found, key=lambda e: (e.start, -e.end))), rest)

    def to_dict(self, surfaces: bool = False) -> dict[str, Any]:
        """Return the JSON form, attributes included; `surfaces` adds each entity's text."""
        entities = [entity.to_dict(self.text if surfaces else None) for entity in self.entities]
        return {"id": self.id, "text": self.text, "entities": entities, **self.attributes}


def check_encodable(text: str, where: str) -> None:
    """Raise DocumentError for what a text cannot hold.

    A lone surrogate fits in no UTF-8 file and no tokenizer; a NUL ends the text in every C string down the line, and
    is the mark of a binary or UTF-16 file.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        cause = f"lone surrogate at code point {error.start}; re-encode the source as UTF-8"
        raise DocumentError(f"{where}: {cause}") from None
    if "\0" in text:
        cause = f"NUL at code point {text.index(chr(0))}: binary or UTF-16 data? Convert the source to UTF-8"
        raise DocumentError(f"{where}: {cause}")


def _entities(records: object, length: int, where: str) -> Iterator[Entity]:
    if not isinstance(records, list | tuple):
        raise DocumentError(f"{where}: 'entities' is not a list")
    for number, record in enumerate(records):
        try:
            start, end, label = record["start"], record["end"], record["label"]
        except (KeyError, TypeError, IndexError, AttributeError):
            raise DocumentError(f"{where}: entity {number} needs 'start', 'end' and 'label'") from None
        if type(start) is not int or type(end) is not int or not isinstance(label, str):
            raise DocumentError(f"{where}: entity {number}: 'start' and 'end' must be integers, 'label' a string")
        if not 0 <= start < end <= length:
            raise DocumentError(
                f"{where}: entity {number} spans {start}..{end}, outside the text of {length} code points; "
                "offsets count Unicode code points, not bytes or UTF-16 units"
            )
        score = record.get("score")
        if score is not None and (not isinstance(score, int | float) or isinstance(score, bool)):
            raise DocumentError(f"{where}: entity {number}: 'score' is not a number")
        yield Entity(start, end, label, score)


def read_jsonl(path: Path) -> Iterator[Document]:
    """Yield the documents of a JSONL file, one a line; `.xz` and `.gz` files are decompressed on the way.

    Raises:
        DocumentError: names the file, the line and the cause (not UTF-8, not JSON, not a document).
    """
    for where, record in read_json_lines(path):
        yield Document.from_dict(record, where)


def read_json_lines(path: Path) -> Iterator[tuple[str, object]]:
    """Yield (`file:line`, decoded record) for each non-blank line. Raises DocumentError likewise."""
    try:
        with open_binary(path) as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                where = f"{path}:{number}"
                yield where, decode_json(line, where)
    except COMPRESSION_ERRORS as error:
        raise DocumentError(f"{path}: compressed file is damaged ({type(error).__name__}); fetch it again") from None
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise DocumentError(f"{path}: {error.strerror}") from None


def decode_json(line: bytes, where: str) -> object:
    """Return the record a line of JSON holds.

    Raises:
        DocumentError: not UTF-8, or not JSON; `NaN` and numbers too long to be read are not.
    """
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise DocumentError(f"{where}: not UTF-8 (byte {error.start} of the line); convert it first") from None
    except json.JSONDecodeError as error:
        raise DocumentError(f"{where}: not JSON ({error.msg}, column {error.colno})") from None
    except ValueError:
        raise DocumentError(f"{where}: not JSON (NaN, an infinity or an endless number)") from None
    except RecursionError:
        raise DocumentError(f"{where}: JSON nested too deep") from None


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def open_binary(path: Path) -> Any:  # noqa: ANN401 - the three openers share no public type
    """Open a file for reading bytes, through the decompressor its suffix names."""
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def dump_line(document: Document, surfaces: bool = False) -> str:
    """Return the document as one JSON line, newline included."""
    return json.dumps(document.to_dict(surfaces), ensure_ascii=False) + "\n"


def without_nesting(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Return the outermost entities, sorted by start.

    A span inside or crossing a longer one that starts earlier is dropped; of equal spans the first label stays.
    """
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda e: (e.start, -e.end)):
        if not kept or entity.start >= kept[-1].end:
            kept.append(entity)
    return tuple(kept)
