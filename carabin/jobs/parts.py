"""One part of a run: its documents transformed, those that cannot be set aside; in order, none lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from carabin.documents import Document
from carabin.formats import BadDocument, Item

Transform = Callable[[Sequence[Document]], Iterable[Item]]
"""Yields one item a document, in order; where it raises, it is asked again for each document alone."""

TransformGroups = Callable[[Iterable[Sequence[Document]]], Iterator[Sequence[Item] | Exception]]
"""Yields, for each group, in order, its items or the error that one of them caused; may read the next group before."""


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
class PartMaker:
    """Makes parts of items by a transform of their documents."""

    transform: Transform
    refuses: Callable[[Document], str | None]
    """Why the output cannot hold a document, None if it can."""

    def __call__(self, items: Sequence[Item]) -> Part:
        """Return the documents, transformed, and what was set aside."""
        refused, fit = self._sort(items)
        return self._join(items, refused, dict(zip(fit, self._transformed(list(fit.values())), strict=True)))

    def stream(self, batches: Iterable[Sequence[Item]], transform: TransformGroups) -> Iterator[Part]:
        """Yield a part for each batch, in order, by a transform that may begin a batch before the last is done."""
        begun: deque[tuple[Sequence[Item], dict[int, str | None], dict[int, Document]]] = deque()

        def groups() -> Iterator[Sequence[Document]]:
            for items in batches:
                refused, fit = self._sort(items)
                begun.append((items, refused, fit))
                yield list(fit.values())

        for outcome in transform(groups()):
            items, refused, fit = begun.popleft()
            if isinstance(outcome, Exception):
                outcome = [self._alone(document) for document in fit.values()]
            yield self._join(items, refused, dict(zip(fit, outcome, strict=True)))

    def _sort(self, items: Sequence[Item]) -> tuple[dict[int, str | None], dict[int, Document]]:
        """Return, by number, why each document is refused, None if it is not; and those that are not."""
        refused = {n: self.refuses(item) for n, item in enumerate(items) if isinstance(item, Document)}
        return refused, {n: item for n, item in enumerate(items) if isinstance(item, Document) and refused[n] is None}

    def _join(self, items: Sequence[Item], refused: dict[int, str | None], results: dict[int, Item]) -> Part:
        documents: list[Document] = []
        bad: list[BadDocument] = []
        for number, item in enumerate(items):
            result = results.get(number, item)
            if isinstance(result, BadDocument):
                bad.append(result)
            elif cause := refused[number]:
                bad.append(BadDocument(f"id {result.id}", cause, result.id))
            else:
                documents.append(result)
        return Part(len(items), tuple(documents), tuple(bad))

    def _transformed(self, documents: Sequence[Document]) -> list[Item]:
        try:
            return list(self.transform(documents))
        except Exception:
            # One of them is the cause: alone, each shows whether it is the one.
            return [self._alone(document) for document in documents]

    def _alone(self, document: Document) -> Item:
        try:
            return next(iter(self.transform([document])))
        except Exception as error:
            # The error's own message may quote the text; its type cannot.
            return BadDocument(f"id {document.id}", f"the engine failed on it ({type(error).__name__})", document.id)


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
