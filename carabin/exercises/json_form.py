"""Question sets as JSON: everything, with offsets in code points of the report, which is in it too."""

from __future__ import annotations

import json
from typing import Any

from carabin.exercises.shown import Sheet, Shown
from carabin.formats.base import Provenance


def write_object(sheet: Sheet, provenance: Provenance) -> str:
    """Return one report's questions as a JSON object, indented."""
    return json.dumps(to_record(sheet, provenance), ensure_ascii=False, indent=1)


def write_line(sheet: Sheet, provenance: Provenance) -> str:
    """Return one report's questions as a line of JSONL."""
    return json.dumps(to_record(sheet, provenance), ensure_ascii=False) + "\n"


def to_record(sheet: Sheet, provenance: Provenance) -> dict[str, Any]:
    """Return one report's questions as a record."""
    return {
        "id": sheet.document,
        "model": provenance.model,
        "software": provenance.software,
        "date": provenance.date,
        "text": sheet.text,
        "questions": [_record(shown) for shown in sheet.alone],
        "progressive": [
            {**_record(shown), "vignette": _span(shown.vignette or (0, 0), sheet.text)} for shown in sheet.linked
        ],
    }


def _record(shown: Shown) -> dict[str, Any]:
    question = shown.question
    return {
        "number": shown.number,
        "kind": question.kind,
        "type": question.asks,
        "stem": question.stem,
        "options": [{"letter": one.letter, "text": one.text, "right": one.right} for one in shown.options],
        "right": list(question.right),
        "evidence": {"start": question.start, "end": question.end, "text": question.quote},
    }


def _span(span: tuple[int, int], text: str) -> dict[str, Any]:
    return {"start": span[0], "end": span[1], "text": text[slice(*span)]}
