"""Lessons: what a student that writes reads, and the texts it is to write of it, as tokens.

A lesson is one source and all that is written of it: a report is read once for all its exercises.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from carabin.documents import Document, Entity
from carabin.exercises.exercise import ExerciseError
from carabin.exercises.form import Draft
from carabin.exercises.targets import encode_form
from carabin.generation.entity_lines import spell_label
from carabin.generation.faithfulness import unsupported
from carabin.generation.passages import cut_passages
from carabin.generation.source import Source, read_source
from carabin.generation.tasks import CONCLUSION, ENTITIES, EXERCISES
from zoo.conclusions import split_conclusion
from zoo.registry.recipes import Writing, WritingTask
from zoo.synthesis.exercises import make_drafts

PREFIXES: dict[WritingTask, str] = {"conclusion": CONCLUSION, "exercises": EXERCISES, "entities": ENTITIES}
END = 1


@dataclass(frozen=True, slots=True)
class Text:
    """What may be read for a task, and the texts to write of it; none where nobody has written any.

    Attributes:
        task: What is asked.
        document: Id of the report.
        text: The report, its body, or a passage of it.
        conclusion: To write, for the task `conclusion`.
        entities: To write, for the task `entities`; their places count in `text`.
        drafts: To write, for the task `exercises`: each one draft, or the three of a progressive file.
        place: Where a passage begins in its report.
    """

    task: WritingTask
    document: str
    text: str
    conclusion: str | None = None
    entities: tuple[Entity, ...] | None = None
    drafts: tuple[tuple[Draft, ...], ...] = ()
    place: int = 0


def gold_texts(documents: Iterable[Document], split: str, writing: Writing, seed: int) -> Iterator[Text]:
    """Yield what annotated reports teach to write.

    A conclusion that claims what its body does not say would teach to invent: it is left out.

    Args:
        documents: Synthetic reports; others teach their conclusions and their entities alone.
        split: Whose knowledge the wrong answers of exercises are of.
        writing: How much of what.
        seed: Of what is drawn.
    """
    for document in documents:
        yield from _gold_conclusion(document, writing)
        if "exercises" in writing.tasks and "facts" in document.attributes:
            drafts = make_drafts(document, split, seed)
            chosen = tuple(tuple(draft) for draft in choose_drafts(drafts, writing.exercises, f"{document.id}|{seed}"))
            if chosen:
                yield Text("exercises", document.id, document.text, drafts=chosen)
        if "entities" in writing.tasks:
            for start, end in draw_passages(document, writing, seed):
                inside = _inside(document, start, end)
                yield Text("entities", document.id, document.text[start:end], entities=inside, place=start)


def bare_texts(documents: Iterable[Document], writing: Writing, seed: int) -> Iterator[Text]:
    """Yield what a teacher may write of: bodies without their conclusions, reports, passages."""
    for document in documents:
        if "conclusion" in writing.tasks:
            body = split_conclusion(document)
            yield Text("conclusion", document.id, body.text if body else document.text)
        if "exercises" in writing.tasks:
            yield Text("exercises", document.id, document.text)
        if "entities" in writing.tasks:
            for start, end in draw_passages(document, writing, seed):
                yield Text("entities", document.id, document.text[start:end], place=start)


def _gold_conclusion(document: Document, writing: Writing) -> Iterator[Text]:
    body = split_conclusion(document) if "conclusion" in writing.tasks else None
    if body is not None and not unsupported(body.conclusion, body.text):
        for _ in range(writing.conclusion_repeats):
            yield Text("conclusion", document.id, body.text, conclusion=body.conclusion.strip())


def choose_drafts(drafts: Sequence[Sequence[Draft]], count: int, seed: str) -> list[Sequence[Draft]]:
    """Return so many exercises, kinds in turn, so that no kind crowds the others out."""
    rng = random.Random(seed)
    kinds: dict[str, list[Sequence[Draft]]] = {}
    for draft in rng.sample(drafts, len(drafts)):
        kinds.setdefault("dp" if len(draft) > 1 else draft[0].question.kind, []).append(draft)
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


def _inside(document: Document, start: int, end: int) -> tuple[Entity, ...]:
    return tuple(
        Entity(entity.start - start, entity.end - start, entity.label)
        for entity in document.entities
        if start <= entity.start and entity.end <= end
    )


def encode_lesson(tokenizer: Tokenizer, text: Text, longest: int) -> dict[str, Any] | None:
    """Return a row of `training.lesson_batches.FEATURES`; None where nothing can be taught.

    Args:
        tokenizer: The student's, and its teacher's.
        text: With what is to be written.
        longest: Tokens of a source; a longer one is no lesson, for a text cut short would teach to write what it hides.
    """
    prefix = PREFIXES[text.task]
    source = read_source(tokenizer, prefix, text.text)
    targets = [[*ids, END] for ids in _encode_targets(tokenizer, text, source)]
    if not targets or len(source.input_ids) > longest:
        return None
    return {"prefix": prefix, "text": text.text, "targets": targets,
            "tokens": len(source.input_ids) + sum(map(len, targets))}  # fmt: skip


def _encode_targets(tokenizer: Tokenizer, text: Text, source: Source) -> Iterator[list[int]]:
    if text.conclusion is not None:
        yield tokenizer.encode(text.conclusion, add_special_tokens=False).ids
    if text.entities is not None:
        yield from _encode_entities(tokenizer, text.entities, source)
    for drafts in text.drafts:
        try:
            yield encode_form(tokenizer, drafts, source)
        except ExerciseError:
            continue  # an answer that is half a token cannot be copied, so it cannot be taught


def _encode_entities(tokenizer: Tokenizer, entities: Sequence[Entity], source: Source) -> Iterator[list[int]]:
    """Yield the lines `surface | LABEL`, surfaces as the source has them; nothing where one is not whole tokens."""
    ids: list[int] = []
    for entity in entities:
        copied = source.tokens(entity.start, entity.end)
        if copied is None:
            return
        ids += [*source.ids[slice(*copied)].tolist(), *spell_label(tokenizer, entity.label)]
    yield ids
