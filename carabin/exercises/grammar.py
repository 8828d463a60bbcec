"""The grammar of exercises: whatever scores a model gives, what is written is a sound exercise on the report.

Kind, type, quote, right answers, stem, what the stem names, wrong answers: each is one of what `material` says can
still be finished. Quotes, answers and names are copies of the source's own tokens, so their offsets are exact by
construction; stems and terms are the student's own, spelled as its training spelled them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from carabin.exercises.exercise import OPTIONS, Kind, Question
from carabin.exercises.form import BLANK, LINKED, Draft
from carabin.exercises.material import RIGHTS, Material, Run, Scope, Span
from carabin.generation.constraints import Constraint
from carabin.generation.spelling import Fork, Runs, Spelling
from carabin.generation.tasks import ASK, HOLE, PROGRESSIVE, QUOTE, RIGHT, WRONG


@dataclass(frozen=True, slots=True)
class Ended:
    """The place after the last token: only the end may come."""

    drafts: tuple[Draft, ...]
    end: int

    def allowed(self) -> NDArray[np.int64]:
        """Return the token that ends a text."""
        return np.array([self.end], dtype=np.int64)

    def advance(self, token: int) -> Ended:
        """Return this place: nothing comes after the end."""
        return self


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question being written."""

    kind: str = ""
    asks: str = ""
    run: Run = (0, 0)
    rights: tuple[Span, ...] = ()
    template: str = ""
    hole: Span | None = None
    wrong: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Grammar:
    """The exercises that can be written on one window of a report.

    Attributes:
        material: What they can be made of.
        kinds: Those that may be written.
        scope: What they may quote and ask.
    """

    material: Material
    kinds: Sequence[Kind]
    scope: Scope = Scope()

    def exercise(self) -> Constraint | None:
        """Return where one exercise begins, before its kind; None if none can be written."""
        ways = self._kinds(self.scope, (), self._end)
        return Fork(ways) if ways else None

    def progressive(self) -> Constraint | None:
        """Return where a progressive file begins; None if the report has not the evidence for one."""
        bounds = self._bounds()
        if bounds is None:
            return None
        return Fork({self._mark(PROGRESSIVE): partial(self._linked, bounds, self.scope, ())})

    def _bounds(self) -> list[int] | None:
        """Return, for each linked question, the unit before which its evidence must end so that the rest can follow."""
        bounds = [len(self.material.units)]
        for _ in range(LINKED - 1):
            start = self._latest_start(bounds[0])
            if start is None:
                return None
            bounds.insert(0, start)
        return bounds if self._latest_start(bounds[0]) is not None else None

    def _latest_start(self, stop: int) -> int | None:
        """Return the last unit from which a question can be asked whose evidence ends before `stop`."""
        for first in range(stop - 1, self.scope.first - 1, -1):
            if self._kinds(replace(self.scope, first=first, last=stop), (), self._end):
                return first
        return None

    def _linked(self, bounds: Sequence[int], scope: Scope, done: tuple[Draft, ...]) -> Constraint:
        inside = replace(scope, last=bounds[len(done)])
        after = self._end if len(done) == LINKED - 1 else partial(self._link, bounds, scope)
        return Fork(self._kinds(inside, done, after))

    def _link(
        self, bounds: Sequence[int], scope: Scope, done: tuple[Draft, ...]
    ) -> dict[int, Callable[[], Constraint]]:
        source, last = self.material.source, done[-1].question
        first = next(n for n, (start, _) in enumerate(self.material.units) if start + source.start >= last.end)
        following = replace(scope, first=first, tired=scope.tired | {last.asks})
        return dict(cast("Fork", self._linked(bounds, following, done)).ways)

    def _kinds(self, scope: Scope, done: tuple[Draft, ...], after: _After) -> dict[int, Callable[[], Constraint]]:
        begin = partial(self._types, scope, done, after)
        return {
            self.material.book.kinds[kind]: partial(begin, kind)
            for kind in self.kinds
            if any(self._can_ask(kind, asks, scope) for asks in self.material.book.types)
        }

    def _can_ask(self, kind: str, asks: str, scope: Scope) -> bool:
        return any(True for _ in self.material.quotes(kind, asks, scope))

    def _types(self, scope: Scope, done: tuple[Draft, ...], after: _After, kind: str) -> Constraint:
        found = [asks for asks in self.material.book.types if self._can_ask(kind, asks, scope)]
        fresh = [asks for asks in found if asks not in scope.tired] or found
        writer = _Writing(self.material, done, after)
        return Fork({self.material.book.types[asks]: partial(writer.quote_mark, kind, asks, scope) for asks in fresh})

    def _end(self, done: tuple[Draft, ...]) -> dict[int, Callable[[], Constraint]]:
        return {self.material.book.end: lambda: Ended(done, self.material.book.end)}

    def _mark(self, mark: str) -> int:
        return self.material.book.fields[mark]


