"""A generative teacher behind an OpenAI-compatible endpoint that writes what a student is to write.

It is asked through the client and the ledger of `training.endpoint_teacher`. What it writes is held against the source
before anyone learns from it: an exercise must be of the form and keep every rule (`carabin.exercises.form`), its
question one of those that a student can ask again; a conclusion may claim nothing that the report does not say
(`carabin.generation.faithfulness`); an entity must stand in the text. What is not so is counted and dropped.

    <folder>/<task>-00000.jsonl   {"id": document, "texts": [target, …]} a line; no text where nothing could be kept
    <folder>/ledger.jsonl         what was asked and answered, and what that cost
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from rich.progress import Progress

from carabin.documents import Document, read_json_lines
from carabin.exercises.exercise import ExerciseError
from carabin.exercises.form import read_form, write_form
from carabin.generation.faithfulness import unsupported
from carabin.generation.tasks import ASK, HOLE, MARKS, QUOTE, RIGHT, WRONG
from training.endpoint_teacher import SHARD_DOCUMENTS, endpoint_key, require_endpoint
from training.endpoint_teacher_answers import align, read_answer, read_json
from training.endpoint_teacher_client import EndpointClient, Reply
from training.endpoint_teacher_ledger import LEDGER, Ledger
from training.endpoint_writer_prompt import build_writing_messages, writing_schema
from zoo.labels import LABEL_SETS
from zoo.plan import Plan
from zoo.registry import Teacher
from zoo.registry.recipes import WritingTask
from zoo.runs import RunError, fingerprint
from zoo.synthesis.exercises import list_stems

ALGORITHM = 1
"""Of judging what was written; raise it when the same answers give other texts."""
WRITING_COUNTS = ("texts_written", "ill_formed", "unknown_questions", "unsupported_texts", "repeated")
"""Of what readable answers hold: kept; breaks a rule of its form; asks what no student asks; claims what the source
does not say; says what the same answer said before."""


class EndpointWriter:
    """Writes by asking an endpoint."""

    def __init__(
        self,
        teacher: Teacher,
        task: WritingTask,
        ledger: Ledger,
        label_set: str = "umls",
        exercises: int = 4,
        drugs: frozenset[str] = frozenset(),
    ) -> None:
        """Get ready to ask.

        Args:
            teacher: Of kind `endpoint`, with an [endpoint] section.
            task: What is to be written.
            ledger: Where it is counted what is asked, answered and kept.
            label_set: Of the entities.
            exercises: How many are asked for of each document.
            drugs: Names of drugs that a conclusion may name only if its report does.

        Raises:
            RunError: no [endpoint] section, or a variable that is not set.
        """
        self.endpoint, self.task, self.ledger = require_endpoint(teacher), task, ledger
        self.label_set, self.exercises, self.drugs = label_set, exercises, drugs
        self._client = EndpointClient(teacher.id, self.endpoint, writing_schema(task, label_set), ledger)
        self._judge = {"conclusion": self._conclude, "exercises": self._question, "entities": self._label}[task]

    def write(self, documents: Sequence[Document]) -> list[list[str]]:
        """Return, for each document, the texts that a student may learn to write of it.

        Raises:
            RunError: the endpoint refuses for good, or every attempt failed.
        """
        return self._client.ask_each(self._write_one, documents)

    def report(self) -> dict[str, Any]:
        """Return the ledger's figures, and under `writing` what became of what was written."""
        totals = self.ledger.totals
        figures: dict[str, Any] = {name: totals[name] for name in WRITING_COUNTS}
        whole = sum(figures.values())
        figures["rejected"] = round(1 - figures["texts_written"] / whole, 6) if whole else None
        return self.ledger.report(self.endpoint) | {"writing": figures}

    def _write_one(self, document: Document) -> list[str]:
        messages = build_writing_messages(document.text, self.task, self.label_set, self.exercises)
        counts = Counter(passages=1)
        texts = self._judge(self._client.ask(messages), document.text, counts)
        counts["texts_written"] += len(texts)
        self.ledger.add(counts)
        return texts

    def _conclude(self, reply: Reply, source: str, counts: Counter[str]) -> list[str]:
        read = read_json(reply.content, reply.finish_reason, "conclusion", str)
        if isinstance(read, Counter):
            counts.update(read)
            return []
        text = read.strip()
        if not text or any(mark in text for mark in MARKS):
            counts["ill_formed"] += 1
        elif unsupported(text, source, self.drugs):
            counts["unsupported_texts"] += 1
        else:
            return [text]
        return []

    def _question(self, reply: Reply, source: str, counts: Counter[str]) -> list[str]:
        read = read_json(reply.content, reply.finish_reason, "exercises", list)
        if isinstance(read, Counter):
            counts.update(read)
            return []
        texts: list[str] = []
        for item in read:
            fate, text = judge_exercise(item, source)
            fate = "repeated" if text in texts else fate
            if fate:
                counts[fate] += 1
            else:
                texts.append(text)
        return texts

    def _label(self, reply: Reply, source: str, counts: Counter[str]) -> list[str]:
        answer = read_answer(reply.content, reply.finish_reason, LABEL_SETS[self.label_set])
        counts.update(answer.counts)
        if answer.entities is None:
            return []
        found, fate = align(answer.entities, source)
        counts.update(fate)
        return ["\n".join(f"{source[one.start : one.end]} | {one.label}" for one in found)]


