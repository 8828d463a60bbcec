"""The document: a text and the entities found in it, with offsets that are exact by construction.

Offsets are Unicode code points in `text`, half-open, never trimmed or normalised: `text[start:end]` is the entity.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class DocumentError(ValueError):
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
        where = f"{where} (id {identifier!r})"
        if not isinstance(text, str):
            raise DocumentError(f"{where}: 'text' is missing or is not a string")
        check_encodable(text, where)
        entities = tuple(sorted(_entities(record.get("entities") or (), len(text), where), key=lambda e: (e.start, -e.end)))
        rest = {key: value for key, value in record.items() if key not in ("id", "text", "entities")}
        return cls(str(identifier), text, entities, rest)

    def to_dict(self, surfaces: bool = False) -> dict[str, Any]:
        """Return the JSON form, attributes included; `surfaces` adds each entity's text."""
        entities = [entity.to_dict(self.text if surfaces else None) for entity in self.entities]
        return {"id": self.id, "text": self.text, "entities": entities, **self.attributes}


def check_encodable(text: str, where: str) -> None:
    """Raise DocumentError if the text holds a lone surrogate, which no UTF-8 file and no tokenizer can carry."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DocumentError(f"{where}: lone surrogate at code point {error.start}; re-encode the source as UTF-8") from None


def _entities(records: object, length: int, where: str) -> Iterator[Entity]:
    if not isinstance(records, list | tuple):
        raise DocumentError(f"{where}: 'entities' is not a list")
    for number, record in enumerate(records):
        try:
            start, end, label = record["start"], record["end"], record["label"]
        except (KeyError, TypeError, IndexError):
            raise DocumentError(f"{where}: entity {number} needs 'start', 'end' and 'label'") from None
        if type(start) is not int or type(end) is not int or not isinstance(label, str):
            raise DocumentError(f"{where}: entity {number}: 'start' and 'end' must be integers, 'label' a string")
        if not 0 <= start < end <= length:
            raise DocumentError(
                f"{where}: entity {number} spans {start}..{end}, outside the text of {length} code points; "
                "offsets count Unicode code points, not bytes or UTF-16 units"
            )
        yield Entity(start, end, label, record.get("score"))


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
                try:
                    yield where, json.loads(line.decode("utf-8"))
                except UnicodeDecodeError as error:
                    raise DocumentError(f"{where}: not UTF-8 (byte {error.start} of the line); convert it first") from None
                except json.JSONDecodeError as error:
                    raise DocumentError(f"{where}: not JSON ({error.msg}, column {error.colno})") from None
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise DocumentError(f"{path}: {error.strerror}") from None
    except EOFError:
        raise DocumentError(f"{path}: compressed file is cut short; fetch it again") from None


def open_binary(path: Path) -> Any:  # noqa: ANN401 - the three openers share no public type
    """Open a file for reading bytes, through the decompressor its suffix names."""
    import gzip
    import lzma

    opener = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    return opener(path, "rb")


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
