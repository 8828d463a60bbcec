"""Entities as text: lines `surface | LABEL` in the order of the text, each surface a copy of its tokens.

Surfaces stand at places that only rise, so a line says where its entity is, and offsets are exact by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import takewhile
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Entity
from carabin.generation.constraints import Constraint
from carabin.generation.source import Source
from carabin.generation.spelling import Runs, Spelling
from carabin.tokens.words import find_words

LONGEST_ENTITY = 24
"""Words."""
_BAR = "|"


def spell_label(tokenizer: Any, label: str) -> list[int]:  # noqa: ANN401 - tokenizers.Tokenizer
    """Return the tokens of what follows a surface, ` | LABEL` and the line's end, encoded as it stands alone."""
    return list(tokenizer.encode(f" {_BAR} {label}\n", add_special_tokens=False).ids)


@dataclass(frozen=True, eq=False)
class _Line:
    """The place before a line, or the end: the entities so far, and the text before `place` is behind."""

    lines: EntityLines
    found: tuple[Entity, ...]
    place: int

    @cached_property
    def _surfaces(self) -> Constraint | None:
        alive = np.flatnonzero(self.lines.begins >= self.place)
        return Spelling(self.lines.runs, partial(self.lines.after_surface, self.found), alive) if len(alive) else None

    def allowed(self) -> NDArray[np.int64]:
        """Return the tokens that surfaces begin with, and the one that ends a text."""
        first = self._surfaces.allowed() if self._surfaces else None
        ending = np.array([self.lines.end], dtype=np.int64)
        return ending if first is None else np.union1d(ending, first)

    def advance(self, token: int) -> Constraint:
        """Return the place in a surface; after the end there is this one."""
        return self if token == self.lines.end or self._surfaces is None else self._surfaces.advance(token)


class EntityLines:
    """The lines that may be written of one passage."""

    def __init__(self, source: Source, tokenizer: Any, labels: Sequence[str], end: int = 1) -> None:  # noqa: ANN401
        """Find what can be copied.

        Args:
            source: The passage.
            tokenizer: The student's.
            labels: Of the entities it may find.
            end: The token that ends a text.
        """
        self.source, self.labels, self.end = source, tuple(labels), end
        spelled = [spell_label(tokenizer, label) for label in self.labels]
        # The space before the bar may be a token that surfaces hold too (`type 2`): what all labels begin with is
        # spelled as part of each surface, so that either may be meant until a token tells.
        shared = _shared_tokens(spelled)
        self._endings = Runs.of_phrases([ids[shared:] for ids in spelled])
        self._closing = {ids[-1] for ids in spelled}
        stretches = _stretches(source.text) if spelled else []
        spans = [(start, stop, tokens) for start, stop in stretches if (tokens := source.tokens(start, stop))]
        self.begins = np.array([start for start, _, _ in spans], dtype=np.int64)
        self._spans = [(start, stop) for start, stop, _ in spans]
        self.runs = Runs.of_phrases([*source.ids[slice(*tokens)], *spelled[0][:shared]] for _, _, tokens in spans)

    def begin(self) -> Constraint:
        """Return the place before the first line."""
        return _Line(self, (), 0)

    def after_surface(self, found: tuple[Entity, ...], number: int) -> Constraint:
        """Return the place after a surface and what all labels begin with, where one of them goes on."""
        start, stop = self._spans[number]

        def after_label(label: int) -> Constraint:
            entity = Entity(start + self.source.start, stop + self.source.start, self.labels[label])
            return _Line(self, (*found, entity), stop)

        return Spelling(self._endings, after_label, np.arange(len(self.labels)))

    def read(self, tokens: Iterable[int]) -> list[Entity]:
        """Return the entities of the whole lines in some tokens, with the report's places; a line cut short is none."""
        place, found = self.begin(), cast("tuple[Entity, ...]", ())
        for token in tokens:
            place = place.advance(int(token))
            allowed = place.allowed() if int(token) in self._closing else None
            if allowed is not None and self.end in allowed:
                behind = place.advance(self.end)
                found = behind.found if isinstance(behind, _Line) else found
        return list(found)


def _shared_tokens(spelled: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all labels begin with; one is left to each."""
    alike = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*spelled, strict=False)))
    return min([alike, *(len(ids) - 1 for ids in spelled)])


def _stretches(text: str) -> list[tuple[int, int]]:
    """Return the stretches of words that an entity can be: within a line, and without what ends a surface."""
    words = find_words(text)
    # Words of two lines, or on both sides of a bar, are not of one stretch.
    parts = np.searchsorted(np.flatnonzero([character in "\n|" for character in text]), words[:, 0], side="right")
    bars = np.array([text[start] == _BAR for start in words[:, 0].tolist()], dtype=bool)
    stretches: list[tuple[int, int]] = []
    for first in np.flatnonzero(~bars).tolist():
        run = words[first : first + LONGEST_ENTITY]
        run = run[parts[first : first + LONGEST_ENTITY] == parts[first]]
        stretches += [(int(words[first, 0]), int(stop)) for stop in run[:, 1]]
    return stretches