def judge_exercise(item: object, source: str) -> tuple[str, str]:
    """Return why an exercise that a teacher listed is dropped (one of `WRITING_COUNTS`) or "", and its form."""
    try:
        (draft,) = read_form(_spell(item), source)
    except (ExerciseError, KeyError, TypeError, AttributeError):
        return "ill_formed", ""
    question = draft.question
    if draft.template not in list_stems()[question.kind].get(question.asks, ()):
        return "unknown_questions", ""
    return "", write_form([draft])


def _spell(item: Any) -> str:  # noqa: ANN401 - whatever the teacher listed
    """Return the form of an exercise given as fields; raises where they are not those."""
    fields = [(QUOTE, item["quote"]), *((RIGHT, answer) for answer in item["right"]), (ASK, item["question"])]
    fields += [(HOLE, item["of"])] if item.get("of") else []
    fields += [(WRONG, answer) for answer in item["wrong"]]
    if any(mark in words for _, words in fields for mark in MARKS):
        raise ExerciseError("a field holds a mark")
    return f"<{item['kind']}><{item['asks']}>" + "".join(mark + words for mark, words in fields)


def writer_key(teacher: Teacher, task: WritingTask, label_set: str, exercises: int) -> dict[str, Any]:
    """Return what a teacher's texts depend on: model, revision, prompt, options, task; never the address."""
    prompt = fingerprint(build_writing_messages("", task, label_set, exercises))
    return endpoint_key(teacher, label_set) | {"prompt_sha256": prompt, "task": task, "writing_algorithm": ALGORITHM}


def write_with_endpoint(
    plan: Plan,
    documents: Iterable[Document],
    task: WritingTask,
    folder: Path,
    drugs: frozenset[str] = frozenset(),
    shard_documents: int = SHARD_DOCUMENTS,
) -> dict[str, Any]:
    """Have the plan's teacher write of each document, shard by shard; a killed pass goes on from its finished shards.

    Args:
        plan: Its teacher writes, for its student.
        documents: What the student will read: bodies without conclusions, whole reports, or passages.
        task: What is to be written.
        folder: Where shards and ledger go; of one key (`writer_key`) and one stream of documents.
        drugs: Names of drugs, to hold conclusions to.
        shard_documents: Documents in one shard: what a kill loses at most.

    Returns:
        Documents, texts, shards, shards found done, and the ledger's figures under `endpoint`.

    Raises:
        RunError: the endpoint fails for good, or a shard holds other documents.
    """
    writing = plan.profile.writing
    exercises = writing.exercises if writing else 1
    writer = EndpointWriter(plan.teacher, task, Ledger(folder / LEDGER), plan.student.labels, exercises, drugs)
    return write_texts(writer, documents, folder, shard_documents) | {"endpoint": writer.report()}


class Pen(Protocol):
    """Whoever writes for one task: an endpoint, or `training.written_targets.TeacherPen`."""

    task: WritingTask

    def write(self, documents: Sequence[Document]) -> list[list[str]]:
        """Return the texts written of each document; none where none could be kept."""
        ...


def write_texts(
    writer: Pen, documents: Iterable[Document], folder: Path, shard_documents: int = SHARD_DOCUMENTS
) -> dict[str, int]:
    """Write shard by shard, skipping the shards that an earlier call finished."""
    figures = Counter(documents=0, texts=0, shards=0, shards_found=0)
    stream = iter(documents)
    with Progress() as bar:
        progress = bar.add_task(f"{f'the teacher writes: {writer.task}':<28}", total=None)
        while batch := list(islice(stream, shard_documents)):
            path = folder / f"{writer.task}-{figures['shards']:05d}.jsonl"
            figures["shards_found"] += path.is_file()
            if not path.is_file():
                _write_shard(path, batch, writer.write(batch))
            figures["texts"] += _count_texts(path, batch)
            figures["shards"] += 1
            figures["documents"] += len(batch)
            bar.update(progress, completed=figures["documents"])
    return dict(figures)


def _write_shard(path: Path, documents: Sequence[Document], texts: Sequence[Sequence[str]]) -> None:
    writing = path.with_suffix(".writing")
    with writing.open("w", encoding="utf-8") as stream:
        for document, written in zip(documents, texts, strict=True):
            stream.write(json.dumps({"id": document.id, "texts": written}, ensure_ascii=False) + "\n")
    writing.rename(path)


def _count_texts(path: Path, documents: Sequence[Document]) -> int:
    written = list(_read_shard(path))
    if [identifier for identifier, _ in written] != [document.id for document in documents]:
        raise RunError(f"{path}: holds other documents than the corpus gives now; delete {path.parent} and run again")
    return sum(len(texts) for _, texts in written)


def read_texts(folder: Path, task: WritingTask) -> Iterator[tuple[str, list[str]]]:
    """Yield (document id, texts) of a finished pass, in the corpus's order."""
    for path in sorted(folder.glob(f"{task}-*.jsonl")):
        yield from _read_shard(path)


def _read_shard(path: Path) -> Iterator[tuple[str, list[str]]]:
    for _, record in read_json_lines(path):
        assert isinstance(record, dict)
        yield record["id"], record["texts"]
