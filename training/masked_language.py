"""Masked-language modelling: an encoder reads open text with tokens hidden and learns to guess them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertForMaskedLM

from carabin.reader import TextReader
from training.batches import Visit

_IGNORED = -100


class MaskedBatcher:
    """Turns visits into tensors with some tokens hidden; the same visit always hides the same ones."""

    def __init__(self, passages: Dataset, reader: TextReader, masking_rate: float, seed: int) -> None:
        """Hold what a batch is made of.

        Args:
            passages: Rows of `training.passages.FEATURES`; only the text is read.
            reader: Tokenises; its tokenizer has a [MASK].
            masking_rate: Share of the tokens that are guessed. Of those 80 % are replaced by [MASK], 10 % by another
                token and 10 % left as they are (Devlin et al., 2019).
            seed: Of the masks.
        """
        self.passages, self.reader, self.rate, self.seed = passages, reader, masking_rate, seed
        self.mask_id = reader.tokenizer.token_to_id("[MASK]") or 0
        self.vocabulary = reader.tokenizer.get_vocab_size()

    def __call__(self, visits: Sequence[Visit]) -> dict[str, Tensor]:
        """Return `input_ids`, `attention_mask` and `labels` (-100 where nothing is guessed), all (batch, tokens)."""
        texts = [self.passages[visit.passage]["text"] for visit in visits]
        longest = self.reader.max_tokens
        encodings = self.reader.tokenizer.encode_batch(texts)
        input_ids, mask = self.reader.pad([np.asarray(encoding.ids[:longest]) for encoding in encodings])
        rng = np.random.default_rng([self.seed, visits[0].epoch, visits[0].passage])
        first, last = len(self.reader.prefix), len(self.reader.suffix)
        within = mask.astype(bool)
        within[:, :first] = False
        lengths = mask.sum(axis=1)
        for row, length in enumerate(lengths):
            within[row, length - last : length] = False
        guessed = within & (rng.random(input_ids.shape) < self.rate)
        labels = np.where(guessed, input_ids, _IGNORED)
        fate = rng.random(input_ids.shape)
        other = rng.integers(5, self.vocabulary, input_ids.shape)
        input_ids = np.where(guessed & (fate < 0.8), self.mask_id, input_ids)
        input_ids = np.where(guessed & (fate >= 0.9), other, input_ids)
        arrays = {"input_ids": input_ids, "attention_mask": mask, "labels": labels}
        return {name: torch.from_numpy(array.astype(np.int64)) for name, array in arrays.items()}


class MaskedObjective(nn.Module):
    """A masked-language model whose head is computed at the guessed positions only."""

    def __init__(self, model: BertForMaskedLM) -> None:
        """Hold the model."""
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss`: the mean cross-entropy, in nats, over the guessed tokens."""
        encoded = self.model.bert(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        guessed = batch["labels"] != _IGNORED
        if not bool(guessed.any()):
            return {"loss": encoded.last_hidden_state.sum() * 0.0}
        logits = self.model.cls(encoded.last_hidden_state[guessed]).float()
        return {"loss": functional.cross_entropy(logits, batch["labels"][guessed])}
