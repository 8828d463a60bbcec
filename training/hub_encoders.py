"""A pinned encoder of the Hub, opened as an untrained tagger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from transformers import AutoModelForTokenClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from zoo.registry import Teacher
from zoo.runs import RunError

MAX_TOKENS = 512
"""Longest window of a teacher of the Hub; encoders that read more learn no better on reports cut at sections."""


def open_hub_tagger(
    teacher: Teacher, tags: Sequence[str], seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Return a Hub encoder under a new, random head, and its tokenizer with the window that the encoder really reads.

    Args:
        teacher: Its `hub_id` is opened at its `revision`, never at a branch.
        tags: Output tags in order.
        seed: Of the head's weights.

    Raises:
        RunError: the Hub has no such encoder or commit, cannot be reached, or the tokenizer gives no offsets.
    """
    assert teacher.hub_id  # the registry has checked it
    torch.manual_seed(seed)
    try:
        model = AutoModelForTokenClassification.from_pretrained(
            teacher.hub_id,
            revision=teacher.revision,
            id2label=dict(enumerate(tags)),
            label2id={tag: number for number, tag in enumerate(tags)},
            # transformers takes the precision of the file: AdamW loses small steps on weights kept in half precision.
            dtype=torch.float32,
        )
        tokenizer = AutoTokenizer.from_pretrained(teacher.hub_id, revision=teacher.revision)
    except (OSError, ValueError) as error:
        cause = str(error).strip().partition("\n")[0]
        raise RunError(
            f"teacher '{teacher.id}': {teacher.hub_id} at commit {teacher.revision} cannot be opened ({cause}); "
            f"check hub_id and revision in models/teachers/{teacher.id}.toml, HF_ENDPOINT and the network"
        ) from error
    if not tokenizer.is_fast:
        raise RunError(f"teacher '{teacher.id}': {teacher.hub_id} has no fast tokenizer, so no offsets; take another")
    # Many tokenizers declare no limit, 1e30; the encoder's positions are one.
    tokenizer.model_max_length = min(tokenizer.model_max_length, readable_tokens(model), MAX_TOKENS)
    return model, cast(PreTrainedTokenizerFast, tokenizer)


def readable_tokens(model: PreTrainedModel) -> int:
    """Return the longest text an encoder reads, in tokens.

    RoBERTa and its kin number the positions from `pad_token_id + 1` (fairseq's way): 514 of them read 512 tokens, and
    the 513th is an index out of range.
    """
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return int(getattr(model.config, "max_position_embeddings", MAX_TOKENS))
