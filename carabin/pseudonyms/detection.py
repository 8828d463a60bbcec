"""Who and where in a text: the student's spans and the rules', merged by one policy (`spans`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carabin.documents import Document
from carabin.errors import CarabinError
from carabin.pseudonyms.dates import WrittenDate, date_spans, find_dates
from carabin.pseudonyms.identifiers import identifier_spans
from carabin.pseudonyms.names import name_spans, repeated_spans
from carabin.pseudonyms.places import hospital_names, place_spans
from carabin.pseudonyms.spans import LABELS, Span, merge_spans

if TYPE_CHECKING:
    from carabin.annotator import Annotator


class StudentError(CarabinError):
    """A student that does not find identities."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What was found in one document."""

    spans: tuple[Span, ...]
    """Disjoint, sorted."""
    dates: tuple[WrittenDate, ...]
    """The dates that rules can read, whether or not they are in a span."""


def rule_spans(text: str, dates: Iterable[WrittenDate]) -> list[Span]:
    """Return what the rules alone find; spans may overlap."""
    return [*identifier_spans(text), *date_spans(text, tuple(dates)), *place_spans(text), *name_spans(text)]


class Detector:
    """Finds identities with a student, with rules, or with both."""

    def __init__(self, annotator: Annotator | None, rules: bool = True) -> None:
        """Take a student, None for rules alone.

        Raises:
            StudentError: the student has a label that is no identity's, or no name label.
        """
        self.annotator = annotator
        self.rules = rules
        if annotator is None:
            return
        found = set(annotator.labels)
        if not found <= set(LABELS) or not {"NOM", "PRENOM"} <= found:
            raise StudentError(
                f"student '{annotator.model_id}' finds {', '.join(annotator.labels)}; pseudonymise needs one that "
                "finds NOM, PRENOM and other identity labels (pii): name it with --model, or say --rules-only"
            )

    def detect(self, documents: Sequence[Document]) -> list[Detection]:
        """Return what is found in each document; whatever the engine raises passes through."""
        found = self._student_spans(documents)
        return [_merged(document.text, spans, self.rules) for document, spans in zip(documents, found, strict=True)]

    def compare(self, documents: Sequence[Document]) -> dict[str, list[Detection]]:
        """Return what student and rules find together, and each alone, asking the student once."""
        found = self._student_spans(documents)
        texts = [document.text for document in documents]
        systems = {"rules": [_merged(text, (), True) for text in texts]}
        if self.annotator is not None:
            pairs = list(zip(texts, found, strict=True))
            systems["student"] = [_merged(text, spans, False) for text, spans in pairs]
            systems["student and rules"] = [_merged(text, spans, True) for text, spans in pairs]
        return systems

    def _student_spans(self, documents: Sequence[Document]) -> list[tuple[Span, ...]]:
        if self.annotator is None:
            return [()] * len(documents)
        return [
            tuple(Span(entity.start, entity.end, entity.label, score=entity.score) for entity in document.entities)
            for document in self.annotator.annotate(documents)
        ]


def _merged(text: str, found: Sequence[Span], rules: bool) -> Detection:
    dates = tuple(find_dates(text))
    if not rules:
        return Detection(tuple(merge_spans(text, found)), dates)
    spans = [*found, *rule_spans(text, dates)]
    sure = merge_spans(text, spans)
    spans += repeated_spans(text, [*sure, *hospital_names(text, sure)])
    return Detection(tuple(merge_spans(text, spans)), dates)
