"""What a person changed in a pre-annotation, counted: how much of the machine's work was kept, and what was mended.

Each span of the pre-annotation is paired with at most one corrected span, the nearest kind of change first:

- **kept**: same start, end and label;
- **relabelled**: same start and end, another label;
- **moved**: same label, at least one character in common;
- **replaced**: at least one character in common, other bounds and another label;

and what is left over was **deleted** from the pre-annotation, or **added** to it. Among spans that overlap, those that
share most are paired first. Only counts come out: no text, no surface.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from carabin.documents import Entity

KEPT, RELABELLED, MOVED, REPLACED, DELETED, ADDED = CHANGES = (
    "kept", "relabelled", "moved", "replaced", "deleted", "added",
)  # fmt: skip
_PAIRED = (KEPT, RELABELLED, MOVED, REPLACED)

Change = tuple[str, str | None, str | None]
"""(kind, label before, label after); a deleted span has no label after, an added one none before."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """The changes of one document, or of several added up."""

    changes: Counter[Change] = field(default_factory=Counter)

    def __add__(self, other: Corrections) -> Corrections:
        return Corrections(self.changes + other.changes)

    @property
    def totals(self) -> dict[str, int]:
        """How often each kind of change was made."""
        totals = dict.fromkeys(CHANGES, 0)
        for (kind, _, _), number in self.changes.items():
            totals[kind] += number
        return totals

    @property
    def edits(self) -> int:
        """What the person had to do: all changes but `kept`."""
        return self.changes.total() - self.totals[KEPT]

    def by_label(self) -> dict[str, dict[str, int]]:
        """Return the totals of each label, that of the pre-annotation; an added span counts by its own."""
        found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(CHANGES, 0))
        for (kind, before, after), number in self.changes.items():
            found[before or after or ""][kind] += number
        return dict(sorted(found.items()))

    def relabellings(self) -> dict[str, dict[str, int]]:
        """Return label before -> label after -> how often, whether or not the bounds changed as well."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for (kind, before, after), number in self.changes.items():
            if kind in (RELABELLED, REPLACED):
                found[before or ""][after or ""] += number
        return {label: dict(sorted(to.items())) for label, to in sorted(found.items())}


def count_corrections(before: Sequence[Entity], after: Sequence[Entity]) -> Corrections:
    """Return what turned one document's pre-annotation into its corrected annotation; either may nest."""
    changes = find_changes(before, after)
    return Corrections(Counter((kind, _label(ours), _label(theirs)) for kind, ours, theirs in changes))


def _label(entity: Entity | None) -> str | None:
    return entity.label if entity else None


def find_changes(
    before: Sequence[Entity], after: Sequence[Entity]
) -> Iterator[tuple[str, Entity | None, Entity | None]]:
    """Yield each change (kind, entity before, entity after); a deleted entity has none after, an added one none before.

    Either side may nest.
    """
    ours, theirs = (sorted(spans, key=lambda e: (e.start, e.end, e.label)) for spans in (before, after))
    left, free = set(range(len(ours))), set(range(len(theirs)))
    for kind, _, one, other in sorted(_touching(ours, theirs)):
        if one in left and other in free:
            left.remove(one)
            free.remove(other)
            yield _PAIRED[kind], ours[one], theirs[other]
    yield from ((DELETED, ours[number], None) for number in sorted(left))
    yield from ((ADDED, None, theirs[number]) for number in sorted(free))


def _touching(ours: Sequence[Entity], theirs: Sequence[Entity]) -> Iterator[tuple[int, int, int, int]]:
    """Yield (kind of change, minus the characters shared, number of ours, number of theirs) of all that overlap."""
    starts = [entity.start for entity in theirs]
    longest = max((entity.end - entity.start for entity in theirs), default=0)
    for one, entity in enumerate(ours):
        for other in count(bisect_left(starts, entity.start - longest)):
            if other == len(theirs) or starts[other] >= entity.end:
                break
            target = theirs[other]
            shared = min(entity.end, target.end) - max(entity.start, target.start)
            if shared > 0:
                same_place = (entity.start, entity.end) == (target.start, target.end)
                kind = (0 if same_place else 2) + (entity.label != target.label)
                yield kind, -shared, one, other


class CorrectionTally:
    """Adds up documents; `to_dict` is the report."""

    def __init__(self, with_ids: bool = False) -> None:
        """Start with none; `with_ids` names each document in the report."""
        self.documents: list[dict[str, Any]] = []
        self.total = Corrections()
        self._with_ids = with_ids

    def add(self, identifier: str, before: Sequence[Entity], after: Sequence[Entity]) -> None:
        """Add a document: its pre-annotation, and what people made of it."""
        made = count_corrections(before, after)
        self.total += made
        name = {"id": identifier} if self._with_ids else {}
        self.documents.append({**name, **made.totals, "edits": made.edits})

    def to_dict(self) -> dict[str, Any]:
        """Return the counts, and the shares of the pre-annotation kept and of the documents left untouched."""
        totals = self.total.totals
        pre_annotated = sum(totals.values()) - totals[ADDED]
        untouched = sum(document["edits"] == 0 for document in self.documents)
        return {
            **totals,
            "edits": self.total.edits,
            "pre_annotated": pre_annotated,
            "kept_share": totals[KEPT] / pre_annotated if pre_annotated else None,
            "untouched_documents": untouched,
            "by_label": self.total.by_label(),
            "relabellings": self.total.relabellings(),
            "documents": self.documents,
        }
