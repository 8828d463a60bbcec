"""Encoder-decoders: built from a recipe's shape, or from some of the layers of a larger one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

from training.copying_start import start_copying
from zoo.registry.recipes import Architecture, Decoder, Writing
from zoo.runs import RunError

_BLOCK = re.compile(r"(encoder|decoder)\.block\.(\d+)\.(.+)")


def t5_config(
    shape: Architecture, decoder: Decoder, vocabulary: int, labels: Sequence[str], writing: Writing, dropout: float
) -> T5Config:
    """Return the T5Config of a recipe's shape; its frame is that of `training.writing_tokenizer`.

    The last five keys are ours (`carabin.generation.writer_settings.WriterSettings`); transformers keeps them.
    """
    settings: dict[str, Any] = dict(
        vocab_size=vocabulary,
        d_model=shape.hidden,
        d_kv=shape.hidden // shape.heads,
        d_ff=shape.intermediate,
        num_layers=shape.layers,
        num_decoder_layers=decoder.layers,
        num_heads=shape.heads,
        dropout_rate=dropout,
        feed_forward_proj="relu",
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        max_written=decoder.max_tokens,
        passage_characters=writing.passage_characters,
        exercise_characters=writing.exercise_characters,
        entity_labels=list(labels),
        conclusion=writing.conclusion,
    )
    return T5Config(**settings)


def new_writer(config: T5Config, seed: int) -> T5ForConditionalGeneration:
    """Return an untrained encoder-decoder whose first heads copy, set to write at most what its config says."""
    torch.manual_seed(seed)
    # transformers' fused attention has no kernel for T5's position bias on CPU and takes the slow way round: training
    # here ran 1.4 times as fast with the plain one.
    config._attn_implementation = "eager"
    model = T5ForConditionalGeneration(config)
    start_copying(model, seed)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=0, eos_token_id=1, pad_token_id=0, max_new_tokens=config.max_written
    )
    return model


def begin_writer(config: T5Config, seed: int, start: Path | None) -> T5ForConditionalGeneration:
    """Return what a training begins from: layers of a start, pretrained or taught; an untrained model without one."""
    if start is None:
        return new_writer(config, seed)
    return shrink_writer(T5ForConditionalGeneration.from_pretrained(start), config, seed)


def shrink_writer(teacher: T5ForConditionalGeneration, config: T5Config, seed: int) -> T5ForConditionalGeneration:
    """Return a shallower copy of a teacher: the layers of each stack that lie furthest apart (Shleifer and Rush, 2020).

    Raises:
        RunError: the student is not a shallower teacher: another width, heads, vocabulary, or more layers.
    """
    student = new_writer(config, seed)
    weights = teacher.state_dict()
    kept = {
        "encoder": spread_layers(len(teacher.encoder.block), len(student.encoder.block)),
        "decoder": spread_layers(len(teacher.decoder.block), len(student.decoder.block)),
    }
    taken = {name: weights.get(_name_in_teacher(name, kept)) for name in student.state_dict()}
    _check_shapes(student.state_dict(), taken)
    student.load_state_dict(taken)
    return student


def spread_layers(whole: int, kept: int) -> list[int]:
    """Return the layers to keep, first and last among them, the others as far apart as can be.

    Raises:
        RunError: there are not so many.
    """
    if kept > whole:
        raise RunError(f"a student of {kept} layers cannot take them from a teacher's {whole}; give it fewer")
    if kept == 1:
        return [0]
    return [round(number * (whole - 1) / (kept - 1)) for number in range(kept)]


def _name_in_teacher(name: str, kept: Mapping[str, list[int]]) -> str:
    match = _BLOCK.fullmatch(name)
    if match is None:
        return name
    stack, number, rest = match[1], int(match[2]), match[3]
    return f"{stack}.block.{kept[stack][number]}.{rest}"


def _check_shapes(wanted: Mapping[str, Tensor], taken: Mapping[str, Tensor | None]) -> None:
    for name, weight in wanted.items():
        found = taken[name]
        if found is None or found.shape != weight.shape:
            has = "nothing" if found is None else str(tuple(found.shape))
            raise RunError(
                f"the student's {name} is {tuple(weight.shape)}, what it starts from (its teacher by method "
                f"'weights', or the profile's encoder) has {has}; give both the same hidden, heads, intermediate and "
                "vocabulary"
            )
