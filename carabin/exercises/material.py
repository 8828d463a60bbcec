"""The material of exercises: what of a report, and of a student's words, can still become one.

The grammar asks here before it offers a way, so that no way it offers is a dead end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from carabin.exercises.evidence import Evidence
from carabin.exercises.exercise import OPTIONS
from carabin.exercises.form import BLANK, LONGEST_RUN
from carabin.exercises.units import Unit, find_units, tells
from carabin.exercises.vignettes import find_body
from carabin.exercises.wording import MEASURED, FoldedPiece, fold, has_shape, mentions
from carabin.exercises.words import Phrasebook
from carabin.generation.source import Source

RIGHTS = {"qru": (1, 1), "qrm": (2, OPTIONS - 1), "qroc": (1, 1)}
"""Least and most right answers of each kind."""
LONGEST_QUOTE = 384
"""Tokens."""
_LONGEST_ANSWER, _LONGEST_MEASURE = 12, 6
"""Words."""
NAMED = "named"
"""In the place of a type: what a question names, which may begin with an article."""

TRIED = 16
"""Ways that are looked at before a question is held to be impossible: of what a report allows, the first few do."""

# A word of an answer: "2,5", "g/dL", "bêta-HCG", "°C" are one each, "l'échographie" is two.
_LETTERS = r"(?:\w[\u0300-\u036f]*)+"
_WORD = re.compile(rf"°?{_LETTERS}(?:(?:[-/.]|(?<=\d)[,:](?=\d)){_LETTERS})*|%")
_APART = re.compile(r"[;:?!•|…\t]|(?<!\b[A-Z])\.\s|\s\s")
"""What stands between two answers, never within one."""
_LEAN = frozenset(
    "a au aux avec ce ces d dans de des du elle en est et il l la le les leur ou par pas pour qu que qui sa sans se "
    "ses son sur un une y".split()
)
"""Words that no answer begins or ends with."""


class ReportText:
    """A report as exercises see it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)
        self.units = find_units(text)
        self.body = find_body(text)
        self.evidence = Evidence(text, self.units, self.body)
        self.unnamed: dict[str, list[int]] = {}
        """By type, the terms that stand nowhere in the report, by number: looked for once for all its windows."""


class Span(NamedTuple):
    """A stretch of the source's text that can be copied."""

    start: int
    end: int
    first: int
    """Its tokens."""
    last: int
    folded: str


Run = tuple[int, int]
"""Units that are quoted together: the first, one past the last."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question may quote and ask.

    Attributes:
        first: First unit of the evidence.
        last: One past the last unit; None for the report's.
        avoid: (type, start, end) of what was asked already, in code points of the report: no question asks that type of
            these words again.
        tired: Types that are asked only where no other can be.
    """

    first: int = 0
    last: int | None = None
    avoid: tuple[tuple[str, int, int], ...] = ()
    tired: frozenset[str] = frozenset()


