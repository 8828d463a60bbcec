"""A document with its identities replaced, and every other annotation moved to where its words now stand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from carabin.documents import Entity
from carabin.pseudonyms.spans import Span


@dataclass(frozen=True, slots=True)
class Replaced:
    """One identity and what took its place."""

    span: Span
    """In the original text."""
    start: int
    """In the new text, as is `end`."""
    end: int
    original: str
    surrogate: str


def replace_spans(text: str, spans: Sequence[Span], surrogate_of: Callable[[Span], str]) -> tuple[str, list[Replaced]]:
    """Return the new text and what was replaced, in order.

    Args:
        text: The original.
        spans: Disjoint and sorted.
        surrogate_of: Gives what is written in a span's place.
    """
    pieces: list[str] = []
    done: list[Replaced] = []
    at, length = 0, 0
    for span in spans:
        surrogate = surrogate_of(span)
        pieces += [text[at : span.start], surrogate]
        start = length + span.start - at
        length = start + len(surrogate)
        done.append(Replaced(span, start, length, text[span.start : span.end], surrogate))
        at = span.end
    return "".join([*pieces, text[at:]]), done


def move_entities(entities: Sequence[Entity], done: Sequence[Replaced]) -> tuple[Entity, ...]:
    """Return entities where they stand in the new text; an end that fell inside an identity takes its surrogate whole.

    An entity of which nothing is left (its identity was replaced by an empty string) is dropped.
    """
    starts = [item.span.start for item in done]

    def moved(position: int, is_end: bool) -> int:
        number = bisect_right(starts, position - 1 if is_end else position) - 1
        if number < 0:
            return position
        item = done[number]
        if position < item.span.end or (is_end and position == item.span.end):
            return item.end if is_end else item.start
        return item.end + position - item.span.end

    found = (replace(e, start=moved(e.start, False), end=moved(e.end, True)) for e in entities)
    return tuple(sorted((e for e in found if e.start < e.end), key=lambda e: (e.start, -e.end)))


def marked(entities: Sequence[Entity], done: Sequence[Replaced]) -> tuple[Entity, ...]:
    """Return the entities with the surrogates added, under the labels of what they replaced."""
    added = (Entity(item.start, item.end, item.span.label, item.span.score) for item in done if item.start < item.end)
    return tuple(sorted((*entities, *added), key=lambda e: (e.start, -e.end)))
