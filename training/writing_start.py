"""What a writing teacher and its student share: the tokenizer, and the words that exercises are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from training.teachers import teacher_corpora
from training.texts import teacher_documents, transfer_documents
from training.writing_stages import make_writing_tokenizer
from zoo.labels import LABEL_SETS
from zoo.plan import Plan
from zoo.runs import fingerprint, hash_file, read_json
from zoo.synthesis.exercises import exercise_words, hash_exercises, make_drafts


@dataclass(frozen=True)
class Shared:
    """A tokenizer and words."""

    tokenizer: Path
    """Its folder."""
    vocabulary: int
    words: dict[str, Any]
    """Stems and terms of the train split: the exercises.json of whoever learns from it."""
    labels: tuple[str, ...]
    """Of the entities that are written."""
    passage: int
    """Characters of a passage whose entities are written."""
    key: dict[str, Any]
    """What tells these from any other's."""


def share_words(plan: Plan) -> Shared:
    """Return what teacher and student share, the tokenizer trained now if it was not."""
    writing = plan.profile.writing
    assert writing  # the registry has checked it
    words = exercise_words(
        (draft for document in teacher_documents(plan) if "facts" in document.attributes
         for drafts in make_drafts(document, "train", plan.profile.data_seed) for draft in drafts),
        split="train",
    )  # fmt: skip
    corpora = teacher_corpora(plan) + plan.corpora("transfer")
    inputs = {"corpora": corpora, "words": words}
    key = fingerprint([inputs, asdict(plan.student.tokenizer), plan.student.architecture.max_tokens])[:12]
    folder = plan.runs / "teachers" / plan.teacher.id / f"tokenizer-{key}"
    make_writing_tokenizer(
        _texts(plan, words), plan.student.tokenizer, plan.student.architecture.max_tokens, folder, inputs
    )
    identity = {
        "tokenizer": hash_file(folder / "tokenizer.json"),
        "writing": asdict(writing),
        "exercises": hash_exercises(),
        "labels": plan.student.labels,
    }
    vocabulary = read_json(folder / "run.json")["vocabulary"]
    return Shared(folder, vocabulary, words, LABEL_SETS[plan.student.labels], writing.passage_characters, identity)


def _texts(plan: Plan, words: dict[str, Any]) -> Iterator[str]:
    """Yield what the tokenizer learns from: all that is read, and all that exercises are worded with."""
    for document in chain(teacher_documents(plan), transfer_documents(plan)):
        yield document.text
    for of_kind in words["stems"].values():
        for templates in of_kind.values():
            yield from templates
    for terms in words["terms"].values():
        yield from terms