_After = Callable[[tuple[Draft, ...]], dict[int, Callable[[], Constraint]]]
"""Given the exercises written so far, the ways behind the last."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """The places of one question, from its quote to its last wrong answer."""

    material: Material
    done: tuple[Draft, ...]
    after: _After

    def quote_mark(self, kind: str, asks: str, scope: Scope) -> Constraint:
        return self._fork({QUOTE: partial(self._quote, _Asked(kind, asks), scope)})

    def _quote(self, asked: _Asked, scope: Scope) -> Constraint:
        runs = list(self.material.quotes(asked.kind, asked.asks, scope))
        copies = [self.material.source.tokens(*self.material.quoted(run)) for run in runs]
        return self._copy(copies, lambda n: self._fork(self._after_quote(replace(asked, run=runs[n]))))  # type: ignore[arg-type]

    def _after_quote(self, asked: _Asked) -> dict[str, Callable[[], Constraint]]:
        return {RIGHT: partial(self._right, asked)}

    def _right(self, asked: _Asked) -> Constraint:
        spans = self._next_rights(asked)
        return self._copy_spans(spans, lambda n: self._after_right(replace(asked, rights=(*asked.rights, spans[n]))))

    def _next_rights(self, asked: _Asked) -> list[Span]:
        return list(self.material.rights(asked.kind, asked.asks, asked.run, asked.rights))

    def _after_right(self, asked: _Asked) -> Constraint:
        ways: dict[str, Callable[[], Constraint]] = {}
        least, most = RIGHTS[asked.kind]
        facts = (asked.kind, asked.asks, asked.run, asked.rights)
        if len(asked.rights) >= least and self.material.is_whole(*facts):
            ways[ASK] = partial(self._stem, asked)
        if len(asked.rights) < most and any(True for _ in self.material.rights(*facts)):
            ways[RIGHT] = partial(self._right, asked)
        return self._fork(ways)

    def _stem(self, asked: _Asked) -> Constraint:
        phrases = self.material.book.stems(asked.kind, asked.asks)
        fitting = self.material.stems(asked.kind, asked.asks, asked.run, asked.rights)
        return Spelling(
            phrases.runs,
            lambda n: self._after_stem(replace(asked, template=phrases.texts[n])),
            np.array(fitting, dtype=np.int64),
        )

    def _after_stem(self, asked: _Asked) -> Constraint:
        if BLANK in asked.template:
            return self._fork({HOLE: partial(self._hole, asked)})
        return self._after_options(asked)

    def _hole(self, asked: _Asked) -> Constraint:
        spans = list(self.material.holes(asked.asks, asked.template, asked.run, asked.rights))
        return self._copy_spans(spans, lambda n: self._after_options(replace(asked, hole=spans[n])))

    def _after_options(self, asked: _Asked) -> Constraint:
        if asked.kind == "qroc" or len(asked.rights) + len(asked.wrong) == OPTIONS:
            return Fork(self.after((*self.done, self._draft(asked))))
        return self._fork({WRONG: partial(self._wrong, asked)})

    def _wrong(self, asked: _Asked) -> Constraint:
        phrases = self.material.book.terms(asked.asks)
        chosen = {phrases.folded[number] for number in asked.wrong}
        terms = self.material.terms(asked.asks, asked.rights)
        fitting = [number for number in terms if phrases.folded[number] not in chosen]
        return Spelling(
            phrases.runs,
            lambda n: self._after_options(replace(asked, wrong=(*asked.wrong, n))),
            np.array(fitting, dtype=np.int64),
        )

    def _copy_spans(self, spans: Sequence[Span], then: Callable[[int], Constraint]) -> Constraint:
        return self._copy([(span.first, span.last) for span in spans], then)

    def _copy(self, copies: Sequence[tuple[int, int]], then: Callable[[int], Constraint]) -> Constraint:
        return Spelling(Runs.of_copies(self.material.source.ids, copies), then, np.arange(len(copies)))

    def _fork(self, ways: dict[str, Callable[[], Constraint]]) -> Constraint:
        return Fork({self.material.book.fields[mark]: way for mark, way in ways.items()})

    def _draft(self, asked: _Asked) -> Draft:
        text, source = self.material.text, self.material.source
        start, end = self.material.quoted(asked.run)
        hole = text[asked.hole.start : asked.hole.end] if asked.hole else ""
        terms = self.material.book.terms(asked.asks).texts
        question = Question(
            kind=cast("Kind", asked.kind),
            asks=asked.asks,
            stem=asked.template.replace(BLANK, hole) if hole else asked.template,
            right=tuple(text[answer.start : answer.end] for answer in asked.rights),
            wrong=tuple(terms[number] for number in asked.wrong),
            start=start + source.start,
            end=end + source.start,
            quote=text[start:end],
        )
        return Draft(question, asked.template, hole)
