"""The NOTE_NLP table of the OMOP common data model 5.4 (https://ohdsi.github.io/CommonDataModel/cdm54.html).

The NOTE table, its other side, is read by `parquet_table` and `delimited`, which know its column names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from carabin.documents import Document
from carabin.formats.base import Format, Provenance
from carabin.formats.parquet_table import ParquetWriter

if TYPE_CHECKING:
    import pyarrow

_SNIPPET = 50
"""Code points of context on either side of an entity."""


class NoteNlpWriter(ParquetWriter):
    """Writes one entity a row."""

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


FORMAT = Format("omop", (), writer=NoteNlpWriter)
