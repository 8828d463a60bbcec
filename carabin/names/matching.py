"""Names found in a text by its words: longest first, case and accents folded, offsets untouched.

    >>> names = Names.of(["acide folique"])
    >>> words = find_words("Acide  Folique 5 mg")
    >>> found = names.find("Acide  Folique 5 mg", words)
    >>> [(int(words[m.first, 0]), int(words[m.last - 1, 1])) for m in found]
    [(0, 14)]

Only copies of words are folded, one by one, so a place in the text is never computed from a folded string, whose length
may differ ("œ", a combining accent).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from carabin.exercises.wording import fold
from carabin.tokens.words import Offsets, find_words

Name = tuple[str, ...]
"""Folded words of a name."""
_APOSTROPHES = str.maketrans("‘ʼ", "''")
"""Those that lists and texts write besides the one that `fold` knows."""
_PLURAL_LETTERS = 4
_UNFINISHED = frozenset(("a", "au", "aux", "avec", "d", "de", "des", "du", "en", "par", "pour", "sans", "sur", "'"))
"""Words that nothing ends with: "déclenché par" and "début de" qualify a name, and are none."""


class Match(NamedTuple):
    """A name found in a text: words `first` to `last`, half-open."""

    first: int
    last: int
    name: Name


@lru_cache(maxsize=1 << 16)
def fold_word(word: str, plurals: bool = False) -> str:
    """Return a word without case and accents; with `plurals` also without the `s` at the end of a long one."""
    bare = fold(word.translate(_APOSTROPHES))
    return bare[:-1] if plurals and len(bare) >= _PLURAL_LETTERS and bare.endswith("s") else bare


@dataclass(frozen=True)
class Names:
    """A set of names, by their first word."""

    known: frozenset[Name]
    lengths: dict[str, tuple[int, ...]]
    """First word -> how many words the names that begin with it have, longest first."""
    plurals: bool

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        least_words: int = 1,
        least_letters: int = 4,
        plurals: bool = False,
        unfinished: bool = False,
    ) -> Names:
        """Return the names that are not too short to be told from common words.

        Args:
            names: As a terminology spells them.
            least_words: A name has at least so many words.
            least_letters: And its longest word at least so many letters.
            plurals: Fold the last `s` of words.
            unfinished: Take what ends like "déclenché par" too ("vitamine D" does).
        """
        folded = (_fold_words(name, find_words(name), plurals) for name in names)
        return cls._index(
            (
                name
                for name in folded
                if len(name) >= least_words
                and (unfinished or name[-1] not in _UNFINISHED)
                and max((len(w) for w in name if w.isalpha()), default=0) >= least_letters
            ),
            plurals,
        )

    @classmethod
    def _index(cls, names: Iterable[Name], plurals: bool) -> Names:
        known = frozenset(names)
        lengths: dict[str, set[int]] = {}
        for name in known:
            lengths.setdefault(name[0], set()).add(len(name))
        return cls(known, {word: tuple(sorted(found, reverse=True)) for word, found in lengths.items()}, plurals)

    def without(self, names: Iterable[Name]) -> Names:
        """Return the set without these names."""
        return self._index(self.known - set(names), self.plurals)

    def find(self, text: str, words: Offsets) -> Iterator[Match]:
        """Yield the names in a text from left to right, the longest at each word, never overlapping.

        Args:
            text: The text.
            words: Its words, `find_words(text)`.
        """
        folded, position = _fold_words(text, words, self.plurals), 0
        while position < len(folded):
            for length in self.lengths.get(folded[position], ()):
                last = position + length
                name = folded[position:last]
                if (
                    last <= len(folded)
                    and name in self.known
                    and _stands_alone(text, words[position, 0], words[last - 1, 1])
                ):
                    yield Match(position, last, name)
                    position = last
                    break
            else:
                position += 1


class _Place(Protocol):
    """Words `first` to `last`, half-open."""

    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int: ...


Placed = TypeVar("Placed", bound=_Place)


def keep_longest(found: Iterable[Placed], n_words: int) -> list[Placed]:
    """Return the matches that no longer one overlaps, in no special order; of equally long ones the first given."""
    kept, taken = [], np.zeros(n_words, dtype=bool)
    for match in sorted(found, key=lambda match: match.first - match.last):  # stable
        if not taken[match.first : match.last].any():
            taken[match.first : match.last] = True
            kept.append(match)
    return kept


def nested_in_longer(inner: Iterable[tuple[int, int]], outer: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the inner spans that a longer outer one covers; the outer ones are in order and never overlap."""
    starts = [first for first, _ in outer]
    for first, last in inner:
        number = bisect_right(starts, first) - 1
        if number >= 0 and outer[number][1] >= last and outer[number][1] - outer[number][0] > last - first:
            yield first, last


def _fold_words(text: str, words: Offsets, plurals: bool) -> Name:
    return tuple(fold_word(text[start:end], plurals) for start, end in words.tolist())


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether no letter or digit touches the span: words are cut between letters and digits, names are not."""
    return not text[max(start - 1, 0) : start].isalnum() and not text[end : end + 1].isalnum()
