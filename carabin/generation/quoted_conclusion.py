"""A conclusion that quotes: whole sentences and lines of the report, word for word and in its order, and nothing else.

A small student writes no language of its own, but it can choose. Whatever its scores, the text is made of the report's
units, each copied token by token and set on a line; what the student decides is which, and where to stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.errors import ModelError
from carabin.exercises.units import Unit, find_units, tells
from carabin.exercises.vignettes import find_body
from carabin.exercises.wording import fold
from carabin.generation.constraints import Constraint
from carabin.generation.sections import find_titles
from carabin.generation.source import Source
from carabin.generation.spelling import Fork, Runs, Spelling, walk

MOST_QUOTES = 3
"""Units of a report at most, and one of each window where it has more windows. No synthetic report's conclusion is come
nearer to with a fourth (docs/decisions/0012-conclusions-that-quote.md)."""
BETWEEN = "\n"
"""What stands between two quotes; no unit holds it."""
_TURNING = re.compile(
    r"\b(?:absence|pas|aucun|sans|ni|non|negati|elimin|ecart|exclu|differentiel|arret|stop|suspen|interromp|interrup"
    r"|retir|refus|evict|contre-indi|allerg|intoler|famil)"
)
"""In a heading, folded: what stands below it is denied, stopped, harmful to the patient, or the family's. `- fièvre`
below `Absence de :` is word for word the report's, and a lie."""

_SIGNING = re.compile(
    r"(?:(?:bien )?confraternellement|cordialement|avec mes|signe\b|copies?\b|destinataires?\b"
    r"|document (?:valide|signe)|(?:dr|docteur|pr|prof|professeur)\b)"
)
"""How lines below a report begin, folded: greetings, signatures, recipients. `Dr Petit l'a revue.` is a sentence."""


def find_quotable(text: str) -> list[Unit]:
    """Return the units of a report that can stand in its conclusion, in order.

    Each says something: no heading, no letterhead, no signature, no rule of dashes; and says it alone: no item below
    words that turn its sense. Of units worded alike the first counts.
    """
    body, titles = find_body(text), find_titles(text)
    found: dict[str, Unit] = {}
    above = ""
    for start, end in find_units(text):
        unit = text[start:end]
        if unit.endswith(":") or any(first <= start and end <= last for first, last in titles):
            above = fold(unit)
        elif any(map(str.isalnum, unit)) and tells(unit, start >= body) and _stands_alone(unit, above):
            found.setdefault(unit, (start, end))
    return list(found.values())


def _stands_alone(unit: str, above: str) -> bool:
    """Return whether a unit says the same alone as below its heading, folded, and is no signature; a sentence does."""
    sentence = unit.endswith((".", "!", "?"))
    return sentence or not (_TURNING.search(above) or _SIGNING.match(fold(unit)))


def join_quotes(text: str, quotes: Iterable[Unit]) -> str:
    """Return the conclusion that quotes of a report make."""
    return BETWEEN.join(text[start:end] for start, end in quotes)


@dataclass(frozen=True, slots=True, eq=False)
class Concluded:
    """The place behind a conclusion.

    Attributes:
        end: The token that ends a text.
        quotes: Where what was quoted stands in the report, in order.
    """

    end: int
    quotes: tuple[Unit, ...] = ()

    def allowed(self) -> NDArray[np.int64]:
        """Return the token that ends a text: where nothing can be quoted, it ends before it began."""
        return np.array([self.end], dtype=np.int64)

    def advance(self, token: int) -> Constraint:
        """Return this place."""
        return self


class QuotedConclusion:
    """The conclusions that may be written of one window of a report."""

    def __init__(
        self,
        source: Source,
        quotable: Iterable[Unit],
        tokenizer: Any,  # noqa: ANN401 - tokenizers.Tokenizer
        longest: int,
        end: int = 1,
        most: int = MOST_QUOTES,
    ) -> None:
        """Find what can be copied.

        Args:
            source: The window.
            quotable: `find_quotable` of its report.
            tokenizer: The student's.
            longest: Tokens of a conclusion, the one that ends it counted; units that are longer are not quoted.
            end: The token that ends a text.
            most: Units at most.

        Raises:
            ModelError: the tokenizer has no token for a line break.
        """
        self.longest, self.end, self.most, self.between = longest, end, most, _spell_break(tokenizer)
        stop = source.start + len(source.text)
        copies = [
            (unit, tokens)
            for unit in quotable
            if source.start <= unit[0] and unit[1] <= stop
            and (tokens := source.tokens(unit[0] - source.start, unit[1] - source.start))
        ]  # fmt: skip
        self.units = [unit for unit, _ in copies]
        self._runs = Runs.of_copies(source.ids, [tokens for _, tokens in copies])
        self._lengths = self._runs.ends - self._runs.starts

    def begin(self) -> Constraint:
        """Return the place before the first quote; behind the conclusion, where nothing can be quoted."""
        return self._quote((), 0) or Concluded(self.end)

    def _quote(self, chosen: tuple[int, ...], written: int) -> Constraint | None:
        """Return the place before another quote, None where none fits.

        Args:
            chosen: The quotes so far, by number.
            written: Tokens so far.
        """
        after = chosen[-1] + 1 if chosen else 0
        fits = written + self._lengths[after:] + 1 <= self.longest
        alive = after + np.flatnonzero(fits)
        if len(chosen) == self.most or not len(alive):
            return None
        return Spelling(self._runs, partial(self._after, chosen, written), alive)

    def _after(self, chosen: tuple[int, ...], written: int, number: int) -> Constraint:
        chosen = (*chosen, number)
        quotes = tuple(self.units[one] for one in chosen)
        ways: dict[int, Any] = {self.end: lambda: Concluded(self.end, quotes)}
        if further := self._quote(chosen, written + int(self._lengths[number]) + 1):
            ways[self.between] = lambda: further
        return Fork(ways)

    def spell(self, quotes: Sequence[Unit]) -> list[int]:
        """Return the tokens of some quotes, without the one that ends the text; those that cannot stand are left out.

        Args:
            quotes: In the report's order.
        """
        ids: list[int] = []
        for number in [self.units.index(unit) for unit in quotes if unit in self.units][: self.most]:
            start, end = int(self._runs.starts[number]), int(self._runs.ends[number])
            before = [self.between] if ids else []
            if len(ids) + len(before) + end - start + 1 <= self.longest:
                ids += [*before, *self._runs.stream[start:end].tolist()]
        return ids

    def read(self, tokens: Iterable[int]) -> tuple[Unit, ...]:
        """Return where what was written stands in the report.

        Args:
            tokens: Of a text that ended, without the token that ends it.
        """
        place = walk(self.begin(), [*(int(token) for token in tokens), self.end])
        return place.quotes if isinstance(place, Concluded) else ()


def quote_windows(
    windows: Sequence[Source],
    text: str,
    tokenizer: Any,  # noqa: ANN401
    longest: int,
    end: int,
) -> list[QuotedConclusion]:
    """Return what may be quoted of each window of a report: `MOST_QUOTES` in all, or one of each if they are more."""
    quotable, most = find_quotable(text), max(1, MOST_QUOTES // max(len(windows), 1))
    return [QuotedConclusion(window, quotable, tokenizer, longest, end, most) for window in windows]


def _spell_break(tokenizer: Any) -> int:  # noqa: ANN401
    ids = tokenizer.encode(BETWEEN, add_special_tokens=False).ids
    if len(ids) != 1:
        raise ModelError(
            f"tokenizer.json: {len(ids)} tokens for a line break, a student that quotes needs one; fetch it again"
        )
    return int(ids[0])
