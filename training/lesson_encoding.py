"""Lessons as tokens: what is read, what is written of it, and what else might have been written at each place.

A student never writes exercises, entities and quotes freely: a grammar says which tokens may come next, and most often
only one may. Learning what the grammar forces would be most of the work, so a lesson says at each place what the choice
was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from carabin.documents import Entity
from carabin.exercises.exercise import ExerciseError
from carabin.exercises.form import Draft
from carabin.exercises.grammar import Grammar
from carabin.exercises.material import Material, ReportText
from carabin.exercises.targets import encode_form
from carabin.exercises.words import ExerciseWords, Phrasebook
from carabin.generation.constraints import Constraint
from carabin.generation.entity_lines import EntityLines, spell_label
from carabin.generation.quoted_conclusion import QuotedConclusion, find_quotable
from carabin.generation.source import Source, read_source
from carabin.generation.tasks import CONCLUSION, ENTITIES, EXERCISES
from carabin.generation.writer import KINDS
from training.lessons import Text
from training.writing_tokenizer import END
from zoo.registry.recipes import WritingTask

PREFIXES: dict[WritingTask, str] = {"conclusion": CONCLUSION, "exercises": EXERCISES, "entities": ENTITIES}
UNMARKED = -100
"""In place of a label: nobody has said what the token is of."""

Written = tuple[list[int], list[list[int]]]
"""A text's tokens, and for each those that it was chosen among; an empty list where any token might have come."""


class LessonEncoder:
    """Turns texts into the rows of `training.lesson_batches.FEATURES`."""

    def __init__(
        self, tokenizer: Tokenizer, longest: int, words: Mapping[str, Any], labels: Sequence[str], max_written: int
    ) -> None:
        """Hold what lessons are made with.

        Args:
            tokenizer: The student's, and its teacher's.
            longest: Tokens of a source; a longer one is no lesson: cut short, it would teach to write what it hides.
            words: Stems and terms, as in exercises.json.
            labels: Of the entities that are written and marked.
            max_written: Tokens of a quoted conclusion, the one that ends it counted.
        """
        self.tokenizer, self.longest, self.labels = tokenizer, longest, tuple(labels)
        self.max_written = max_written
        self.book = Phrasebook(tokenizer, ExerciseWords.from_dict(words), END)
        self._report = ReportText("")

    def encode(self, text: Text) -> dict[str, Any] | None:
        """Return a row; None where nothing can be taught."""
        prefix = PREFIXES[text.task]
        source = read_source(self.tokenizer, prefix, text.text, text.place)
        written = [] if len(source.input_ids) > self.longest else list(self._write(text, source))
        if not written:
            return None
        targets = [ids for ids, _ in written]
        return {
            "prefix": prefix,
            "text": text.text,
            "targets": targets,
            "choices": [choices for _, choices in written],
            "marks": self._mark(self._marked(text), source),
            "tokens": len(source.input_ids) + sum(map(len, targets)),
        }

    def _write(self, text: Text, source: Source) -> Iterator[Written]:
        if text.conclusion is not None:
            ids = [*self.tokenizer.encode(text.conclusion, add_special_tokens=False).ids, END]
            yield ids, [[] for _ in ids]
        if text.quotes:
            quoting = QuotedConclusion(source, find_quotable(text.text), self.tokenizer, self.max_written, END)
            yield from _choose([*quoting.spell(text.quotes), END], quoting.begin())
        if text.entities is not None:
            yield from self._write_entities(text.entities, source)
        if text.drafts:
            material = Material(self._read_report(text.report or text.text), source, self.book)
            for drafts in text.drafts:
                yield from self._write_drafts(drafts, material)

    def _read_report(self, report: str) -> ReportText:
        """Return a report; the windows of one come one after the other, and share what is found in it."""
        if self._report.text != report:
            self._report = ReportText(report)
        return self._report

    def _write_entities(self, entities: Sequence[Entity], source: Source) -> Iterator[Written]:
        """Yield the lines `surface | LABEL`, surfaces as the source has them; nothing where one is not whole tokens."""
        ids: list[int] = []
        for entity in entities:
            copied = source.tokens(entity.start, entity.end)
            if copied is None:
                return
            ids += [*source.ids[slice(*copied)].tolist(), *spell_label(self.tokenizer, entity.label)]
        yield from _choose([*ids, END], EntityLines(source, self.tokenizer, self.labels, END).begin())

    def _write_drafts(self, drafts: Sequence[Draft], material: Material) -> Iterator[Written]:
        try:
            ids = encode_form(self.tokenizer, drafts, material.source)
        except ExerciseError:
            return  # an answer that is half a token cannot be copied, so it cannot be taught
        alone = len(drafts) == 1
        grammar = Grammar(material, (drafts[0].question.kind,) if alone else KINDS)
        place = grammar.exercise() if alone else grammar.progressive()
        if place is not None:
            yield from _choose([*ids, END], place)

    @property
    def kinds_of_marks(self) -> int:
        """How many marks there are beside none: one a label, and one for what a conclusion quotes."""
        return len(self.labels) + 1

    def _marked(self, text: Text) -> list[tuple[int, int, int]] | None:
        """Return what is marked in a text, each (start, end, mark); None where nobody has marked it."""
        if text.quotes:
            return [(start, end, self.kinds_of_marks) for start, end in text.quotes]
        if text.marked is None:
            return None
        return [(one.start, one.end, self.labels.index(one.label) + 1) for one in text.marked]

    @staticmethod
    def _mark(marked: Sequence[tuple[int, int, int]] | None, source: Source) -> list[int]:
        """Return for each token that is read its mark, 0 where it has none."""
        if marked is None:
            return [UNMARKED] * len(source.input_ids)
        marks = np.zeros(len(source.ids), dtype=np.int64)
        for start, end, mark in marked:
            copied = source.tokens(start, end)
            if copied:
                marks[slice(*copied)] = mark
        read = len(source.input_ids) - 1 - len(source.ids)  # the prefix stands before the text, the end after
        return [UNMARKED] * read + marks.tolist() + [UNMARKED]


def _choose(ids: list[int], place: Constraint) -> Iterator[Written]:
    """Yield a text with its choices; nothing where the grammar would never write it, for it is of no use then."""
    choices: list[list[int]] = []
    for token in ids:
        allowed = place.allowed()
        if allowed is None or token not in allowed:
            return
        choices.append(allowed.tolist())
        place = place.advance(token)
    yield ids, choices
