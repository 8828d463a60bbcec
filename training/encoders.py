"""Encoders: built from a recipe's shape, or loaded; and the ways their weights go from one task to the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import BertConfig, BertForMaskedLM, BertForTokenClassification, PreTrainedModel

from zoo.registry.recipes import Architecture


def bert_config(shape: Architecture, vocabulary: int, dropout: float) -> BertConfig:
    """Return the BertConfig of a recipe's shape; [PAD] is token 0 (`training.tokenizer`)."""
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=max(512, shape.max_tokens),
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        type_vocab_size=2,
        pad_token_id=0,
    )


def new_tagger(config: BertConfig, tags: Sequence[str], seed: int, encoder: Path | None = None) -> PreTrainedModel:
    """Return a token classifier, random or upon a pretrained encoder.

    Args:
        config: The encoder's shape.
        tags: Output tags in order.
        seed: Of the weights that no checkpoint gives.
        encoder: A BertForMaskedLM checkpoint of the same shape, if any.
    """
    torch.manual_seed(seed)
    config.id2label = dict(enumerate(tags))
    config.label2id = {tag: number for number, tag in enumerate(tags)}
    model = BertForTokenClassification(config)
    if encoder is not None:
        pretrained = BertForMaskedLM.from_pretrained(encoder)
        model.bert.load_state_dict(pretrained.bert.state_dict())
    return model
