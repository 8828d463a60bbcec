"""Numbers that a conclusion may write: those of its source, digit for digit."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RUN = re.compile(r"\d+")


def digit_tokens(tokenizer: Any) -> dict[int, str]:  # noqa: ANN401 - tokenizers.Tokenizer
    """Return the tokens that hold a digit, and their text; a student's tokenizer has one for each digit."""
    texts = ((number, tokenizer.decode([number])) for number in range(tokenizer.get_vocab_size()))
    return {number: text for number, text in texts if _RUN.search(text)}


@dataclass(frozen=True, eq=False)
class SourceNumbers:
    """What may follow what in the digits of one source.

    Attributes:
        words: The tokens without a digit that may be written, the one that ends a text among them.
        digits: For the digits written last (none at first), the tokens that lengthen them to what a number of the
            source begins with.
        whole: Its runs of digits.
        texts: What each token of a digit writes.
    """

    words: NDArray[np.int64]
    digits: Mapping[str, NDArray[np.int64]]
    whole: frozenset[str]
    texts: Mapping[int, str]

    @classmethod
    def of_text(cls, text: str, words: NDArray[np.int64], texts: Mapping[int, str]) -> SourceNumbers:
        """Return those of a text.

        Args:
            text: The source.
            words: Tokens that may be written, with or without digits.
            texts: `digit_tokens` of the student.
        """
        whole = frozenset(_RUN.findall(text))
        known = {run[:stop] for run in whole for stop in range(1, len(run) + 1)}
        following: dict[str, list[int]] = defaultdict(list)
        for token, digit in texts.items():
            if digit.isdigit():
                for begun in known:
                    if begun.endswith(digit):
                        following[begun.removesuffix(digit)].append(token)
        ways = {begun: np.array(tokens, dtype=np.int64) for begun, tokens in following.items()}
        return cls(words[~np.isin(words, list(texts))], ways, whole, texts)

    def begin(self) -> KnownNumbers:
        """Return the place before the text."""
        return KnownNumbers(self)


@dataclass(frozen=True, eq=False)
class KnownNumbers:
    """A place in a text whose every run of digits is one of its source's.

    A model of a few million weights takes any number for any other: an age, a dose or a date that the report does not
    hold is worse than none. That a number stands in the source does not make it the right one: what is claimed of it is
    held against the source afterwards (`carabin.generation.faithfulness`).

    Attributes:
        source: Of the numbers.
        run: The digits written last, empty after anything else.
    """

    source: SourceNumbers
    run: str = ""

    def allowed(self) -> NDArray[np.int64]:
        """Return the digits that go on with a number of the source, and all else where none is left unfinished."""
        digits = self.source.digits.get(self.run)
        parts = [digits] if digits is not None else []
        if not self.run or self.run in self.source.whole:
            parts.append(self.source.words)
        return np.concatenate(parts)

    def advance(self, token: int) -> KnownNumbers:
        """Return the place after an allowed token."""
        digit = self.source.texts.get(token)
        return KnownNumbers(self.source, self.run + digit if digit else "")
