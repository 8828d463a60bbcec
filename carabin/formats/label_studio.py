"""Label Studio (https://labelstud.io/guide/predictions): tasks to import, pre-annotated; exports read back as gold.

Its offsets are code points, as ours. The project's labelling interface must call its controls as we do:
`<View><Labels name="label" toName="text"><Label value="DISO"/>…</Labels><Text name="text" value="$text"/></View>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
)
from carabin.formats.json_lines import write_json_lines
from carabin.formats.loading import make_document


class LabelStudioReader:
    """Reads an export of the form "JSON": a list of tasks, which is loaded whole."""

    def check(self, source: Source, options: ReadOptions, entities: bool) -> None:
        """Raise nothing: a file that cannot be read is one document set aside."""

    def read(self, source: Source, options: ReadOptions, entities: bool) -> Iterator[Item]:
        """Yield one item a task. Gold is what people annotated; the predictions only where they are asked for."""
        with open_binary(source.path) as file:
            data = file.read()
        try:
            tasks = decode_json(data, "")
        except DocumentError as error:
            yield BadDocument(str(source.path), str(error).removeprefix(": "))
            return
        for number, task in enumerate(tasks if isinstance(tasks, list) else [tasks], 1):
            yield _item(task, f"{source.path}:task {number}", options, entities)


class LabelStudioWriter(Writer):
    """Writes one task a line, inside a list."""

    suffix = ".jsonl"

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write the tasks of a run of documents."""
        write_json_lines([make_task(document, provenance) for document in documents], path)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the tasks into one list."""
        with path.open("wb") as out:
            opening = b"[\n"
            for part in parts:
                with part.open("rb") as file:
                    for line in file:
                        out.write(opening + line.rstrip(b"\n"))
                        opening = b",\n"
            out.write(b"\n]\n" if opening == b",\n" else b"[]\n")


def make_task(document: Document, provenance: Provenance) -> dict[str, Any]:
    """Return a task with one prediction."""
    results = [
        {
            "id": f"carabin-{number}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {
                "start": entity.start,
                "end": entity.end,
                "text": document.text[entity.start : entity.end],
                "labels": [entity.label],
            },
            "score": round(entity.score, 4) if entity.score is not None else None,
        }
        for number, entity in enumerate(document.entities, 1)
    ]
    scores = [entity.score for entity in document.entities if entity.score is not None]
    prediction = {
        "model_version": provenance.model,
        "score": round(sum(scores) / len(scores), 4) if scores else None,
        "result": results,
    }
    return {"data": {**document.attributes, "id": document.id, "text": document.text}, "predictions": [prediction]}


def _item(task: object, where: str, options: ReadOptions, entities: bool) -> Item:
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(task, dict) or not isinstance(data, dict):
        return BadDocument(where, "not a Label Studio task: no 'data'; export as JSON, not JSON-MIN")
    text_key = options.text_column or next((key for key in TEXT_COLUMNS if key in data), "text")
    id_key = options.id_column or next((key for key in ID_COLUMNS if key in data), "id")
    identifier = str(data.get(id_key, task.get("id", where)))
    if not entities:
        return make_document(identifier, data.get(text_key), where, options)
    chosen = _prediction(task) if options.predictions else _annotation(task)
    if chosen is None:
        return BadDocument(where, _why_none(task, options), identifier[:200])
    try:
        records = list(_records(chosen.get("result") or ()))
    except (KeyError, TypeError, AttributeError):
        return BadDocument(where, "an annotation without start, end or labels", identifier[:200])
    return make_document(identifier, data.get(text_key), where, options, entities=records)


def _annotation(task: dict[str, Any]) -> dict[str, Any] | None:
    """Return what people annotated: what they marked as the truth, else what stands first."""
    done = [note for note in _dicts(task, "annotations") if not note.get("was_cancelled")]
    return next((note for note in done if note.get("ground_truth")), done[0] if done else None)


def _prediction(task: dict[str, Any]) -> dict[str, Any] | None:
    """Return the last prediction: a later model's is added behind the others."""
    return next(reversed(_dicts(task, "predictions")), None)


def _dicts(task: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = task.get(name)
    return [note for note in found if isinstance(note, dict)] if isinstance(found, list) else []


def _why_none(task: dict[str, Any], options: ReadOptions) -> str:
    if options.predictions:
        return "no prediction in it; without --predictions it is read for what people annotated"
    if _dicts(task, "predictions"):
        return "nobody has annotated it; --predictions reads its predictions in their place"
    return "nobody has annotated it"


def _records(results: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for result in results:
        if result.get("type") == "labels":
            value = result["value"]
            for label in value["labels"]:
                yield {"start": value["start"], "end": value["end"], "label": label, "score": result.get("score")}


def _is_task_list(path: Path) -> bool:
    with open_binary(path) as file:
        return bool(file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["))


FORMAT = Format("label-studio", (".json",), LabelStudioReader(), LabelStudioWriter, gold=True, claims=_is_task_list)
