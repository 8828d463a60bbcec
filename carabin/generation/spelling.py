"""Places of a constrained text: forks, where one token decides, and spellings, where a run of tokens is one of several.

Copies of a source and phrases of a list are spelled alike: all are runs of one stream of tokens, and a place is the set
of the runs that what was written so far begins. A run is over when a token of the fork behind it comes: forks go by
marks, which no run holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carabin.generation.constraints import Constraint

Tokens = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs of a stream of tokens.

    Attributes:
        stream: Shape (tokens,).
        starts: Where each run begins. Shape (runs,).
        ends: One past where it ends.
    """

    stream: Tokens
    starts: Tokens
    ends: Tokens

    @classmethod
    def of_phrases(cls, phrases: Iterable[Sequence[int]]) -> Runs:
        """Return phrases, each a run."""
        listed = [np.asarray(phrase, dtype=np.int64) for phrase in phrases]
        ends = np.cumsum([len(phrase) for phrase in listed], dtype=np.int64)
        stream = np.concatenate(listed) if listed else np.zeros(0, dtype=np.int64)
        return cls(stream, np.concatenate(([0], ends[:-1])).astype(np.int64)[: len(listed)], ends)

    @classmethod
    def of_copies(cls, stream: Tokens, copies: Sequence[tuple[int, int]]) -> Runs:
        """Return stretches of a source."""
        places = np.asarray(copies, dtype=np.int64).reshape(-1, 2)
        return cls(stream, places[:, 0], places[:, 1])


@dataclass(frozen=True, eq=False)
class Fork:
    """A place where one token says how the text goes on."""

    ways: Mapping[int, Callable[[], Constraint]]

    def allowed(self) -> Tokens:
        """Return the tokens that have a way."""
        return np.fromiter(sorted(self.ways), dtype=np.int64, count=len(self.ways))

    def advance(self, token: int) -> Constraint:
        """Return where the token's way leads."""
        return self.ways[token]()


@dataclass(frozen=True, eq=False)
class Spelling:
    """A place in one of several runs.

    Attributes:
        runs: All there are.
        then: Given a run that is whole, the place behind it. Of runs that are spelled alike the first counts.
        alive: Those that may still be meant, in the order in which they count. Shape (n,), n >= 1.
        depth: Tokens written of them.
    """

    runs: Runs
    then: Callable[[int], Constraint]
    alive: Tokens
    depth: int = 0

    @cached_property
    def _going(self) -> Tokens:
        return self.alive[self.runs.starts[self.alive] + self.depth < self.runs.ends[self.alive]]

    @cached_property
    def _next(self) -> Tokens:
        return self.runs.stream[self.runs.starts[self._going] + self.depth]

    @cached_property
    def _behind(self) -> Constraint | None:
        whole = self.alive[self.runs.starts[self.alive] + self.depth == self.runs.ends[self.alive]]
        return self.then(int(whole[0])) if len(whole) and self.depth else None

    @cached_property
    def _leaving(self) -> Tokens:
        leaving = self._behind.allowed() if self._behind else None
        return np.zeros(0, dtype=np.int64) if leaving is None else leaving

    def allowed(self) -> Tokens:
        """Return the next tokens of the runs, and those behind a run that is whole."""
        return np.union1d(self._next, self._leaving)

    def advance(self, token: int) -> Constraint:
        """Return the place after a token; what leads on from a whole run goes before what would lengthen another."""
        if self._behind is not None and token in self._leaving:
            return self._behind.advance(token)
        return Spelling(self.runs, self.then, self._going[self._next == token], self.depth + 1)


def walk(place: Constraint, tokens: Iterable[int]) -> Constraint | None:
    """Return the place after some tokens, None if one of them was not allowed."""
    for token in tokens:
        allowed = place.allowed()
        if allowed is not None and token not in allowed:
            return None
        place = place.advance(int(token))
    return place
