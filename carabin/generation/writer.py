"""The writer: a student that writes, over whichever engine, and what it is asked: conclusions, exercises, entities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Document, Entity
from carabin.errors import ModelError
from carabin.exercises.exercise import Kind, QuestionSet
from carabin.exercises.form import write_form
from carabin.exercises.words import ExerciseWords, Phrasebook
from carabin.generation.conclusions import Summary, quote, write_freely
from carabin.generation.constraints import Constraint
from carabin.generation.decoding import generate
from carabin.generation.entity_lines import EntityLines
from carabin.generation.exercise_session import ExerciseSession
from carabin.generation.known_numbers import digit_tokens
from carabin.generation.limits import Generated, Limits, SpecialTokens
from carabin.generation.passages import cut_passages
from carabin.generation.sections import cut_sections
from carabin.generation.seq2seq import Seq2Seq, Sources
from carabin.generation.source import Source, read_source, uncopied
from carabin.generation.tasks import ENTITIES, EXERCISES
from carabin.generation.writer_settings import WriterSettings
from carabin.student_folder import check_student, file_digest, load_tokenizer, read_config, student_name

KINDS: tuple[Kind, ...] = ("qru", "qrm", "qroc")
BATCH = 8
"""Sources that are read at once: what memory is bounded by, with the length of a window."""


class Writer:
    """Writes conclusions, exercises and entities of reports."""

    def __init__(
        self,
        tokenizer: Any,  # noqa: ANN401 - tokenizers.Tokenizer, imported late
        window: int,
        engine: Seq2Seq,
        settings: WriterSettings,
        name: str,
        words: ExerciseWords | None = None,
        version: str = "",
    ) -> None:
        """Put a student together.

        Args:
            tokenizer: Its tokenizer.
            window: Tokens of a source that it reads at once.
            engine: Its weights.
            settings: Of its config.
            name: What it is called in what it writes.
            words: Its stems and terms; None for a student that writes no exercises.
            version: First digits of its weights' SHA-256.
        """
        self.tokenizer, self.window, self.engine, self.settings = tokenizer, window, engine, settings
        self.name, self.version = name, version
        self.special = SpecialTokens()
        self.book = None if words is None else Phrasebook(tokenizer, words, self.special.end)
        # A conclusion holds words, never the marks of exercises; transformers is told so in generation_config.json.
        barred = sorted(uncopied(tokenizer) - {self.special.end})
        self.plain = np.delete(np.arange(tokenizer.get_vocab_size()), barred)
        self.digits = digit_tokens(tokenizer)
        self.drugs = frozenset() if words is None else frozenset(words.terms.get("treatment", ()))

    @classmethod
    def load(cls, folder: Path, quantized: bool | None = None, threads: int | None = None) -> Writer:
        """Return the writer of a student's folder, over onnxruntime.

        Args:
            folder: A student's repository.
            quantized: Take the INT8 files; None takes them where they are.
            threads: Of onnxruntime; None uses all cores.

        Raises:
            ModelError: a file is missing, damaged, not the one listed, or the student does not write.
        """
        from carabin.generation.onnx_seq2seq import OnnxSeq2Seq, seq2seq_files

        check_student(folder)
        WriterSettings.of_config(read_config(folder), folder)
        onnx = folder / "onnx"
        if quantized is None:
            quantized = all((onnx / name).is_file() for name in seq2seq_files(True))
        weights = onnx / seq2seq_files(quantized)[1]
        return cls.over(OnnxSeq2Seq(onnx, quantized, threads), folder, file_digest(weights))

    @classmethod
    def over(cls, engine: Seq2Seq, folder: Path, version: str = "") -> Writer:
        """Return a writer over an engine, all the rest from a student's folder. Raises ModelError likewise."""
        config = read_config(folder)
        settings = WriterSettings.of_config(config, folder)
        tokenizer, window = load_tokenizer(folder)
        words = ExerciseWords.load(folder)
        return cls(tokenizer, window, engine, settings, student_name(config, folder), words, version)

    def summarise(self, documents: Iterable[Document], batch: int = BATCH, beams: int = 1) -> Iterator[Summary]:
        """Yield each report's conclusion, in order.

        As the student's settings say: sentences and lines of the report, word for word; or words of the student's own,
        numbers of the report's alone.

        Args:
            documents: Reports, streamed.
            batch: Reports at once.
            beams: Texts followed at once for each; 1 is greedy.
        """
        conclude = quote if self.settings.conclusion == "quoted" else write_freely
        for some in _batches(documents, batch):
            yield from conclude(self, some, batch, beams)

    def exercises(
        self,
        documents: Iterable[Document],
        kinds: Sequence[Kind] = KINDS,
        count: int = 6,
        progressive: bool = True,
        seed: int = 1,
        batch: int = BATCH,
    ) -> Iterator[QuestionSet]:
        """Yield the questions on each report, in order; fewer than asked where a report has not the material.

        No two questions of a set ask the same type of the same words, and a type comes again only where no other can.

        Args:
            documents: Reports, streamed.
            kinds: In turn.
            count: Questions on each report.
            progressive: Write a progressive file of three linked questions too.
            seed: Of nothing that is drawn here: the options' order is drawn when a set is shown.
            batch: Reports at once.

        Raises:
            ModelError: the student has no words to ask with.
        """
        book = self._book()
        for some in _batches(documents, batch):
            yield from ExerciseSession(self, book, some).question_sets(kinds, count, progressive)

    def forms(
        self, documents: Iterable[Document], kinds: Sequence[Kind], count: int, progressive: bool, batch: int = BATCH
    ) -> Iterator[list[str]]:
        """Yield the exercises on each report in the form that students write (`carabin.exercises.form`)."""
        book = self._book()
        for some in _batches(documents, batch):
            for drafts in ExerciseSession(self, book, some).write(kinds, count, progressive):
                yield [write_form(each) for each in drafts]

    def draft(self, documents: Sequence[Document], kind: Kind, batch: int = BATCH) -> list[str]:
        """Return one exercise of a kind on each report, on its first window, as the student writes it unconstrained.

        A blank report has no window, and gets an empty text.
        """
        mark = self._book().kinds[kind]
        windows = [self.cut_exercises(document.text)[:1] for document in documents]
        sources = [source for first in windows for source in first]
        written = self.write(sources, Limits(self.settings.max_written), batch, prompt=(mark,))
        return ["".join(self.decode(next(written).tokens, keep_marks=True) for _ in first) for first in windows]

    def entities(self, documents: Iterable[Document], batch: int = BATCH) -> Iterator[Document]:
        """Yield each document with the entities that the student writes of it; offsets are exact.

        A passage whose text is cut by the limit keeps the entities of its whole lines.
        """
        limits = Limits(self.settings.max_written)
        for some in _batches(documents, batch):
            windows = [self._passages(document.text) for document in some]
            lines = [EntityLines(one, self.tokenizer, self.settings.labels) for many in windows for one in many]
            sources = [one for many in windows for one in many]
            written = self.write(sources, limits, 4 * batch, states=[one.begin() for one in lines])
            found = (line.read(one.tokens) for line, one in zip(lines, written, strict=True))
            for document, many in zip(some, windows, strict=True):
                entities: list[Entity] = [entity for _ in many for entity in next(found)]
                yield replace(document, entities=tuple(entities))

    def _passages(self, text: str) -> list[Source]:
        return self._cut(ENTITIES, text, self.settings.passage_characters)

    def cut_exercises(self, text: str) -> list[Source]:
        """Return the windows of a report that questions of their own are written on."""
        return self._cut(EXERCISES, text, self.settings.exercise_characters)

    def _cut(self, prefix: str, text: str, longest: int) -> list[Source]:
        cuts = cut_passages(text, longest)
        return [source for start, end in cuts for source in self.sources_of(prefix, text[start:end], start)]

    def sources_of(self, prefix: str, text: str, start: int = 0) -> list[Source]:
        """Return a text's windows as sources: cut at its sections where it does not fit, never cut short."""

        def fits(part: str) -> bool:
            return len(self.tokenizer.encode(prefix + part).ids) <= self.window

        cuts = cut_sections(text, fits)
        return [read_source(self.tokenizer, prefix, text[first:last], start + first) for first, last in cuts]

    def read(self, sources: Sequence[Source]) -> Sources:
        """Return sources, encoded."""
        ids, mask = pad_rows([source.input_ids for source in sources], self.special.pad)
        return self.engine.read(ids, mask)

    def write(
        self,
        sources: Sequence[Source],
        limits: Limits,
        batch: int,
        prompt: Sequence[int] = (),
        states: Sequence[Constraint] | None = None,
    ) -> Iterator[Generated]:
        """Yield one text for each source, in order; sources of like length are read together.

        Args:
            sources: What is written of.
            limits: Of length, and how it is searched.
            batch: Sources at once.
            prompt: Tokens that each text begins with.
            states: Of each source, what may be written; None leaves everything.
        """
        order = sorted(range(len(sources)), key=lambda number: len(sources[number].input_ids))
        done: dict[int, Generated] = {}
        for first in range(0, len(order), batch):
            some = order[first : first + batch]
            begun = [list(prompt) for _ in some]
            bound = None if states is None else [states[number] for number in some]
            read = self.read([sources[number] for number in some])
            texts = generate(read, np.arange(len(some)), begun, limits, self.special, bound)
            done |= dict(zip(some, texts, strict=True))
        return (done[number] for number in range(len(sources)))

    def decode(self, tokens: NDArray[np.int64], keep_marks: bool = False) -> str:
        """Return the text of tokens, with the marks of exercises or without."""
        return cast(str, self.tokenizer.decode(tokens.tolist(), skip_special_tokens=not keep_marks)).strip()

    def _book(self) -> Phrasebook:
        if self.book is None:
            raise ModelError(f"{self.name}: no exercises.json: this student writes no exercises; take one that does")
        return self.book


def pad_rows(rows: Sequence[NDArray[np.int64]], pad: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return token rows filled up to the longest, and their mask, each (rows, longest)."""
    ids = np.full((len(rows), max(map(len, rows))), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def _batches(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    stream = iter(documents)
    while some := list(islice(stream, size)):
        yield some
