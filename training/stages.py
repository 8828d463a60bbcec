"""The stages of an encoder's life, each a step that is done once: tokenizer, pretraining, task.

A stage takes what it reads by path or object and writes one folder. Who calls it says what its texts are (`inputs`):
with the stage's own options that is the key under which the result is reused.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from datasets import disable_progress_bars as disable_datasets_bars
from tokenizers import Tokenizer
from transformers import AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from carabin.student_folder import load_reader
from carabin.tokens.reader import TextReader
from training.batches import PassageBatcher, plan_batches
from training.losses import TaggingObjective
from training.optimise import optimise
from training.passages import LabelledText, write_passages
from training.processes import Processes
from training.tokenizer import train_tokenizer, wrap_tokenizer
from zoo.energy import measure_energy
from zoo.registry.recipes import Distillation, TokenizerRecipe, Training
from zoo.runs import run_step

# Their bars would run through ours; what they do here takes a second.
disable_datasets_bars()
transformers_logging.disable_progress_bar()

Inputs = Mapping[str, Any]
Tagger = tuple[PreTrainedModel, PreTrainedTokenizerFast]


def make_tokenizer(
    texts: Iterable[str],
    recipe: TokenizerRecipe,
    max_tokens: int,
    folder: Path,
    inputs: Inputs,
    stage: str = "tokenizer",
    train: Callable[[Iterable[str], int], Tokenizer] = train_tokenizer,
    wrap: Callable[[Tokenizer, int], PreTrainedTokenizerFast] = wrap_tokenizer,
) -> bool:
    """Train a tokenizer on texts and save it as transformers does; True if it was done now.

    Args:
        texts: What it learns from.
        recipe: Its size.
        max_tokens: Longest window of whoever reads with it.
        folder: Where it goes.
        inputs: What the texts are.
        stage: Names the kind of tokenizer in the key.
        train: Returns the tokenizer of texts and a size.
        wrap: Returns it as transformers saves it.
    """
    group = Processes()

    def work(into: Path) -> dict[str, Any]:
        if not group.leader:
            return {}
        tokenizer = train(texts, recipe.vocabulary)
        wrap(tokenizer, max_tokens).save_pretrained(into)
        return {"vocabulary": tokenizer.get_vocab_size()}

    key = {"stage": stage, **asdict(recipe), "max_tokens": max_tokens, **inputs}
    return run_step(folder, key, work, group=group)


@dataclass(frozen=True)
class TaggerRecipe:
    """How a tagger learns."""

    tags: tuple[str, ...]
    """Output tags in order."""
    training: Training
    """Budget and learning rate."""
    distillation: Distillation
    """Weights of the losses. A teacher and an undistilled twin learn from texts that carry gold alone."""
    seed: int
    """Of weights, order, noise and dropout."""


def train_tagger(
    labelled: Iterator[LabelledText],
    build: Callable[[], Tagger],
    recipe: TaggerRecipe,
    folder: Path,
    inputs: Inputs,
    title: str,
    teacher: Path | None = None,
) -> bool:
    """Train a tagger on labelled texts: gold, taught, or both; the checkpoint is the folder.

    Args:
        labelled: The texts, streamed once.
        build: Gives the untrained model and its tokenizer; called only if there is something to train.
        recipe: How it learns.
        folder: Where the checkpoint goes.
        inputs: What the texts and the untrained model are.
        title: For the progress bar.
        teacher: Checkpoint that runs beside the student, for the relation loss.

    Returns:
        True if it was trained now, False if it was found done.
    """
    key = {"stage": "tagger", **asdict(recipe), **inputs}
    training, distillation, seed = recipe.training, recipe.distillation, recipe.seed
    group = Processes()

    def work(into: Path) -> dict[str, Any]:
        model, tokenizer = build()
        model.get_input_embeddings().weight.requires_grad_(not training.frozen_embeddings)
        reader = read_with(tokenizer)
        passages = _shared_passages(labelled, reader, tokenizer.model_max_length, into / "passages", group)
        beside, beside_reader = _open_teacher(teacher)
        batcher = PassageBatcher(passages, reader, len(recipe.tags), distillation.noise, seed, beside_reader)
        plan = plan_batches(passages["tokens"], training.batch_tokens, training.tokens, seed)
        figures: dict[str, Any] = {"passages": len(passages), "parameters": model.num_parameters()}
        with measure_energy(figures):
            figures |= optimise(
                TaggingObjective(model, distillation, beside), batcher, plan, training, into / "training", seed, title
            )
        if group.leader:
            model.save_pretrained(into)
            tokenizer.save_pretrained(into)
            keep_curve(into)
            shutil.rmtree(into / "passages")
        return figures

    return run_step(folder, key, work, seed, group)


def read_with(tokenizer: PreTrainedTokenizerFast) -> TextReader:
    """Return the reader over a tokenizer, windows as long as it says the model reads."""
    return TextReader(tokenizer.backend_tokenizer, tokenizer.model_max_length)


def _shared_passages(
    texts: Iterable[LabelledText], reader: TextReader, max_tokens: int, folder: Path, group: Processes
) -> Dataset:
    """Return passages that the leader writes and every process then reads."""
    if group.leader:
        write_passages(texts, reader, max_tokens, folder)
    group.wait()
    return Dataset.load_from_disk(str(folder))


def _open_teacher(folder: Path | None) -> tuple[PreTrainedModel | None, TextReader | None]:
    if folder is None:
        return None, None
    model = AutoModelForTokenClassification.from_pretrained(folder)
    # As the teacher pass reads with it: what class its tokenizer had on the Hub no longer matters.
    return model, load_reader(folder)


def keep_curve(folder: Path) -> None:
    """Keep the loss curve; drop what only a resumption needed."""
    (folder / "training" / "losses.jsonl").rename(folder / "losses.jsonl")
    shutil.rmtree(folder / "training")
