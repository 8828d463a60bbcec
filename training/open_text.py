"""Open text made worth reading: sentences that say something new, and none that somebody will be measured on.

Leaflets repeat one another with another drug's name; a small encoder has no time to read them all. A sentence is kept
if at least half of its runs of four words were never seen before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from carabin.documents import Document

HELD_OUT_RUN = 8
"""Words in a row that a sentence may not share with a held-out text: what near-duplicates share and chance does not."""
NOVELTY_RUN = 4
LEAST_NOVELTY = 0.5

_END = re.compile(r"(?<=[.!?;:])\s+|\n+")
_WORDS = re.compile(r"[^\W\d_]+")


@dataclass
class OpenText:
    """A filter with a memory; `counts` says in words what it let through and what it did not, and why."""

    held_out: Iterable[str] = ()
    """Texts of dev and test sets."""
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._forbidden = {run for text in self.held_out for run in _runs(_words(text), HELD_OUT_RUN)}
        self._seen: set[int] = set()

    def read(self, documents: Iterable[Document]) -> Iterator[list[str]]:
        """Yield, for each document that has any, the sentences worth reading, in order."""
        for document in documents:
            sentences = [sentence for sentence in split_sentences(document.text) if self._keeps(sentence)]
            if sentences:
                yield sentences

    def _keeps(self, sentence: str) -> bool:
        words = _words(sentence)
        self.counts["words"] += len(words)
        if any(run in self._forbidden for run in _runs(words, HELD_OUT_RUN)):
            self.counts["held_out"] += len(words)
            return False
        runs = _runs(words, min(NOVELTY_RUN, len(words))) if words else []
        fresh = sum(run not in self._seen for run in runs)
        if not runs or fresh < LEAST_NOVELTY * len(runs):
            self.counts["repeated"] += len(words)
            return False
        self._seen.update(runs)
        self.counts["kept"] += len(words)
        return True


def split_sentences(text: str) -> list[str]:
    """Return the pieces of a text between ends of sentences, clauses and lines, stripped, none empty."""
    return [piece for piece in map(str.strip, _END.split(text)) if piece]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(text)]


def _runs(words: list[str], length: int) -> list[int]:
    # Sixty-four bits of hash instead of the words themselves: millions of runs must fit in memory.
    return [hash(tuple(words[start : start + length])) for start in range(len(words) - length + 1)]
