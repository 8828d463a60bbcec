"""The annotator: texts in, entities out, over any engine.

Documents flow through in *buffers* of a bounded size. While one is scored by the worker threads, the next is read,
tokenised and sorted into batches, and the one before is decoded and goes to whoever writes it; in order, and whatever
fails is told to the caller. The documents are read in the caller's own thread, the only one that may.

The lab scores its checkpoints through this same class (with a torch engine), so what is measured is what hospitals run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carabin.calibration import read_calibration
from carabin.documents import Document, Entity
from carabin.engines.engine import Engine
from carabin.engines.engine_choice import AUTO, BATCH_TOKENS, WEIGHTS, choose_engine, default_engine, open_engine
from carabin.engines.machine import usable_cores
from carabin.errors import ModelError
from carabin.student_folder import (
    check_student,
    config_tags,
    file_digest,
    find_student,
    load_reader,
    read_config,
    student_name,
)
from carabin.tokens.batches import (
    BUFFER_CHARACTERS,
    BUFFER_DOCUMENTS,
    Probabilities,
    Reading,
    Slot,
    bounded_batches,
    cut_groups,
    softmax,
    token_batches,
)
from carabin.tokens.reader import ReadText, TextReader
from carabin.tokens.tagging import decode_spans, labels_of
from carabin.tokens.words import Offsets

if TYPE_CHECKING:
    from carabin.names.name_list import NameList

__all__ = ["Annotator", "ModelError", "ReadText", "TextReader", "config_tags", "load_reader", "read_config"]

AHEAD = 1
"""Buffers read and tokenised before the one in front is done."""


class Annotator:
    """Finds entities in texts of any length. Several threads may use one annotator."""

    def __init__(
        self,
        reader: TextReader,
        tags: Sequence[str],
        engine: Engine,
        model_id: str = "",
        batch_tokens: int = 4096,
        model_version: str = "",
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
        workers: int = 1,
        engine_name: str = "",
        names: NameList | None = None,
    ) -> None:
        """Put together a reader and an engine.

        Args:
            reader: Tokenises and cuts windows.
            tags: The engine's output tags, `O`, `B-x`, `I-x`, …
            engine: Turns token ids into logits.
            model_id: Name of the student, for whoever writes the result down.
            batch_tokens: Padded tokens in one call of the engine.
            model_version: Start of the SHA-256 of the weights that answer.
            temperature: Logits are divided by it before they become probabilities (`carabin.calibration`).
            thresholds: The least scores that were fitted with it, by label, for who asks for them: an annotator leaves
                nothing out by itself.
            workers: Threads that call the engine at once.
            engine_name: One of `engine_choice.ENGINES`, for whoever writes down what ran.
            names: A hospital's own, put beside what the model finds.

        Raises:
            ValueError: the temperature is not a positive number.
        """
        if not 0 < temperature < np.inf:
            raise ValueError(f"a temperature is a positive number, not {temperature}")
        self.reader = reader
        self.tags = tuple(tags)
        self.labels = labels_of(tags)
        self.engine = engine
        self.model_id = model_id
        self.batch_tokens = batch_tokens
        self.model_version = model_version
        self.temperature = temperature
        self.thresholds = dict(thresholds or {})
        self.workers = workers
        self.engine_name = engine_name
        self.names = names

    @classmethod
    def load(
        cls,
        folder: Path | str,
        quantized: bool | None = None,
        threads: int | None = None,
        engine: str | None = None,
        names: Path | None = None,
    ) -> Annotator:
        """Return the annotator of a published student's folder.

        Args:
            folder: Holds config.json, tokenizer.json, tokenizer_config.json and `onnx/`; or the name of a student
                shipped inside the package.
            quantized: True says `engine="int8"`, False `engine="fp32"`.
            threads: Threads that score, one batch each at a time; None for all cores. It changes no answer.
            engine: `int8`, `fp32`, `openvino`, or `auto` for the fastest here (`carabin.engines.engine_choice`); None
                takes the INT8 file where the student's quality gate let it be published, else the fp32 one.
            names: A CSV file of the hospital's own names (`carabin.names.name_list`).

        Raises:
            ModelError: a file is missing or is not what it should be, or the engine is not installed.
            NamesError: the list of names cannot be used.
        """
        folder = find_student(folder)
        check_student(folder)
        config = read_config(folder)
        tags, reader = config_tags(config, folder), load_reader(folder)
        listed = None
        if names is not None:
            from carabin.names.name_list import NameList

            listed = NameList.read(names, labels_of(tags))
        workers = threads or usable_cores()
        if engine is None:
            engine = default_engine(folder) if quantized is None else ("int8" if quantized else "fp32")
        elif engine == AUTO:
            engine = choose_engine(folder, reader, workers).engine
        opened = open_engine(folder, engine, workers)
        path = folder / WEIGHTS[engine]
        if opened.n_outputs is not None and opened.n_outputs != len(tags):
            raise ModelError(f"{path}: scores {opened.n_outputs} tags, but config.json names {len(tags)}")
        version = file_digest(path)
        fitted = read_calibration(folder, WEIGHTS[engine], version, labels_of(tags))
        return cls(
            reader, tags, opened, student_name(config, folder), BATCH_TOKENS, version,
            fitted.temperature, fitted.thresholds, workers, engine, listed,
        )  # fmt: skip

    def annotate(self, documents: Iterable[Document], buffer: int = BUFFER_DOCUMENTS) -> Iterator[Document]:
        """Yield the documents in order, their entities replaced by the model's.

        Args:
            documents: Read lazily, in the caller's thread, two buffers ahead at most, so that memory stays bounded.
            buffer: Documents sorted into batches together; fewer when they are long.
        """
        buffers = ((batch, False) for batch in bounded_batches(documents, buffer, BUFFER_CHARACTERS))
        with closing(self._flow(buffers, AHEAD)) as flow:
            for outcome, _ in flow:
                if isinstance(outcome, Exception):
                    raise outcome
                yield from outcome

    def annotate_groups(
        self, groups: Iterable[Sequence[Document]], ahead: int = AHEAD
    ) -> Iterator[list[Document] | Exception]:
        """Yield what becomes of each group, in order: its documents annotated, or the error that one of them caused.

        A group is scored as if it were alone, never beside documents of another: dynamic INT8 scales its activations
        over the batch, so a document's last decimals depend on its neighbours. Yet the next group is read and begun
        while this one is scored.

        Args:
            groups: Read lazily, in the caller's thread.
            ahead: Buffers begun before the one in front is done; 0 reads nothing before it must.
        """
        done: list[Document] = []
        failure: Exception | None = None
        with closing(self._flow(cut_groups(groups), ahead)) as flow:
            for outcome, last in flow:
                if isinstance(outcome, Exception):
                    failure = failure or outcome
                else:
                    done.extend(outcome)
                if last:
                    yield failure or done
                    done, failure = [], None

    def __call__(self, text: str) -> list[Entity]:
        """Return the entities of one text."""
        ((words, probabilities),) = self.word_probabilities([text])
        return self._decode(text, words, probabilities)

    def word_probabilities(self, texts: Sequence[str]) -> list[tuple[Offsets, Probabilities]]:
        """Return, for each text, its words (n, 2) and their tag distributions (n, n_tags).

        A word for which the tokenizer made no token is surely outside.
        """
        reading = Reading(self.reader.read(texts), len(self.tags))
        batches = list(token_batches(reading.queue(), self.batch_tokens))
        if self.workers == 1 or len(batches) < 2:
            for batch in batches:
                self._score(reading, batch)
        else:
            with ThreadPoolExecutor(min(self.workers, len(batches))) as pool:
                for _ in pool.map(lambda batch: self._score(reading, batch), batches):
                    pass
        return reading.results

    def _flow(
        self, buffers: Iterable[tuple[Sequence[Document], bool]], ahead: int
    ) -> Generator[tuple[list[Document] | Exception, bool], None, None]:
        """Yield what becomes of each buffer, in order, with the flag it came with."""
        begun: deque[_Begun] = deque()
        source, unread = iter(buffers), None
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="carabin")
        try:
            while unread is None:
                try:
                    documents, flag = next(source)
                except StopIteration:
                    break
                except Exception as error:
                    # What was read before is still worth finishing.
                    unread = error
                    break
                begun.append(_Begun(documents, flag, self._begin(documents, pool)))
                if len(begun) > ahead:
                    front = begun.popleft()
                    yield self._finish(front), front.flag
            for front in begun:
                yield self._finish(front), front.flag
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        if unread is not None:
            raise unread

    def _begin(self, documents: Sequence[Document], pool: ThreadPoolExecutor) -> _Scoring | Exception:
        try:
            reading = Reading(self.reader.read([document.text for document in documents]), len(self.tags))
        except Exception as error:
            return error
        batches = token_batches(reading.queue(), self.batch_tokens)
        return reading, [pool.submit(self._score, reading, batch) for batch in batches]

    def _finish(self, begun: _Begun) -> list[Document] | Exception:
        if isinstance(begun.scoring, Exception):
            return begun.scoring
        reading, futures = begun.scoring
        try:
            for future in futures:
                future.result()
            return [
                replace(document, entities=tuple(self._decode(document.text, words, probabilities)))
                for document, (words, probabilities) in zip(begun.documents, reading.results, strict=True)
            ]
        except Exception as error:
            for future in futures:
                future.cancel()
            return error

    def _decode(self, text: str, words: Offsets, probabilities: Probabilities) -> list[Entity]:
        found = decode_spans(words, probabilities, self.labels)
        return found if self.names is None else self.names.add_to(text, words, found)

    def _score(self, reading: Reading, batch: Sequence[Slot]) -> None:
        """Fill in the distributions of a batch's words."""
        input_ids, mask = self.reader.pad([reading.ids(slot) for slot in batch])
        logits = self.engine(input_ids, mask)
        if logits.shape[-1] != len(self.tags):
            raise ModelError(f"the engine scores {logits.shape[-1]} tags where {len(self.tags)} are named")
        for row, slot in enumerate(batch):
            chosen = logits[row, reading.positions(slot) + len(self.reader.prefix)]
            probabilities = softmax(chosen if self.temperature == 1 else chosen / np.float32(self.temperature))
            if not np.isfinite(probabilities).all():
                raise ModelError("the engine gave a score that is not a number; try another (--engine fp32)")
            reading.put(slot, probabilities)


_Scoring = tuple[Reading, list["Future[None]"]]


@dataclass(slots=True)
class _Begun:
    """A buffer that is being scored, or could not even be read."""

    documents: Sequence[Document]
    flag: bool
    scoring: _Scoring | Exception