class Material:
    """What exercises on one window of a report can be made of."""

    def __init__(self, report: ReportText, source: Source, book: Phrasebook) -> None:
        self.report, self.source, self.book = report, source, book
        self.text = source.text
        stop = source.start + len(source.text)
        self.units: list[Unit] = [
            (start - source.start, end - source.start)
            for start, end in report.units
            if source.start <= start and end <= stop
        ]
        self._wrong: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        self._fits: dict[tuple[str, str, Run], bool] = {}
        self._found: dict[tuple[int, str], list[Span]] = {}
        self._answers: dict[tuple[int, str], list[Span]] = {}

    def quoted(self, run: Run) -> Unit:
        """Return where a run of units begins and ends in the source's text."""
        return self.units[run[0]][0], self.units[run[1] - 1][1]

    def quotes(self, kind: str, asks: str, scope: Scope) -> Iterator[Run]:
        """Yield the runs of units that a question of this kind and type can quote, in order."""
        if not self.book.stems(kind, asks).texts or not self._has_enough_terms(kind, asks, RIGHTS[kind][0], ()):
            return
        last = len(self.units) if scope.last is None else scope.last
        for first in range(scope.first, last):
            for stop in range(first + 1, min(last, first + (LONGEST_RUN if kind == "qrm" else 1)) + 1):
                tokens = self.source.tokens(*self.quoted((first, stop)))
                if tokens is None or tokens[1] - tokens[0] > LONGEST_QUOTE:
                    break
                if not self.answers(first, asks):
                    break
                fits = self.answers(stop - 1, asks) and self._fits_run(kind, asks, (first, stop))
                if fits and not self._is_avoided(asks, (first, stop), scope):
                    yield first, stop

    def _fits_run(self, kind: str, asks: str, run: Run) -> bool:
        key = (kind, asks, run)
        if key not in self._fits:
            self._fits[key] = self.can_finish(kind, asks, run, ())
        return self._fits[key]

    def _is_avoided(self, asks: str, run: Run, scope: Scope) -> bool:
        start, end = (place + self.source.start for place in self.quoted(run))
        text = self.report.text
        return any(
            asks == other and (start < stop and begin < end or text[start:end] == text[begin:stop])
            for other, begin, stop in scope.avoid
        )

    def can_finish(self, kind: str, asks: str, run: Run, rights: tuple[Span, ...]) -> bool:
        """Return whether a question with these right answers, and as many more as it needs, can be finished.

        Only the first ways are tried, in an order that never changes: where this says yes, one of the next steps does.
        """
        if self.is_whole(kind, asks, run, rights):
            return True
        last = (run[1] - 1, run[1]) if len(rights) + 1 >= RIGHTS[kind][0] else run
        tried = islice(self._further(kind, asks, run, rights, last), TRIED)
        return any(self.can_finish(kind, asks, run, (*rights, span)) for span in tried)

    def is_whole(self, kind: str, asks: str, run: Run, rights: tuple[Span, ...]) -> bool:
        """Return whether a question with these right answers needs no other."""
        if len(rights) < RIGHTS[kind][0] or not self._reaches(run, rights):
            return False
        enough = self._has_enough_terms(kind, asks, len(rights), rights)
        return enough and bool(self.stems(kind, asks, run, rights, 1))

    def rights(self, kind: str, asks: str, run: Run, chosen: tuple[Span, ...]) -> Iterator[Span]:
        """Yield the answers that may follow those chosen, further on in the quote."""
        for span in self._further(kind, asks, run, chosen):
            if self.can_finish(kind, asks, run, (*chosen, span)):
                yield span

    def _reaches(self, run: Run, rights: Sequence[Span]) -> bool:
        """Return whether the last answer stands in the last unit that is quoted."""
        return bool(rights) and rights[-1].start >= self.units[run[1] - 1][0]

    def _further(
        self, kind: str, asks: str, run: Run, chosen: tuple[Span, ...], among: Run | None = None
    ) -> Iterator[Span]:
        """Yield what may be answered next; the first answer stands in the first unit that is quoted."""
        if len(chosen) == RIGHTS[kind][1]:
            return
        after, known = (chosen[-1].end if chosen else 0), {answer.folded for answer in chosen}
        for unit in range(*(among or run)) if chosen else range(run[0], run[0] + 1):
            if self.units[unit][1] > after:
                yield from (
                    span for span in self.answers(unit, asks) if span.start >= after and span.folded not in known
                )

    def stems(self, kind: str, asks: str, run: Run, rights: Sequence[Span], most: int | None = None) -> list[int]:
        """Return the templates that give no answer away and can be filled, by number; at most so many."""
        phrases = self.book.stems(kind, asks)
        numbers = (
            n
            for n in range(len(phrases.texts))
            if self._can_ask(asks, phrases.texts[n], phrases.folded[n], run, rights)
        )
        return list(islice(numbers, most))

    def _can_ask(self, asks: str, template: str, folded: str, run: Run, rights: Sequence[Span]) -> bool:
        if any(mentions(folded, answer.folded) for answer in rights):
            return False
        return BLANK not in template or any(True for _ in self.holes(asks, template, run, rights))

    def holes(self, asks: str, template: str, run: Run, rights: Sequence[Span]) -> Iterator[Span]:
        """Yield what of the quote the question can name: it leads to the answers and gives none away."""
        for span in self._named(asks, fold(template), run, rights):
            stem = fold(template.replace(BLANK, self.text[span.start : span.end]))
            if not any(mentions(stem, answer.folded) for answer in rights):
                yield span

    def _named(self, asks: str, template: str, run: Run, rights: Sequence[Span]) -> Iterator[Span]:
        """Yield what stands in the unit of the first answer, apart from it, and leads to it alone."""
        evidence, answer = self.report.evidence, rights[0]
        unit = next(number for number in range(*run) if self.units[number][1] >= answer.end)
        place, start = self._placed(unit), self.units[unit][0]
        shown, answered = evidence.of(place), (answer.start - start, answer.end - start)
        for span in self._spans(unit, NAMED):
            apart = span.end <= answer.start or answer.end <= span.start
            if apart and shown.may_name(asks, template, span.start - start, span.end - start, answered):
                if not evidence.is_told_twice(self.text[span.start : span.end], place):
                    yield span

    def answers(self, unit: int, asks: str) -> list[Span]:
        """Return the stretches of words of a unit that the report shows to be of a type."""
        if (unit, asks) not in self._answers:
            shown, start = self.report.evidence.of(self._placed(unit)), self.units[unit][0]
            spans = self._spans(unit, asks) if shown.asks(asks) else []
            self._answers[unit, asks] = [
                span for span in spans if shown.may_answer(asks, span.start - start, span.end - start)
            ]
        return self._answers[unit, asks]

    def _placed(self, unit: int) -> Unit:
        start, end = self.units[unit]
        return start + self.source.start, end + self.source.start

    def terms(self, asks: str, rights: Sequence[Span]) -> list[int]:
        """Return the terms that can be wrong answers, by number: not in the report, and holding no right answer."""
        key = asks, tuple(answer.folded for answer in rights)
        if key not in self._wrong:
            self._wrong[key] = list(self._find_terms(asks, rights))
        return self._wrong[key]

    def _find_terms(self, asks: str, rights: Sequence[Span]) -> Iterator[int]:
        phrases = self.book.terms(asks)
        for number in self._terms_not_in_report(asks):
            if not any(mentions(phrases.folded[number], answer.folded) for answer in rights):
                yield number

    def _terms_not_in_report(self, asks: str) -> list[int]:
        unnamed = self.report.unnamed
        if asks not in unnamed:
            folded = self.book.terms(asks).folded
            unnamed[asks] = [n for n, term in enumerate(folded) if not mentions(self.report.folded, term)]
        return unnamed[asks]

    def _has_enough_terms(self, kind: str, asks: str, count: int, rights: Sequence[Span]) -> bool:
        """Return whether there are terms enough beside so many right answers."""
        needed = 0 if kind == "qroc" else OPTIONS - count
        folded, found = self.book.terms(asks).folded, set[str]()
        for number in self._find_terms(asks, rights) if needed else ():
            found.add(folded[number])
            if len(found) == needed:
                return True
        return not needed

    def _spans(self, unit: int, asks: str) -> list[Span]:
        """Return the stretches of words of a unit that can answer a type, or be `NAMED`, in order, shortest first."""
        shape = asks if asks in MEASURED or asks == NAMED else ""
        if (unit, shape) not in self._found:
            self._found[unit, shape] = list(self._find_spans(*self.units[unit], shape))
        return self._found[unit, shape]

    def _find_spans(self, start: int, end: int, shape: str) -> Iterator[Span]:
        if not self._tells(start, end):
            return
        words = [match.span() for match in _WORD.finditer(self.text, start, end)]
        lean = [_is_lean(self.text[first:last]) for first, last in words]
        folded = FoldedPiece(self.text[start:end])
        longest = _LONGEST_MEASURE if shape in MEASURED else _LONGEST_ANSWER
        for number, (begin, _) in enumerate(words):
            if (lean[number] and shape != NAMED) or (shape in MEASURED and not self.text[begin].isdigit()):
                continue
            apart = _APART.search(self.text, begin, end)
            stop = apart.start() if apart else end
            for other in range(number, min(number + longest, len(words))):
                last = words[other][1]
                if last > stop:
                    break
                tokens = None if lean[other] else self.source.tokens(begin, last)
                if tokens and _can_stand(self.text[begin:last], shape):
                    yield Span(begin, last, *tokens, folded.part(begin - start, last - start))

    def _tells(self, start: int, end: int) -> bool:
        return tells(self.text[start:end], start + self.source.start >= self.report.body)

    @cached_property
    def longest_text(self) -> int:
        """Tokens of the longest exercise: a quote, answers and a name that are parts of it, a stem, terms, marks."""
        stems = [self.book.stems(kind, asks).runs for kind in self.book.kinds for asks in self.book.types]
        terms = [self.book.terms(asks).runs for asks in self.book.types]
        longest_stem, longest_term = (
            max((int((runs.ends - runs.starts).max(initial=0)) for runs in many), default=0) for many in (stems, terms)
        )
        return 3 * LONGEST_QUOTE + longest_stem + OPTIONS * longest_term + 4 * OPTIONS


def _can_stand(surface: str, shape: str) -> bool:
    """Return whether words can be an answer of a type of this shape."""
    if surface.count("(") != surface.count(")") or (shape != NAMED and not has_shape(surface, shape)):
        return False
    return shape != "dose" or surface.endswith("%") or any(map(str.isalpha, surface))


def _is_lean(word: str) -> bool:
    """Return whether a word is one that no answer ends with; the A of `streptocoque A` is none."""
    return fold(word) in _LEAN and not (len(word) == 1 and "A" <= word <= "Z")
