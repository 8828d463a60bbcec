"""The stages of a writing student's life, each a step that is done once: tokenizer, training."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

from carabin.exercises.words import WORDS_FILE
from carabin.generation.conclusions import REPEATED
from carabin.generation.source import uncopied
from training.batches import plan_batches
from training.lesson_batches import FEATURES, LessonBatcher, count_written
from training.lesson_encoding import LessonEncoder
from training.lessons import Text
from training.optimise import optimise
from training.processes import Processes
from training.rows import write_rows
from training.stages import Inputs, keep_curve, make_tokenizer
from training.writing_losses import WritingObjective
from training.writing_tokenizer import train_writing_tokenizer, wrap_writing_tokenizer
from zoo.energy import measure_energy
from zoo.registry.recipes import Distillation, TokenizerRecipe, Training
from zoo.runs import run_step, write_json


def make_writing_tokenizer(
    texts: Iterable[str], recipe: TokenizerRecipe, max_tokens: int, folder: Path, inputs: Inputs
) -> bool:
    """Train a tokenizer on texts and save it as transformers does; True if it was done now."""
    how = ("writing tokenizer", train_writing_tokenizer, wrap_writing_tokenizer)
    return make_tokenizer(texts, recipe, max_tokens, folder, inputs, *how)


@dataclass(frozen=True)
class WriterRecipe:
    """How a writer learns."""

    training: Training
    distillation: Distillation
    """Weights of the losses. A teacher and an undistilled twin learn from gold alone, beside nobody."""
    seed: int
    """Of weights, order, noise and dropout."""


def train_writer(
    texts: Iterable[Text],
    tokenizer: Path,
    build: Callable[[], T5ForConditionalGeneration],
    words: dict[str, Any],
    recipe: WriterRecipe,
    folder: Path,
    inputs: Inputs,
    title: str,
    teacher: Path | None = None,
) -> bool:
    """Train an encoder-decoder on what its texts say to write; the checkpoint is the folder.

    Args:
        texts: With what is to be written of each, streamed once.
        tokenizer: Folder of the tokenizer.
        build: Gives the untrained model; called only if there is something to train.
        words: Stems and terms that its exercises are made of: its exercises.json.
        recipe: How it learns.
        folder: Where the checkpoint goes.
        inputs: What texts, tokenizer and untrained model are.
        title: For the progress bar.
        teacher: Checkpoint that runs beside the student, for the token divergence.

    Returns:
        True if it was trained now, False if it was found done.
    """
    key = {"stage": "writer", **asdict(recipe), "words": words, **inputs}
    group = Processes()

    def work(into: Path) -> dict[str, Any]:
        model, wrapped = build(), PreTrainedTokenizerFast.from_pretrained(tokenizer)
        reader, longest = wrapped.backend_tokenizer, wrapped.model_max_length
        encoder = LessonEncoder(reader, longest, words, model.config.entity_labels, model.config.max_written)
        if group.leader:
            write_rows(filter(None, map(encoder.encode, texts)), FEATURES, into / "lessons")
        group.wait()
        lessons = Dataset.load_from_disk(str(into / "lessons"))
        plan = plan_batches(lessons["tokens"], recipe.training.batch_tokens, recipe.training.tokens, recipe.seed)
        usual = count_written(lessons, plan)
        batcher = LessonBatcher(
            lessons, reader, recipe.distillation.noise, recipe.seed, longest, usual, beside=teacher is not None
        )
        figures: dict[str, Any] = {"lessons": len(lessons), "parameters": model.num_parameters()}
        beside = None if teacher is None else T5ForConditionalGeneration.from_pretrained(
            teacher, attn_implementation="eager"
        )  # fmt: skip
        objective = WritingObjective(model, recipe.distillation, beside, encoder.kinds_of_marks)
        with measure_energy(figures):
            figures |= optimise(objective, batcher, plan, recipe.training, into / "training", recipe.seed, title)
        if group.leader:
            # What `generate` writes unless told otherwise is a conclusion, words and no marks, as carabin writes it.
            model.generation_config.suppress_tokens = sorted(uncopied(reader) - {model.config.eos_token_id})
            model.generation_config.no_repeat_ngram_size = REPEATED
            model.save_pretrained(into)
            wrapped.save_pretrained(into)
            write_json(into / WORDS_FILE, words)
            keep_curve(into)
            shutil.rmtree(into / "lessons")
        return figures

    return run_step(folder, key, work, recipe.seed, group)
