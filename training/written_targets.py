"""What a teacher writes over the transfer texts, kept in shards, and read back as lessons.

    <folder>/<task>-00000.jsonl   {"id": text, "texts": [what the teacher wrote of it, …]} a line
    <folder>/run.json             written last: for which teacher, corpora and options, and how much was rejected

A teacher with weights writes exercises and entities within the constraints that its student will write in, and quoted
conclusions too; of both forms of conclusions those that claim a number, dose, drug or negation that their source has
not are rejected and counted. An endpoint writes in words of its own and is judged by `training.endpoint_writer`; a
student that quotes learns the sentences that come nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from carabin.documents import Document
from carabin.exercises.exercise import ExerciseError, Kind
from carabin.exercises.form import Draft, read_form
from carabin.generation.conclusions import Summary
from carabin.generation.writer import KINDS, Writer
from training.endpoint_teacher_answers import Listed, align
from training.endpoint_writer import read_texts, write_texts, write_with_endpoint
from training.lessons import Text, bare_texts, cut_windows
from training.texts import transfer_documents
from zoo.oracle_quotes import read_quotes
from zoo.plan import Plan
from zoo.registry.recipes import Writing, WritingTask
from zoo.synthesis.exercises import exercise_words

SEPARATOR = " | "


class TeacherPen:
    """A teacher with weights, asked for one task."""

    def __init__(self, writer: Writer, task: WritingTask, exercises: int) -> None:
        """Hold the teacher; `exercises` is how many it writes of one report, a progressive file among them."""
        self.writer, self.task, self.exercises = writer, task, exercises
        self._write: Callable[[Sequence[Document]], list[list[str]]] = {
            "conclusion": self._conclude, "exercises": self._question, "entities": self._label,
        }[task]  # fmt: skip

    def write(self, documents: Sequence[Document]) -> list[list[str]]:
        """Return what the teacher writes of each text; nothing where what it wrote was rejected."""
        return self._write(documents)

    def _conclude(self, documents: Sequence[Document]) -> list[list[str]]:
        return [[summary.text] if _is_sound(summary) else [] for summary in self.writer.summarise(documents)]

    def _question(self, documents: Sequence[Document]) -> list[list[str]]:
        kinds: tuple[Kind, ...] = tuple(islice(cycle(KINDS), max(self.exercises - 1, 1)))
        return [list(forms) for forms in self.writer.forms(documents, kinds, len(kinds), self.exercises > 1)]

    def _label(self, documents: Sequence[Document]) -> list[list[str]]:
        return [
            ["".join(f"{read.text[one.start : one.end]}{SEPARATOR}{one.label}\n" for one in read.entities)]
            for read in self.writer.entities(documents)
        ]


def _is_sound(summary: Summary) -> bool:
    """Return whether a conclusion may be taught: whole, of one window, and of what its source says alone."""
    return bool(summary.text) and summary.finished and summary.windows == 1 and not summary.unsupported


def write_targets(plan: Plan, writer: Writer | None, folder: Path, drugs: frozenset[str]) -> dict[str, Any]:
    """Have the teacher write of every transfer text; a killed pass goes on from its finished shards.

    Args:
        plan: Its recipe.
        writer: The teacher; None for one that answers over HTTP.
        folder: Where the shards go.
        drugs: Names of drugs, to hold an endpoint's conclusions to.

    Returns:
        Under `written`, by task: texts, shards, and under `writing` how many were kept and rejected, and why. Under
        `endpoint`, what an endpoint's ledger says.
    """
    writing = plan.profile.writing
    assert writing  # the registry has checked it
    figures: dict[str, Any] = {}
    asked: dict[str, Any] | None = None
    for task in writing.tasks:
        documents = (Document(text_id(text), text.text) for text in _bare(plan, task))
        if writer is None:
            figures[task] = made = write_with_endpoint(plan, documents, task, folder, drugs)
            asked = made.pop("endpoint")  # one ledger for all tasks: the last report has their sums
            made["writing"] = asked["writing"]
            continue
        pen = TeacherPen(writer, task, writing.exercises)
        made = write_texts(pen, documents, folder)
        # From the shards, not from what this call wrote: a pass that goes on after a kill counts the same. Exercises
        # and entities are written within constraints: none is rejected.
        refused = made["documents"] - made["texts"] if task == "conclusion" else 0
        share = round(refused / max(made["texts"] + refused, 1), 4)
        figures[task] = {**made, "writing": {"texts_written": made["texts"], "refused": refused, "rejected": share}}
    return {"written": figures} if asked is None else {"written": figures, "endpoint": asked}


def read_targets(plan: Plan, folder: Path) -> Iterator[Text]:
    """Yield the transfer texts with what the teacher wrote of them, where it wrote anything."""
    writing = plan.profile.writing
    assert writing
    for task in writing.tasks:
        for text, (_, written) in zip(_bare(plan, task), read_texts(folder, task), strict=True):
            if written and task == "exercises":
                yield from cut_windows(text, _read_drafts(written, text.text), writing, plan.profile.data_seed)
            elif written:
                taught = _taught(text, written, writing)
                yield from [taught] * (writing.conclusion_repeats if task == "conclusion" else 1)


def text_id(text: Text) -> str:
    """Return a name for a text: its document's, and for a passage where it begins by its own words."""
    return text.document if text.task != "entities" else f"{text.document}#{text.place}"


def _bare(plan: Plan, task: WritingTask) -> Iterator[Text]:
    assert plan.profile.writing
    return bare_texts(transfer_documents(plan), replace(plan.profile.writing, tasks=(task,)), plan.profile.data_seed)


def _taught(text: Text, written: Sequence[str], writing: Writing) -> Text:
    if text.task == "conclusion" and writing.conclusion == "quoted":
        return replace(text, quotes=read_quotes(text.text, written[0]))
    if text.task == "conclusion":
        return replace(text, conclusion=written[0])
    lines = [line.rpartition(SEPARATOR) for line in written[0].splitlines() if SEPARATOR in line]
    return replace(text, entities=align([Listed(surface, label) for surface, _, label in lines], text.text)[0])


def _read_drafts(written: Iterable[str], report: str) -> Iterator[tuple[Draft, ...]]:
    for form in written:
        try:
            yield tuple(read_form(form, report))
        except ExerciseError:
            continue  # of another version of the rules: what they no longer allow is not taught


def drug_names() -> frozenset[str]:
    """Return the drugs of the train split's knowledge: what a conclusion must not name unless its report does."""
    return frozenset(exercise_words((), split="train")["terms"].get("treatment", ()))
