"""What an encoder and an encoder-decoder do not share when they learn from open text."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import BertForMaskedLM, PreTrainedModel, PreTrainedTokenizerFast, T5ForConditionalGeneration

from training.encoders import bert_config
from training.flops import training_flops, writing_flops
from training.masked_language import MaskedBatcher, MaskedObjective
from training.optimise import Batcher
from training.packing import BERT_FRAME, NO_FRAME
from training.span_corruption import SpanBatcher, SpanObjective
from training.tokenizer import train_tokenizer, wrap_tokenizer
from training.word_vectors import token_vectors
from training.writers import new_writer, t5_config
from training.writing_tokenizer import train_writing_tokenizer, wrap_writing_tokenizer
from zoo.registry import Encoder
from zoo.registry.recipes import Training, Writing

Rows = NDArray[np.int32]


class Kind(Protocol):
    """How a family of models learns from rows of open text."""

    training: Training | None
    """How long and how fast; None where nothing is trained."""
    row_tokens: int
    """Tokens of a packed row."""
    read_tokens: int
    """Tokens that the model reads of it: what a budget counts."""
    frame: tuple[tuple[int, ...], ...]
    """Token ids that begin and end a packed row."""

    def join(self, documents: Iterable[list[str]]) -> list[list[str]]:
        """Return documents, sentence by sentence, as the pieces that are made tokens of."""
        ...

    def new_tokenizer(self, texts: Iterable[str]) -> PreTrainedTokenizerFast:
        """Return a tokenizer trained on texts."""
        ...

    def new_model(self, rows: Rows, vocabulary: int, figures: dict[str, Any]) -> PreTrainedModel:
        """Return the model that has read nothing, or counts alone; figures gets what that cost."""
        ...

    def batcher(self, rows: Rows, tokenizer: PreTrainedTokenizerFast) -> Batcher:
        """Return what makes batches of rows."""
        ...

    def objective(self, model: PreTrainedModel) -> nn.Module:
        """Return what is optimised."""
        ...

    def flops(self, model: PreTrainedModel) -> float:
        """Return the floating-point operations of training on one token that is read."""
        ...


def kind_of(encoder: Encoder) -> Kind:
    """Return how an entry of the zoo learns."""
    return SpanWriter(encoder) if encoder.kind == "t5" else MaskedEncoder(encoder)


class MaskedEncoder:
    """BERT: word vectors, then masked-language modelling, either of them optional."""

    frame: tuple[tuple[int, ...], ...] = BERT_FRAME

    def __init__(self, encoder: Encoder) -> None:
        """Hold the recipe."""
        self.encoder, self.masking = encoder, encoder.masking
        self.training: Training | None = encoder.masking.training if encoder.masking else None
        self.row_tokens = self.read_tokens = encoder.architecture.max_tokens

    def join(self, documents: Iterable[list[str]]) -> list[list[str]]:
        """Return the sentences as they are: blanks are nothing to a WordPiece tokenizer."""
        return list(documents)

    def new_tokenizer(self, texts: Iterable[str]) -> PreTrainedTokenizerFast:
        """Return a WordPiece tokenizer."""
        learned = train_tokenizer(texts, self.encoder.tokenizer.vocabulary)
        return wrap_tokenizer(learned, self.encoder.architecture.max_tokens)

    def new_model(self, rows: Rows, vocabulary: int, figures: dict[str, Any]) -> PreTrainedModel:
        """Return the model, its token embeddings from counts if the recipe says so."""
        encoder = self.encoder
        torch.manual_seed(encoder.seed)
        model = BertForMaskedLM(
            bert_config(encoder.architecture, vocabulary, self.training.dropout if self.training else 0.0)
        )
        if encoder.word_vectors is not None:
            started = time.monotonic()
            size = encoder.architecture.hidden
            vectors = token_vectors(np.asarray(rows), vocabulary, size, encoder.word_vectors, encoder.seed)
            model.bert.embeddings.word_embeddings.weight.data.copy_(torch.from_numpy(vectors))
            figures["word_vectors_seconds"] = round(time.monotonic() - started, 1)
        return model

    def batcher(self, rows: Rows, tokenizer: PreTrainedTokenizerFast) -> Batcher:
        """Return what hides tokens."""
        assert self.masking is not None
        return MaskedBatcher(rows, tokenizer.backend_tokenizer, self.masking.rate, self.encoder.seed)

    def objective(self, model: PreTrainedModel) -> nn.Module:
        """Return the guessing of hidden tokens."""
        assert isinstance(model, BertForMaskedLM)
        return MaskedObjective(model)

    def flops(self, model: PreTrainedModel) -> float:
        """Return the floating-point operations of training on one token that is read."""
        assert self.masking is not None and isinstance(model, BertForMaskedLM)
        return training_flops(model.config, self.row_tokens, self.masking.rate)


class SpanWriter:
    """T5: span corruption, from heads that begin by copying (`training.copying_start`)."""

    frame: tuple[tuple[int, ...], ...] = NO_FRAME  # what is taken out of a row ends it: `training.span_corruption`

    def __init__(self, encoder: Encoder) -> None:
        """Hold the recipe."""
        assert encoder.decoder and encoder.corruption  # the registry has checked it
        self.encoder, self.decoder, self.corruption = encoder, encoder.decoder, encoder.corruption
        self.training: Training | None = encoder.corruption.training
        self.row_tokens = encoder.corruption.row_tokens
        self.read_tokens = self.row_tokens - self.corruption.taken + self.corruption.spans + 1

    def join(self, documents: Iterable[list[str]]) -> list[list[str]]:
        """Return each document as one line: a byte-level tokenizer writes blanks, so it must read them."""
        return [[" ".join(sentences) + "\n"] for sentences in documents]

    def new_tokenizer(self, texts: Iterable[str]) -> PreTrainedTokenizerFast:
        """Return a byte-level tokenizer with sentinels."""
        learned = train_writing_tokenizer(texts, self.encoder.tokenizer.vocabulary)
        return wrap_writing_tokenizer(learned, self.encoder.architecture.max_tokens)

    def new_model(self, rows: Rows, vocabulary: int, figures: dict[str, Any]) -> PreTrainedModel:
        """Return an untrained encoder-decoder that is asked for nothing yet."""
        dropout = self.corruption.training.dropout
        shape = t5_config(self.encoder.architecture, self.decoder, vocabulary, (), Writing(), dropout)
        return new_writer(shape, self.encoder.seed)

    def batcher(self, rows: Rows, tokenizer: PreTrainedTokenizerFast) -> Batcher:
        """Return what takes spans out."""
        return SpanBatcher(rows, tokenizer.backend_tokenizer, self.corruption, self.encoder.seed)

    def objective(self, model: PreTrainedModel) -> nn.Module:
        """Return the writing of what was taken out."""
        assert isinstance(model, T5ForConditionalGeneration)
        return SpanObjective(model)

    def flops(self, model: PreTrainedModel) -> float:
        """Return the floating-point operations of training on one token that is read."""
        assert isinstance(model, T5ForConditionalGeneration)
        return writing_flops(model.config, self.read_tokens, self.corruption.taken + self.corruption.spans + 1)
