"""The exercises of some reports, written round by round: one question on each report a round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from carabin.documents import Document
from carabin.exercises.exercise import Kind, QuestionSet
from carabin.exercises.form import LINKED, Draft
from carabin.exercises.grammar import Ended, Grammar
from carabin.exercises.material import Material, ReportText, Scope
from carabin.exercises.words import Phrasebook
from carabin.generation.constraints import Constraint
from carabin.generation.decoding import generate
from carabin.generation.limits import Limits
from carabin.generation.source import Source
from carabin.generation.spelling import walk
from carabin.generation.tasks import EXERCISES

if TYPE_CHECKING:
    from carabin.generation.writer import Writer


class ReadWindows:
    """Some reports as a student reads them to write on: their windows, read once."""

    def __init__(
        self, writer: Writer, book: Phrasebook, documents: Sequence[Document], cut: Callable[[str], list[Source]]
    ) -> None:
        """Read.

        Args:
            writer: The student.
            book: Its words.
            documents: The reports.
            cut: Gives the windows of a report.
        """
        self.rows: list[list[int]] = []
        self.material: list[Material] = []
        for document in documents:
            report, windows = ReportText(document.text), cut(document.text)
            self.rows.append(list(range(len(self.material), len(self.material) + len(windows))))
            self.material += [Material(report, source, book) for source in windows]
        self.sources = writer.read([one.source for one in self.material]) if self.material else None


class ExerciseSession:
    """What was asked of some reports so far, and what may be asked next."""

    def __init__(self, writer: Writer, book: Phrasebook, documents: Sequence[Document]) -> None:
        """Begin with nothing asked."""
        self.writer, self.book, self.documents = writer, book, documents
        self.scopes = [Scope() for _ in documents]

    def question_sets(self, kinds: Sequence[Kind], count: int, progressive: bool) -> Iterator[QuestionSet]:
        """Yield a set for each report."""
        attributes = {"model": self.writer.name, "version": self.writer.version}
        for document, drafts in zip(self.documents, self.write(kinds, count, progressive), strict=True):
            alone = tuple(one.question for each in drafts if len(each) == 1 for one in each)
            linked = tuple(one.question for each in drafts if len(each) > 1 for one in each)
            yield QuestionSet(document.id, alone, linked, dict(attributes))

    def write(self, kinds: Sequence[Kind], count: int, progressive: bool) -> list[list[tuple[Draft, ...]]]:
        """Return each report's exercises, a progressive file last."""
        written: list[list[tuple[Draft, ...]]] = [[] for _ in self.documents]
        windows = ReadWindows(self.writer, self.book, self.documents, self.writer.cut_exercises)
        for number in range(count):
            for report, drafts in self._round(windows, (kinds[number % len(kinds)],), number, linked=False):
                written[report].append(drafts)
                self._remember(report, drafts)
        if progressive:
            # Its questions may come back to what was asked alone: it is a file of its own. What they follow one another
            # through is the whole report.
            self.scopes = [Scope() for _ in self.documents]
            whole = ReadWindows(self.writer, self.book, self.documents, partial(self.writer.sources_of, EXERCISES))
            for report, drafts in self._round(whole, kinds, 0, linked=True):
                written[report].append(drafts)
        return written

    def _round(
        self, windows: ReadWindows, kinds: Sequence[Kind], turn: int, linked: bool
    ) -> list[tuple[int, tuple[Draft, ...]]]:
        """Write one exercise, or one progressive file, on each report that has the material for it."""
        found = {report: self._begin(windows, report, kinds, turn, linked) for report in range(len(self.documents))}
        begun = [(report, *place) for report, place in found.items() if place]
        if not begun or windows.sources is None:
            return []
        places = [place for _, _, place in begun]
        rows = np.array([row for _, row, _ in begun])
        # The grammar ends every exercise by itself; this only bounds it.
        longest = max(windows.material[row].longest_text for _, row, _ in begun)
        limits = Limits(longest * (LINKED if linked else 1))
        texts = generate(windows.sources, rows, [], limits, self.writer.special, places)
        # The last run is whole only once the token that ends the text came; it is not among those that were written.
        end = self.writer.special.end
        ends = [
            walk(place, [*text.tokens.tolist(), end]) if text.finished else None
            for place, text in zip(places, texts, strict=True)
        ]
        return [(report, end.drafts) for (report, _, _), end in zip(begun, ends, strict=True) if isinstance(end, Ended)]

    def _begin(
        self, windows: ReadWindows, report: int, kinds: Sequence[Kind], turn: int, linked: bool
    ) -> tuple[int, Constraint] | None:
        """Return the window that is written of and where its text begins: windows in turn, those that allow it."""
        rows = windows.rows[report]
        for row in rows[turn % max(len(rows), 1) :] + rows[: turn % max(len(rows), 1)]:
            grammar = Grammar(windows.material[row], kinds, self.scopes[report])
            place = grammar.progressive() if linked else grammar.exercise()
            if place is not None:
                return row, place
        return None

    def _remember(self, report: int, drafts: Sequence[Draft]) -> None:
        scope = self.scopes[report]
        asked = [(one.question.asks, one.question.start, one.question.end) for one in drafts]
        tired = scope.tired | {asks for asks, _, _ in asked}
        self.scopes[report] = replace(scope, avoid=(*scope.avoid, *asked), tired=tired)
