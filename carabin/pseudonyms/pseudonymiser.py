"""Documents in, pseudonymised documents out; one that cannot be made safe is set aside, never passed on as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from carabin.documents import Document
from carabin.formats import BadDocument, Item
from carabin.jobs.parts import Part
from carabin.pseudonyms.detection import Detection, Detector
from carabin.pseudonyms.keys import Secret
from carabin.pseudonyms.lexicon import folded
from carabin.pseudonyms.replacement import Replaced, marked, move_entities, replace_spans
from carabin.pseudonyms.spans import DATES
from carabin.pseudonyms.surrogates import Scope, Surrogates
from carabin.pseudonyms.tags import Tags

Consistency = Literal["document", "patient", "corpus"]
CONSISTENCIES = ("document", "patient", "corpus")
_WEEKS = range(26, 261)
"""Dates go back by half a year to five years: none of the output lies in the future, and no age changes."""
_SHORTEST_IN_ID = 4


@dataclass(frozen=True, slots=True)
class Policy:
    """What is put in the place of identities, and what else of a document is let through."""

    tags: bool = False
    """Tags (`<NOM_1>`) instead of surrogates."""
    consistent: Consistency = "document"
    """Within what the same identity has the same surrogate."""
    patient_field: str | None = None
    """Field of the record that tells the patient: their dates move together, whatever `consistent` says."""
    replace_ids: bool = False
    """Replace the documents' own ids too."""
    keep_fields: tuple[str, ...] = ()
    """Other fields of the record that go into the output as they are; the rest is dropped, since nobody reads it."""
    mark: bool = False
    """Add the surrogates' places to the entities."""


@dataclass(frozen=True, slots=True)
class PseudonymisedDocument(Document):
    """A document with what was replaced in it."""

    done: tuple[Replaced, ...] = ()
    source_id: str = ""
    days: int = 0
    """How far its dates moved."""
    unread_dates: int = 0
    """Dates that no form reads, each replaced by a tag."""

    def mapping(self) -> dict[str, Any]:
        """Return the record of the mapping: enough to restore the original text."""
        spans = [
            {"start": item.start, "end": item.end, "label": item.span.label, "original": item.original}
            for item in self.done
        ]
        return {"id": self.id, "source_id": self.source_id, "days": self.days, "spans": spans}


class PseudonymisedPart(Part):
    """A part whose entities are the identities replaced."""

    __slots__ = ()

    def counts(self) -> dict[str, int]:
        """Return what the journal adds up."""
        replaced = sum(len(document.done) for document in self.documents if isinstance(document, PseudonymisedDocument))
        return {**Part.counts(self), "entities": replaced}


class Pseudonymiser:
    """Replaces the identities of documents."""

    def __init__(self, detector: Detector, secret: Secret, policy: Policy) -> None:
        self.detector = detector
        self.secret = secret
        self.policy = policy

    def __call__(self, documents: Sequence[Document]) -> Iterator[Item]:
        """Yield each document with its identities replaced, or why it is set aside; what the student raises passes."""
        for document, detection in zip(documents, self.detector.detect(documents), strict=True):
            yield self.replace(document, detection)

    def replace(self, document: Document, detection: Detection) -> Item:
        """Return one document with what was found in it replaced."""
        policy = self.policy
        patient = self._patient(document)
        if isinstance(patient, BadDocument):
            return patient
        identifier = self._identifier(document, detection)
        if isinstance(identifier, BadDocument):
            return identifier
        scope = self._scope(document, patient)
        made: Tags | Surrogates
        if policy.tags:
            made = Tags(self.secret, scope, document.text)
        else:
            made = Surrogates(self.secret, scope, document.text, detection)
        text, done = replace_spans(document.text, detection.spans, made.replace)
        kept = {name: document.attributes[name] for name in policy.keep_fields if name in document.attributes}
        entities = move_entities(document.entities, done)
        return PseudonymisedDocument(
            identifier,
            text,
            marked(entities, done) if policy.mark else entities,
            kept,
            tuple(done),
            document.id,
            scope.days,
            made.unread_dates,
        )

    def _patient(self, document: Document) -> str | None | BadDocument:
        name = self.policy.patient_field
        if name is None:
            return None
        value = document.attributes.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
        cause = f"no field '{name}' to tell the patient by; add it, or leave out --patient-field"
        return BadDocument(f"id {document.id}", cause, document.id)

    def _scope(self, document: Document, patient: str | None) -> Scope:
        whose = f"document {document.id}" if patient is None else f"patient {patient}"
        weeks = _WEEKS[self.secret.draw(len(_WEEKS), "weeks", whose)]
        of_document = f"document {document.id}"
        name = {"corpus": "corpus", "patient": whose, "document": of_document}[self.policy.consistent]
        return Scope(name, self.policy.consistent == "document", -7 * weeks)

    def _identifier(self, document: Document, detection: Detection) -> str | BadDocument:
        """Return the id the document goes out under; one that holds an identity of its own text is not let out."""
        if self.policy.replace_ids:
            # Digits, since OMOP's ids are whole numbers.
            return str(10**14 + self.secret.draw(9 * 10**14, "id", document.id))
        words = f" {folded(document.id.replace('_', ' '))} "
        for span in detection.spans:
            value = folded(document.text[span.start : span.end])
            if span.label not in DATES and len(value) >= _SHORTEST_IN_ID and f" {value} " in words:
                cause = f"its id holds an identity of its text ({span.label}); say --replace-ids"
                return BadDocument("an id that is not shown", cause)
        return document.id
