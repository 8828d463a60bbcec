"""The sentences of a report that come nearest to a conclusion: what a student that quotes should have quoted.

Chosen greedily, as for the first extractive summarisers of news (Nallapati, Zhai and Zhou, 2017; Liu and Lapata, 2019):
the unit that raises the score most, then the one that raises it most beside the first, until none raises it any more.
The score is the mean of ROUGE-1, ROUGE-2 and ROUGE-L. ROUGE-L alone cannot see a sentence that stands earlier in the
conclusion than in the report, and takes one that shares a "de" in its place; the first two alone come to a bound of
ROUGE-L that is two points lower. Words are compared folded; `evaluation` scores the result with the house's own ROUGE,
as the bound of quoting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from carabin.exercises.units import Unit
from carabin.exercises.wording import fold
from carabin.generation.quoted_conclusion import BETWEEN, MOST_QUOTES, find_quotable
from carabin.tokens.words import find_words

LEAST_GAIN = 0.02
"""What raises the score less does so by a word such as "de"."""


def choose_quotes(text: str, conclusion: str, most: int = MOST_QUOTES) -> tuple[Unit, ...]:
    """Return the units of a report that come nearest to a conclusion, in the report's order; none where none is near.

    Args:
        text: The report, without its conclusion.
        conclusion: What its carer, or a teacher, wrote.
        most: Units at most.
    """
    units, expected = find_quotable(text), _Expected(_Words.of_text(conclusion))
    words = [_Words.of_text(text[start:end]) for start, end in units]
    chosen: list[int] = []
    best = 0.0
    while len(chosen) < most:
        beside = [number for number in range(len(units)) if number not in chosen]
        scored = [(expected.score([words[one] for one in sorted([*chosen, number])]), -number) for number in beside]
        score, number = max(scored, default=(0.0, 0))
        if score < best + LEAST_GAIN:
            break
        best = score
        chosen.append(-number)
    return tuple(units[number] for number in sorted(chosen))


def read_quotes(text: str, written: str) -> tuple[Unit, ...]:
    """Return the units of a report that a written conclusion is made of; of one in other words, those nearest to it."""
    known = {text[start:end]: (start, end) for start, end in find_quotable(text)}
    lines = written.split(BETWEEN)
    if all(line in known for line in lines):
        return tuple(sorted(known[line] for line in lines))
    return choose_quotes(text, written)


@dataclass(frozen=True, slots=True)
class _Words:
    """The folded words of a text, and how often each and each pair of neighbours stands in it."""

    listed: list[str]
    single: Counter[str]
    pairs: Counter[tuple[str, str]]

    @classmethod
    def of_text(cls, text: str) -> _Words:
        folded = fold(text)
        listed = [folded[start:end] for start, end in find_words(folded).tolist() if folded[start].isalnum()]
        return cls(listed, Counter(listed), Counter(pairwise(listed)))


class _Expected:
    """A conclusion that quotes are compared with."""

    def __init__(self, words: _Words) -> None:
        self.words = words
        self.places: dict[str, int] = {}
        """Of each word, the places where it stands, as bits of one number."""
        for number, word in enumerate(words.listed):
            self.places[word] = self.places.get(word, 0) | 1 << number

    def score(self, units: Sequence[_Words]) -> float:
        """Return the mean F-measure of units in a row; no pair of words stands across two of them."""
        single = sum((unit.single for unit in units), Counter[str]())
        pairs = sum((unit.pairs for unit in units), Counter[tuple[str, str]]())
        return (_overlap(single, self.words.single) + _overlap(pairs, self.words.pairs) + self.rouge_l(units)) / 3

    def rouge_l(self, units: Sequence[_Words]) -> float:
        """Return the F-measure of ROUGE-L (Lin, 2004) of units in a row.

        The longest common subsequence is counted bit by bit (Hyyrö, "Bit-parallel LCS-length computation revisited",
        2004): the bits that end as 0 are the words found.
        """
        count = len(self.words.listed)
        whole = row = (1 << count) - 1
        for unit in units:
            for word in unit.listed:
                found = row & self.places.get(word, 0)
                row = (row + found) | (row - found)
        common = count - (row & whole).bit_count()
        return 2 * common / (sum(len(unit.listed) for unit in units) + count) if common else 0.0


def _overlap(one: Counter[Any], other: Counter[Any]) -> float:
    whole = one.total() + other.total()
    return 2 * (one & other).total() / whole if whole else 0.0
