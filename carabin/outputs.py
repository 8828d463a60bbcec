"""What a run writes: documents with their entities as JSONL, or one row an entity as CSV, Parquet or OMOP NOTE_NLP.

A run writes parts and joins them at its end (`journal`), so each form says how to write a part and how to join parts.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from carabin.documents import Document, dump_line
from carabin.errors import CarabinError

if TYPE_CHECKING:
    import pyarrow

COLUMNS = ("document_id", "start", "end", "label", "text", "score", "model")
_SNIPPET = 50


class OutputError(CarabinError):
    """An output whose form is unknown."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who annotated, when: written on every entity."""

    model: str
    """`name@version`."""
    software: str
    date: str
    """Day on which the run began, ISO 8601; a resumed run keeps its first day."""


class OutputForm(Protocol):
    """One form of output."""

    suffix: str

    def refuses(self, document: Document) -> str | None:
        """Return why the document cannot be written in this form, None if it can."""
        ...

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write a run of documents."""
        ...

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Make one file of all parts, in order."""
        ...


def output_form(out: Path | None, to: str | None) -> OutputForm:
    """Return the form named by `to`, else by the suffix; JSONL on standard output. Raises OutputError: unknown."""
    name = to or ("jsonl" if out is None else out.suffix.removeprefix(".").lower())
    if name not in FORMS:
        raise OutputError(f"output form '{name}' is unknown; name one with --to: {', '.join(FORMS)}")
    if out is None and name != "jsonl":
        raise OutputError(f"standard output carries JSONL only; write {name} to a file with -o")
    return FORMS[name]


def json_line(document: Document, provenance: Provenance) -> str:
    """Return DESIGN's document on one line, with the surface of each entity and the model that found it."""
    attributes = {**document.attributes, "model": provenance.model}
    return dump_line(replace(document, attributes=attributes), surfaces=True)


class JsonLines:
    """One document a line."""

    suffix = ".jsonl"

    def refuses(self, document: Document) -> str | None:
        """Return None: any document fits."""
        return None

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write a run of documents."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json_line(document, provenance) for document in documents)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the parts one after the other."""
        concatenate(parts, path)


class EntityCsv:
    """One entity a row, RFC 4180 with `,`."""

    suffix = ".csv"

    def refuses(self, document: Document) -> str | None:
        """Return None: any document fits."""
        return None

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write the rows, without the header."""
        with path.open("w", encoding="utf-8", newline="") as file:
            _csv_writer(file).writerows(row.values() for row in entity_rows(documents, provenance))

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the header, then the parts."""
        with path.open("w", encoding="utf-8", newline="") as file:
            _csv_writer(file).writerow(COLUMNS)
        concatenate(parts, path, mode="ab")


class EntityParquet:
    """One entity a row."""

    suffix = ".parquet"

    def refuses(self, document: Document) -> str | None:
        """Return None: any document fits."""
        return None

    def schema(self) -> pyarrow.Schema:
        """Return the columns and their types."""
        import pyarrow as pa

        types = (pa.string(), pa.int64(), pa.int64(), pa.string(), pa.string(), pa.float64(), pa.string())
        return pa.schema(list(zip(COLUMNS, types, strict=True)))

    def rows(self, documents: Sequence[Document], provenance: Provenance) -> Iterator[dict[str, Any]]:
        """Yield the rows of a run of documents."""
        return entity_rows(documents, provenance)

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

    def numbered(self, table: pyarrow.Table, first: int) -> pyarrow.Table:
        """Return the rows as they are: this table numbers nothing."""
        return table


class OmopNoteNlp(EntityParquet):
    """The NOTE_NLP table of the OMOP common data model 5.4 (https://ohdsi.github.io/CommonDataModel/cdm54.html)."""

    def refuses(self, document: Document) -> str | None:
        """Return the reason if the id is not a number, as NOTE.note_id must be."""
        digits = document.id.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= 18:
            return None
        return "the id is not a whole number, which OMOP's note_id must be; write --to parquet instead"

    def schema(self) -> pyarrow.Schema:
        """Return the columns and their types."""
        import pyarrow as pa

        whole, text = pa.int64(), pa.string()
        return pa.schema(
            [
                ("note_nlp_id", whole), ("note_id", whole), ("section_concept_id", whole), ("snippet", text),
                ("offset", text), ("lexical_variant", text), ("note_nlp_concept_id", whole),
                ("note_nlp_source_concept_id", whole), ("nlp_system", text), ("nlp_date", pa.date32()),
                ("nlp_datetime", pa.timestamp("us")), ("term_exists", text), ("term_temporal", text),
                ("term_modifiers", text),
            ]
        )  # fmt: skip

    def rows(self, documents: Sequence[Document], provenance: Provenance) -> Iterator[dict[str, Any]]:
        """Yield one row an entity; concept ids are 0 (no matching concept): a student finds spans, not concepts."""
        from datetime import datetime

        day = datetime.fromisoformat(provenance.date)
        for document in documents:
            for entity in document.entities:
                score = f";score={entity.score:.4f}" if entity.score is not None else ""
                yield {
                    "note_nlp_id": 0,
                    "note_id": int(document.id),
                    "section_concept_id": 0,
                    "snippet": document.text[max(entity.start - _SNIPPET, 0) : entity.end + _SNIPPET],
                    "offset": str(entity.start),
                    "lexical_variant": document.text[entity.start : entity.end],
                    "note_nlp_concept_id": 0,
                    "note_nlp_source_concept_id": 0,
                    "nlp_system": f"{provenance.software}, {provenance.model}",
                    "nlp_date": day.date(),
                    "nlp_datetime": day,
                    "term_exists": "Y",
                    "term_temporal": None,
                    "term_modifiers": f"label={entity.label}{score}",
                }

    def numbered(self, table: pyarrow.Table, first: int) -> pyarrow.Table:
        """Return the rows with note_nlp_id counted from `first` + 1."""
        import pyarrow as pa

        return table.set_column(0, "note_nlp_id", pa.array(range(first + 1, first + 1 + len(table)), pa.int64()))


FORMS: dict[str, OutputForm] = {
    "jsonl": JsonLines(),
    "parquet": EntityParquet(),
    "csv": EntityCsv(),
    "omop": OmopNoteNlp(),
}


def entity_rows(documents: Sequence[Document], provenance: Provenance) -> Iterator[dict[str, Any]]:
    """Yield one row an entity."""
    for document in documents:
        for entity in document.entities:
            record = entity.to_dict(document.text)
            values = (document.id, *(record.get(name) for name in COLUMNS[1:-1]), provenance.model)
            yield dict(zip(COLUMNS, values, strict=True))


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


def _csv_writer(file: TextIO) -> Any:  # noqa: ANN401 - the csv module names no public writer type
    return csv.writer(file, lineterminator="\n")
