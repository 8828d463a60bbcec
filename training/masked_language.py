"""Masked-language modelling: an encoder reads open text with tokens hidden and learns to guess them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertForMaskedLM

from training.batches import Visit
from training.tokenizer import SPECIAL_TOKENS

_IGNORED = -100


class MaskedBatcher:
    """Turns visits into tensors with some tokens hidden; the same visits always hide the same ones."""

    def __init__(self, rows: NDArray[np.int32], tokenizer: Tokenizer, rate: float, seed: int) -> None:
        """Hold what a batch is made of.

        Args:
            rows: Token ids, shape (n, length), framed by special tokens (`training.packing`).
            tokenizer: Of `training.tokenizer`: its first ids are the special tokens.
            rate: Share of the tokens that are guessed. Of those 80 % are replaced by [MASK], 10 % by another token and
                10 % left as they are (Devlin et al., 2019).
            seed: Of the masks.
        """
        self.rows, self.rate, self.seed = rows, rate, seed
        self.mask_id = SPECIAL_TOKENS.index("[MASK]")
        self.vocabulary = tokenizer.get_vocab_size()

    def __call__(self, visits: Sequence[Visit]) -> dict[str, Tensor]:
        """Return `input_ids` and `labels` (-100 where nothing is guessed), both (batch, tokens)."""
        rows = self.rows[[visit.passage for visit in visits]].astype(np.int64)
        rng = np.random.default_rng([self.seed, visits[0].epoch, visits[0].passage])
        guessed = (rows >= len(SPECIAL_TOKENS)) & (rng.random(rows.shape) < self.rate)
        fate = rng.random(rows.shape)
        other = rng.integers(len(SPECIAL_TOKENS), self.vocabulary, rows.shape)
        shown = np.where(guessed & (fate < 0.8), self.mask_id, rows)
        shown = np.where(guessed & (fate >= 0.9), other, shown)
        return {"input_ids": torch.from_numpy(shown), "labels": torch.from_numpy(np.where(guessed, rows, _IGNORED))}


class MaskedObjective(nn.Module):
    """A masked-language model whose head is computed at the guessed positions only."""

    def __init__(self, model: BertForMaskedLM) -> None:
        """Hold the model."""
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss`: the mean cross-entropy, in nats, over the guessed tokens."""
        encoded = self.model.bert(input_ids=batch["input_ids"])
        guessed = batch["labels"] != _IGNORED
        if not bool(guessed.any()):
            return {"loss": encoded.last_hidden_state.sum() * 0.0}
        logits = self.model.cls(encoded.last_hidden_state[guessed]).float()
        return {"loss": functional.cross_entropy(logits, batch["labels"][guessed])}
