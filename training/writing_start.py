"""What a writing teacher and its student share: the tokenizer, and the words that exercises are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.starts import start_from
from training.teachers import teacher_corpora
from training.texts import teacher_documents, transfer_documents
from training.writing_stages import make_writing_tokenizer
from zoo.labels import LABEL_SETS
from zoo.plan import Plan
from zoo.registry.recipes import Writing
from zoo.runs import fingerprint, hash_file
from zoo.synthesis.exercises import exercise_words, hash_exercises, make_drafts


@dataclass(frozen=True)
class Shared:
    """A tokenizer, words, and perhaps the weights that both start from."""

    tokenizer: Path
    """Its folder."""
    start: Path | None
    """Checkpoint of the encoder-decoder that the profile names; None starts from random weights."""
    vocabulary: int
    words: dict[str, Any]
    """Stems and terms of the train split: the exercises.json of whoever learns from it."""
    labels: tuple[str, ...]
    """Of the entities that are written."""
    writing: Writing
    """What is written."""
    key: dict[str, Any]
    """What tells these from any other's."""


def share_words(plan: Plan) -> Shared:
    """Return what teacher and student share, the tokenizer trained, or the start pretrained, now if it was not."""
    writing = plan.profile.writing
    assert writing  # the registry has checked it
    words = exercise_words(
        (draft for document in teacher_documents(plan) if "facts" in document.attributes
         for drafts in make_drafts(document, "train", plan.profile.data_seed) for draft in drafts),
        split="train",
    )  # fmt: skip
    start = start_from(plan, plan.profile.encoder).tokenizer if plan.profile.encoder else None
    folder = start or _make_tokenizer(plan, words)
    identity = {
        "tokenizer": hash_file(folder / "tokenizer.json"),
        "writing": asdict(writing),
        "exercises": hash_exercises(),
        "labels": plan.student.labels,
    }
    if start is not None:
        identity["start"] = hash_file(start / "model.safetensors")
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    return Shared(folder, start, vocabulary, words, LABEL_SETS[plan.student.labels], writing, identity)


def _make_tokenizer(plan: Plan, words: dict[str, Any]) -> Path:
    recipe, longest = plan.student.tokenizer, plan.student.architecture.max_tokens
    inputs = {"corpora": teacher_corpora(plan) + plan.corpora("transfer"), "words": words}
    key = fingerprint([inputs, asdict(recipe), longest])[:12]
    folder = plan.runs / "teachers" / plan.teacher.id / f"tokenizer-{key}"
    make_writing_tokenizer(_texts(plan, words), recipe, longest, folder, inputs)
    return folder


def _texts(plan: Plan, words: dict[str, Any]) -> Iterator[str]:
    """Yield what the tokenizer learns from: all that is read, and all that exercises are worded with."""
    for document in chain(teacher_documents(plan), transfer_documents(plan)):
        yield document.text
    for of_kind in words["stems"].values():
        for templates in of_kind.values():
            yield from templates
    for terms in words["terms"].values():
        yield from terms
