"""The stages of an encoder's life, each a step that is done once: tokenizer, pretraining, task.

A stage takes what it reads by path or object and writes one folder. Who calls it says what its texts are (`inputs`):
with the stage's own options that is the key under which the result is reused.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from datasets import disable_progress_bars as disable_datasets_bars
from transformers import AutoModelForTokenClassification, BertForMaskedLM, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from carabin.documents import Document
from carabin.reader import TextReader
from carabin.student_folder import load_reader
from training.batches import PassageBatcher, plan_batches
from training.encoders import bert_config, new_tagger
from training.losses import TaggingObjective
from training.masked_language import MaskedBatcher, MaskedObjective
from training.optimise import optimise
from training.passages import LabelledText, bare_text, write_passages
from training.processes import Processes
from training.tokenizer import train_tokenizer, wrap_tokenizer
from zoo.energy import measure_energy
from zoo.registry.recipes import Architecture, Distillation, MaskedLanguageModelling, TokenizerRecipe, Training
from zoo.runs import run_step

# Their bars would run through ours; what they do here takes a second.
disable_datasets_bars()
transformers_logging.disable_progress_bar()

Inputs = Mapping[str, Any]
Tagger = tuple[PreTrainedModel, PreTrainedTokenizerFast]


def make_tokenizer(
    texts: Iterable[str], recipe: TokenizerRecipe, max_tokens: int, folder: Path, inputs: Inputs
) -> bool:
    """Train a tokenizer on texts and save it as transformers does; True if it was done now."""
    group = Processes()

    def work(into: Path) -> dict[str, Any]:
        if not group.leader:
            return {}
        tokenizer = train_tokenizer(texts, recipe.vocabulary)
        wrap_tokenizer(tokenizer, max_tokens).save_pretrained(into)
        return {"vocabulary": tokenizer.get_vocab_size()}

    key = {"stage": "tokenizer", **asdict(recipe), "max_tokens": max_tokens, **inputs}
    return run_step(folder, key, work, group=group)


def pretrain_encoder(
    documents: Iterable[Document],
    recipe: MaskedLanguageModelling,
    shape: Architecture,
    tokenizer: Path,
    folder: Path,
    inputs: Inputs,
) -> bool:
    """Pretrain an encoder by masked-language modelling; the checkpoint is the folder. True if it was done now."""
    group = Processes()
    key = {"stage": "pretraining", "recipe": asdict(recipe), "shape": asdict(shape), **inputs}

    def work(into: Path) -> dict[str, Any]:
        reader = read_with(PreTrainedTokenizerFast.from_pretrained(tokenizer))
        passages = _shared_passages(map(bare_text, documents), reader, shape.max_tokens, into / "passages", group)
        torch.manual_seed(recipe.seed)
        model = BertForMaskedLM(bert_config(shape, reader.tokenizer.get_vocab_size()))
        plan = plan_batches(passages["tokens"], recipe.training.batch_tokens, recipe.training.tokens, recipe.seed)
        batcher = MaskedBatcher(passages, reader, recipe.masking_rate, recipe.seed)
        figures: dict[str, Any] = {"passages": len(passages), "parameters": model.num_parameters()}
        with measure_energy(figures):
            figures |= optimise(
                MaskedObjective(model), batcher, plan, recipe.training, into / "training", recipe.seed, "pretraining"
            )
        if group.leader:
            model.save_pretrained(into)
            _keep_curve(into)
        return figures

    return run_step(folder, key, work, recipe.seed, group)


def train_tagger(
    labelled: Iterator[LabelledText],
    tags: tuple[str, ...],
    build: Callable[[], Tagger],
    training: Training,
    distillation: Distillation,
    folder: Path,
    inputs: Inputs,
    seed: int,
    title: str,
    teacher: Path | None = None,
) -> bool:
    """Train a tagger on labelled texts: gold, taught, or both; the checkpoint is the folder.

    Args:
        labelled: The texts, streamed once.
        tags: Output tags.
        build: Gives the untrained model and its tokenizer; called only if there is something to train.
        training: Budget and learning rate.
        distillation: Weights of the losses. A teacher and an undistilled twin learn from texts that carry gold alone.
        folder: Where the checkpoint goes.
        inputs: What the texts and the untrained model are.
        seed: Of weights, order, noise and dropout.
        title: For the progress bar.
        teacher: Checkpoint that runs beside the student, for the relation loss.

    Returns:
        True if it was trained now, False if it was found done.
    """
    key = {
        "stage": "tagger", "tags": tags, "training": asdict(training), "distillation": asdict(distillation),
        "seed": seed, **inputs,
    }  # fmt: skip

    group = Processes()

    def work(into: Path) -> dict[str, Any]:
        model, tokenizer = build()
        reader = read_with(tokenizer)
        passages = _shared_passages(labelled, reader, tokenizer.model_max_length, into / "passages", group)
        beside, beside_reader = _open_teacher(teacher)
        batcher = PassageBatcher(passages, reader, len(tags), distillation.noise, seed, beside_reader)
        plan = plan_batches(passages["tokens"], training.batch_tokens, training.tokens, seed)
        figures: dict[str, Any] = {"passages": len(passages), "parameters": model.num_parameters()}
        with measure_energy(figures):
            figures |= optimise(
                TaggingObjective(model, distillation, beside), batcher, plan, training, into / "training", seed, title
            )
        if group.leader:
            model.save_pretrained(into)
            tokenizer.save_pretrained(into)
            _keep_curve(into)
        return figures

    return run_step(folder, key, work, seed, group)


def build_tagger(
    shape: Architecture, tags: tuple[str, ...], tokenizer: Path, seed: int, encoder: Path | None
) -> Tagger:
    """Return a BERT tagger of the recipe's shape, random or upon a pretrained encoder, and its tokenizer."""
    wrapped = PreTrainedTokenizerFast.from_pretrained(tokenizer)
    return new_tagger(bert_config(shape, len(wrapped)), tags, seed, encoder), wrapped


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


def _keep_curve(folder: Path) -> None:
    """Keep the loss curve; drop what only a resumption needed."""
    (folder / "training" / "losses.jsonl").rename(folder / "losses.jsonl")
    for name in ("training", "passages"):
        shutil.rmtree(folder / name)
