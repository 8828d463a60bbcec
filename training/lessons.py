"""Lessons: what a student that writes reads, and the texts it is to write of it, as tokens.

A lesson is one source and all that is written of it: a report is read once for all its exercises.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from carabin.documents import Document, Entity
from carabin.exercises.form import Draft
from carabin.exercises.units import Unit
from carabin.generation.faithfulness import unsupported
from carabin.generation.passages import cut_passages
from zoo.conclusions import split_conclusion
from zoo.oracle_quotes import choose_quotes
from zoo.registry.recipes import Writing, WritingTask
from zoo.synthesis.exercises import make_drafts


@dataclass(frozen=True, slots=True)
class Text:
    """What may be read for a task, and the texts to write of it; none where nobody has written any.

    Attributes:
        task: What is asked.
        document: Id of the report.
        text: The report, its body, or a passage of it.
        conclusion: To write, for the task `conclusion`.
        quotes: To write in its place by a student that quotes: (start, end) of units of `text`, in order.
        entities: To write, for the task `entities`; their places count in `text`.
        drafts: To write, for the task `exercises`: each one draft, or the three of a progressive file; their places
            count in the report.
        place: Where a passage or a window begins in its report.
        report: The whole report, for the task `exercises`: nothing it says is a wrong answer.
        marked: The entities of `text`, their places in it; None where nobody has marked them.
    """

    task: WritingTask
    document: str
    text: str
    conclusion: str | None = None
    quotes: tuple[Unit, ...] = ()
    entities: tuple[Entity, ...] | None = None
    drafts: tuple[tuple[Draft, ...], ...] = ()
    place: int = 0
    report: str = ""
    marked: tuple[Entity, ...] | None = None


def gold_texts(documents: Iterable[Document], split: str, writing: Writing, seed: int) -> Iterator[Text]:
    """Yield what annotated reports teach to write.

    A conclusion that claims what its body does not say would teach to invent: it is left out. Where conclusions are
    quoted, what is taught is the choice of sentences that comes nearest to it, and none invents.

    Args:
        documents: Synthetic reports; others teach their conclusions and their entities alone.
        split: Whose knowledge the wrong answers of exercises are of.
        writing: How much of what.
        seed: Of what is drawn.
    """
    for document in documents:
        yield from _gold_conclusion(document, writing)
        if "exercises" in writing.tasks and "facts" in document.attributes:
            report = Text("exercises", document.id, document.text, report=document.text, marked=document.entities)
            yield from cut_windows(report, make_drafts(document, split, seed), writing, seed)
        if "entities" in writing.tasks:
            for start, end in draw_passages(document, writing, seed):
                inside = _inside(document.entities, start, end)
                passage = document.text[start:end]
                yield Text("entities", document.id, passage, entities=inside, place=start, marked=inside)


def bare_texts(documents: Iterable[Document], writing: Writing, seed: int) -> Iterator[Text]:
    """Yield what a teacher may write of: bodies without their conclusions, reports, passages."""
    for document in documents:
        if "conclusion" in writing.tasks:
            body = split_conclusion(document)
            yield Text("conclusion", document.id, body.text if body else document.text)
        if "exercises" in writing.tasks:
            yield Text("exercises", document.id, document.text, report=document.text)
        if "entities" in writing.tasks:
            for start, end in draw_passages(document, writing, seed):
                yield Text("entities", document.id, document.text[start:end], place=start)


def _gold_conclusion(document: Document, writing: Writing) -> Iterator[Text]:
    body = split_conclusion(document) if "conclusion" in writing.tasks else None
    if body is None:
        return
    if writing.conclusion == "quoted":
        taught = Text("conclusion", document.id, body.text, quotes=choose_quotes(body.text, body.conclusion))
    elif unsupported(body.conclusion, body.text):
        return
    else:
        taught = Text("conclusion", document.id, body.text, conclusion=body.conclusion.strip())
    yield from [taught] * writing.conclusion_repeats


def cut_windows(report: Text, drafts: Iterable[Sequence[Draft]], writing: Writing, seed: int) -> Iterator[Text]:
    """Yield the windows of a report that questions are written on, each with some of those whose evidence it holds.

    Of some reports the whole is a window too, with a progressive file.
    """
    alone: list[tuple[Draft, ...]] = []
    linked: list[tuple[Draft, ...]] = []
    for some in drafts:
        (alone if len(some) == 1 else linked).append(tuple(some))
    draw = f"{report.document}|%s|{seed}"
    for start, end in cut_passages(report.text, writing.exercise_characters):
        inside = [(one,) for (one,) in alone if start <= one.question.start and one.question.end <= end]
        chosen = choose_drafts(inside, writing.exercises, draw % start)
        if chosen:
            marked = None if report.marked is None else _inside(report.marked, start, end)
            yield replace(report, text=report.text[start:end], drafts=tuple(chosen), place=start, marked=marked)
    if linked and random.Random(draw % "linked").random() * writing.linked_every < 1:
        yield replace(report, drafts=(*linked, *choose_drafts(alone, writing.exercises - 1, draw % "whole")))


def choose_drafts(drafts: Sequence[tuple[Draft, ...]], count: int, seed: str) -> list[tuple[Draft, ...]]:
    """Return so many questions, kinds in turn, so that no kind crowds the others out."""
    rng = random.Random(seed)
    kinds: dict[str, list[tuple[Draft, ...]]] = {}
    for draft in rng.sample(drafts, len(drafts)):
        kinds.setdefault(draft[0].question.kind, []).append(draft)
    order = rng.sample(sorted(kinds), len(kinds))
    turns = [kinds[kind][turn] for turn in range(count) for kind in order if turn < len(kinds[kind])]
    return turns[:count]


def draw_passages(document: Document, writing: Writing, seed: int) -> list[tuple[int, int]]:
    """Return the (start, end) of some passages: whole lines in a row, none inside another, none that cuts an entity."""
    passages = cut_passages(document.text, writing.passage_characters)
    cut = [
        entity for entity in document.entities if not any(s <= entity.start and entity.end <= e for s, e in passages)
    ]
    whole = [(s, e) for s, e in passages if not any(entity.start < e and s < entity.end for entity in cut)]
    rng = random.Random(f"{document.id}|passages|{seed}")
    return sorted(rng.sample(whole, min(writing.passages, len(whole))))


def _inside(entities: Iterable[Entity], start: int, end: int) -> tuple[Entity, ...]:
    return tuple(
        Entity(entity.start - start, entity.end - start, entity.label)
        for entity in entities
        if start <= entity.start and entity.end <= end
    )
