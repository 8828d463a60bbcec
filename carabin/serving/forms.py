"""What a request says and an answer holds: DESIGN's document form, and its description for OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from carabin.calibration import ANY_LABEL, above_thresholds
from carabin.documents import Document, DocumentError
from carabin.serving.positions import Unit, positions_in
from carabin.serving.problems import Problem
from carabin.serving.settings import ServeSettings

SHOWN_FAULTS = 20
CALIBRATED = "calibrated"

_MISPLACED = ("threshold", "thresholds")
"""Options that a body is often sent with: given back as a field like others, they would seem to have been heeded."""

_EXAMPLE = "Douleur thoracique depuis deux heures, sous aspirine 75 mg."


class AnnotateOptions(BaseModel):
    """Options of a request, in its query: a body holds documents and nothing else."""

    # A misspelt option would else be ignored, and offsets be counted in the wrong unit.
    model_config = ConfigDict(extra="forbid")

    offsets: Unit = Field(
        "codepoints",
        description="What `start` and `end` count: code points (Python), UTF-16 units (JavaScript, Java, C#), or bytes "
        "of UTF-8 (Go, Rust).",
    )
    threshold: list[str] = Field(
        [],
        description="`LABEL=0.5`, `0.5` for every label, or `calibrated` for the thresholds fitted with the "
        "student: entities that score less are left out. Repeatable; without it the service's own hold, if any.",
    )


class GivenDocument(BaseModel):
    """A text to annotate. Other fields are given back as they came, but for `entities`, `model` and `offsets`.

    A field `threshold` is refused: it is an option of the request.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": {"id": "note-1", "text": _EXAMPLE}})

    id: str | int | None = Field(None, description="Without one, the document's place in the request, from 1.")
    text: str


class FoundEntity(BaseModel):
    """A labelled span; `start` and `end` are half-open and count what the option `offsets` says."""

    start: int = Field(ge=0)
    end: int = Field(ge=1)
    label: str
    text: str = Field(description="The span itself.")
    score: float = Field(ge=0, le=1)


class AnnotatedDocument(BaseModel):
    """The document with the entities found in it, in order; entities that the request held are replaced."""

    model_config = ConfigDict(extra="allow")

    id: str
    text: str
    entities: list[FoundEntity]
    model: str = Field(description="`name@version` of the student that answered.")
    offsets: Unit | None = Field(None, description="Present where offsets do not count code points.")


class ProblemDetails(BaseModel):
    """RFC 9457: why a request is not answered. Never quotes a text."""

    title: str
    status: int
    code: str = Field(description="Stable, for programs.")
    detail: str
    documents: list[dict[str, Any]] | None = Field(None, description="Place and cause of each document at fault.")


def request_body_schema() -> dict[str, Any]:
    """Return what OpenAPI says of the body: one document, or a list of them."""
    document = GivenDocument.model_json_schema()
    schema = {"anyOf": [document, {"type": "array", "items": document, "minItems": 1}]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def read_documents(body: bytes, settings: ServeSettings) -> tuple[list[Document], bool]:
    """Return the documents of a body, and whether it was a single one.

    All or nothing: an answer that leaves out the documents at fault would be taken for whole.

    Raises:
        Problem: the body is not JSON, or holds a document that cannot be annotated.
    """
    record = _decode(body)
    single = not isinstance(record, list)
    records = [record] if single else record
    if not records:
        raise Problem(422, "no-document", "the list is empty; send one document or more")
    if len(records) > settings.max_documents:
        detail = f"{len(records)} documents in one request; send at most {settings.max_documents}"
        raise Problem(413, "too-many-documents", detail)
    documents: list[Document] = []
    faults: list[dict[str, Any]] = []
    for number, given in enumerate(records):
        try:
            documents.append(_document(given, number))
        except DocumentError as error:
            faults.append({"index": number, "cause": str(error)})
    if faults:
        detail = str(faults[0]["cause"])
        if not single:
            detail = f"{len(faults)} of {len(records)} documents cannot be read, none was annotated; {detail}"
        raise Problem(422, "bad-document", detail, extra={"documents": faults[:SHOWN_FAULTS]})
    _check_lengths(documents, settings.max_characters)
    return documents, single


def _decode(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        cause = f"{error.msg} at code point {error.pos}"
    except UnicodeDecodeError as error:
        cause = f"not UTF-8 at byte {error.start}"
    except (ValueError, RecursionError) as error:
        cause = "nested too deep" if isinstance(error, RecursionError) else "a number out of range"
    raise Problem(400, "not-json", f"the body is not JSON: {cause}")


def _no_constant(name: str) -> float:
    raise ValueError(name)  # Python would take NaN and Infinity, which no other reader of JSON does


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError
    return number


def _document(given: object, number: int) -> Document:
    where = f"document {number}"
    if not isinstance(given, dict):
        raise DocumentError(f"{where}: expected an object with 'text', found {type(given).__name__}")
    if misplaced := [name for name in _MISPLACED if name in given]:
        detail = f"{where}: '{misplaced[0]}' is an option of the request, not a field: POST /annotate?threshold=0.5"
        raise Problem(422, "bad-option", f"{detail}, LABEL=0.5 or {CALIBRATED}; rename the field if it is yours")
    identifier = given.get("id")
    record = {**given, "id": str(number + 1) if identifier is None else identifier, "entities": ()}
    try:
        return Document.from_dict(record, where)
    except RecursionError:
        raise DocumentError(f"{where}: nested too deep") from None


def _check_lengths(documents: Sequence[Document], longest: int) -> None:
    for number, document in enumerate(documents):
        if len(document.text) > longest:
            detail = f"document {number}: {len(document.text)} code points; at most {longest}: send it in parts"
            raise Problem(413, "text-too-long", detail, extra={"documents": [{"index": number}]})


def read_thresholds(values: Sequence[str], labels: Sequence[str], fitted: Mapping[str, float]) -> dict[str, float]:
    """Return label -> least score from `LABEL=0.5`, `0.5` and `calibrated`; what is named wins over what is fitted.

    Raises:
        Problem: of another form, for no label of the student, or the student has no fitted thresholds.
    """
    if CALIBRATED in values and not fitted:
        raise Problem(422, "bad-option", "threshold: this student was published without fitted thresholds")
    thresholds = dict(fitted) if CALIBRATED in values else {}
    for number, value in enumerate(values):
        if value == CALIBRATED:
            continue
        label, separator, digits = value.rpartition("=")
        try:
            score = float(digits)
        except ValueError:
            score = -1.0
        if not 0 <= score <= 1:
            detail = f"threshold {number}: expected LABEL=0.5, 0.5 for every label, or {CALIBRATED}"
            raise Problem(422, "bad-option", detail)
        if separator and label not in labels:
            raise Problem(422, "bad-option", f"threshold {number}: no such label; there are {', '.join(labels)}")
        thresholds[label if separator else ANY_LABEL] = score
    return thresholds


def answer_record(
    document: Document, model: str, thresholds: Mapping[str, float], unit: Unit
) -> tuple[dict[str, Any], list[str]]:
    """Return an annotated document as an answer holds it, and the labels of its entities."""
    kept = above_thresholds(document.entities, thresholds)
    places = positions_in(document.text, (at for e in kept for at in (e.start, e.end)), unit)
    entities = [{**e.to_dict(document.text), "start": places[e.start], "end": places[e.end]} for e in kept]
    others = {name: value for name, value in document.attributes.items() if name not in ("model", "offsets")}
    record = {"id": document.id, "text": document.text, "entities": entities, **others, "model": model}
    if unit != "codepoints":
        record["offsets"] = unit
    return record, [e.label for e in kept]
