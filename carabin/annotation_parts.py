"""One part of a run: its documents annotated, those that cannot be set aside; in order, none lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from carabin.calibration import above_thresholds
from carabin.documents import Document
from carabin.formats import BadDocument, Item

if TYPE_CHECKING:
    from carabin.annotator import Annotator


@dataclass(frozen=True, slots=True)
class Part:
    """What became of a run of items."""

    read: int
    documents: tuple[Document, ...]
    bad: tuple[BadDocument, ...]

    def counts(self) -> dict[str, int]:
        """Return what the journal adds up."""
        return {
            "read": self.read,
            "documents": len(self.documents),
            "entities": sum(len(document.entities) for document in self.documents),
            "errors": len(self.bad),
            "blank": sum(not document.text.strip() for document in self.documents),
        }


@dataclass(frozen=True, slots=True)
class PartAnnotator:
    """Annotates parts."""

    annotator: Annotator
    refuses: Callable[[Document], str | None]
    """Why the output cannot hold a document, None if it can."""
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, items: Sequence[Item]) -> Part:
        """Return the documents with their entities, and what was set aside."""
        refused = {n: self.refuses(item) for n, item in enumerate(items) if isinstance(item, Document)}
        fit = {n: item for n, item in enumerate(items) if isinstance(item, Document) and refused[n] is None}
        results = dict(zip(fit, self._annotate(list(fit.values())), strict=True))
        documents: list[Document] = []
        bad: list[BadDocument] = []
        for number, item in enumerate(items):
            result = results.get(number, item)
            if isinstance(result, BadDocument):
                bad.append(result)
            elif cause := refused[number]:
                bad.append(BadDocument(f"id {result.id}", cause, result.id))
            else:
                documents.append(self._above_thresholds(result))
        return Part(len(items), tuple(documents), tuple(bad))

    def _annotate(self, documents: Sequence[Document]) -> list[Item]:
        try:
            return list(self.annotator.annotate(documents))
        except Exception:
            # One of them is the cause: alone, each shows whether it is the one.
            return [self._alone(document) for document in documents]

    def _alone(self, document: Document) -> Item:
        try:
            return next(self.annotator.annotate([document]))
        except Exception as error:
            # The error's own message may quote the text; its type cannot.
            return BadDocument(f"id {document.id}", f"the engine failed on it ({type(error).__name__})", document.id)

    def _above_thresholds(self, document: Document) -> Document:
        if not self.thresholds:
            return document
        return replace(document, entities=above_thresholds(document.entities, self.thresholds))


def cut_parts(items: Iterable[Item], count: int, characters: int) -> Iterator[list[Item]]:
    """Yield runs of at most `count` items; a run ends once it holds `characters` code points."""
    part: list[Item] = []
    held = 0
    for item in items:
        part.append(item)
        held += len(item.text) if isinstance(item, Document) else 0
        if len(part) == count or held >= characters:
            yield part
            part, held = [], 0
    if part:
        yield part
