"""A terminology that teaches: `models/terminologies/<terminology>.toml`. Its lists are corpora with cards of their own.

Every list's card carries its licence, its evidence and its file's sha256; the licence gate judges them like a text.
"""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from zoo.registry.recipes import STRICT, CorpusUse, require


@dataclass(frozen=True, config=STRICT)
class TermList:
    """One file of a terminology."""

    corpus: str
    """Id of a card in `datasets_cards/` that lists `lexicon` among its uses."""
    split: str
    form: Literal["substances", "products", "phenotypes"]
    """How names stand in its lines; each form is a reader of `zoo.terminologies.names`."""

    @property
    def use(self) -> CorpusUse:
        """Return the list as a recipe names a corpus."""
        return CorpusUse(self.corpus, self.split)


@dataclass(frozen=True, config=STRICT)
class Terminology:
    """Names that all get one label where a text holds them."""

    id: str
    summary: str
    label: str
    """Of the student's label set."""
    confidence: float
    """How sure a match is: the share of matches that gold *train* annotates with this very span and label."""
    lists: tuple[TermList, ...]
    least_words: int = 1
    """Shorter names are left out: one common word is an ambiguous name."""
    least_letters: int = 4
    """Of a name's longest word: "or", "air" and "eau" are substances, and words."""
    plurals: bool = False
    """Words of a name and of a text are the same without their last `s`."""

    @property
    def corpora(self) -> tuple[CorpusUse, ...]:
        """The lists as a recipe names corpora: what an encoder calls so too."""
        return tuple(part.use for part in self.lists)

    def __post_init__(self) -> None:
        require(bool(self.lists), "lists must name a file")
        require(0.5 < self.confidence < 1, "confidence must lie in (0.5, 1): no match is certain")
        require(1 <= self.least_words <= 8 and self.least_letters >= 1, "least_words 1..8, least_letters at least 1")


@dataclass(frozen=True, config=STRICT)
class TransferChoice:
    """Which documents of a transfer corpus are read: those that hold names no chosen one held before."""

    corpora: tuple[str, ...]
    """Ids of the transfer corpora that are chosen from; the others are read from the start."""
    terminologies: tuple[str, ...]
    """Whose names count."""
    new_names: int = 3
    """A document is chosen if it holds so many names that the ones before it did not."""
    every: int = 1
    """Only one document in so many is looked at: a corpus in alphabetical order is then read across."""

    def __post_init__(self) -> None:
        require(bool(self.corpora) and bool(self.terminologies), "corpora and terminologies must name what is chosen")
        require(self.new_names > 0 and self.every > 0, "new_names and every must be positive")
