"""BRAT standoff (https://brat.nlplab.org/standoff.html): a `.txt` and its `.ann`, in folders.

Read: of the `.ann` the text-bound annotations (`T`), whose relations, events and attributes are passed over. A
discontinuous one becomes its hull, from the start of its first fragment to the end of its last, as in our corpora.
Written: BRAT holds no line break inside a fragment, so an entity that crosses one becomes several fragments; its
confidence and model go into an annotator note.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

from carabin.documents import Document, Entity
from carabin.formats.base import BadDocument, Format, Item, OutputError, Provenance, ReadOptions, Source
from carabin.formats.folders import FilePerDocumentWriter
from carabin.formats.loading import decode_text, make_document, read_bytes

_TEXT_BOUND = re.compile(r"(T\S+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_SCORE = re.compile(r"#\S*\tAnnotatorNotes (T\S+)\tscore=([01]\.\d+) model=")
_LINES = re.compile(r"[^\r\n]+")


class BratReader:
    """Reads a `.txt` and the `.ann` beside it; either may be named."""

    def check(self, source: Source, options: ReadOptions, entities: bool) -> None:
        """Raise nothing: a file that cannot be read is one document set aside."""

    def read(self, source: Source, options: ReadOptions, entities: bool) -> Iterator[Item]:
        """Yield the document of the pair."""
        path = source.path.with_suffix(".txt")
        data = read_bytes(source, options, path)
        # A byte order mark stays: BRAT's offsets count it as a character.
        item = (
            data if isinstance(data, BadDocument) else decode_text(data, str(path), source.id, options, keep_mark=True)
        )
        yield _with_gold(item, source, options) if entities and isinstance(item, Document) else item


class BratWriter(FilePerDocumentWriter):
    """Writes a `.txt` and a `.ann` a document."""

    main_suffix = ".ann"

    def files(self, document: Document, provenance: Provenance) -> dict[str, bytes]:
        """Return the two files of a document."""
        lines = []
        for number, entity in enumerate(document.entities, 1):
            if not re.fullmatch(r"\S+", entity.label):
                raise OutputError(f"label {entity.label!r} has a space in it, which BRAT cannot write; try --to jsonl")
            lines.append(f"T{number}\t{entity.label} {_fragments(document.text, entity)}\n")
            score = f"score={entity.score:.4f} " if entity.score is not None else ""
            lines.append(f"#{number}\tAnnotatorNotes T{number}\t{score}model={provenance.model}\n")
        return {".txt": document.text.encode(), ".ann": "".join(lines).encode()}


def _fragments(text: str, entity: Entity) -> str:
    """Return `start end;start end<TAB>surface` without the line breaks."""
    surface = text[entity.start : entity.end]
    if surface.strip("\r\n") != surface:
        # Fragments would lose a break at either end, which no offset then tells.
        flat = re.sub(r"[\r\n]", " ", surface)
        return f"{entity.start} {entity.end}\t{flat}"
    found = list(_LINES.finditer(text, entity.start, entity.end))
    spans = ";".join(f"{match.start()} {match.end()}" for match in found)
    return f"{spans}\t{' '.join(match.group() for match in found)}"


def _with_gold(item: Document, source: Source, options: ReadOptions) -> Item:
    path = source.path.with_suffix(".ann")
    data = read_bytes(source, options, path)
    if isinstance(data, BadDocument):
        return data
    try:
        lines = data.removeprefix(codecs.BOM_UTF8).decode(options.encoding).split("\n")
    except UnicodeDecodeError as error:
        return BadDocument(str(path), f"not {options.encoding} (byte {error.start}); convert it", item.id)
    scores = {match[1]: float(match[2]) for line in lines if (match := _SCORE.match(line))}
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.startswith("T"):
            continue
        match = _TEXT_BOUND.fullmatch(line.rstrip("\r"))
        if match is None:
            return BadDocument(f"{path}:{number}", "not a BRAT line (`T1<TAB>LABEL start end<TAB>text`)", item.id)
        key, label, spans, surface = match.groups()
        ends = [int(end) for end in re.split("[ ;]", spans)]
        if surface is not None and not _agrees(item.text, ends, surface):
            cause = "its text is not what the offsets point to: counted in bytes, or in a text of other line ends?"
            return BadDocument(f"{path}:{number}", cause, item.id)
        records.append({"start": min(ends), "end": max(ends), "label": label, "score": scores.get(key)})
    return make_document(item.id, item.text, str(path), options, entities=records)


def _agrees(text: str, ends: list[int], surface: str) -> bool:
    pieces = (text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True))
    return "".join(" ".join(pieces).split()) == "".join(surface.split())


FORMAT = Format("brat", (".ann",), BratReader(), BratWriter, gold=True, one_document=True)
