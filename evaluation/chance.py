"""Chance: what a grammar lets be written where every score is drawn. What a student adds is what stands above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ChanceSources:
    """A batch of sources: each is the same to it."""

    vocabulary: int
    seed: int

    def write(self, sources: NDArray[np.int64]) -> ChanceWritten:
        """Return one text for each source named."""
        return ChanceWritten(self.vocabulary, len(sources), np.random.default_rng(self.seed))


@dataclass
class ChanceWritten:
    """Texts whose next token's scores are drawn, one a row."""

    vocabulary: int
    rows: int
    random: np.random.Generator

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return scores, (rows, vocabulary), drawn anew at each step."""
        return self.random.random((self.rows, self.vocabulary), dtype=np.float32)

    def keep(self, rows: NDArray[np.int64]) -> ChanceWritten:
        """Return so many rows of the same draw."""
        return ChanceWritten(self.vocabulary, len(rows), self.random)


@dataclass
class Chance:
    """An encoder-decoder (`carabin.generation.seq2seq`) that has learned nothing."""

    vocabulary: int
    seed: int
    read_batches: int = 0

    def read(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> ChanceSources:
        """Return the batch; another draw for each."""
        self.read_batches += 1
        return ChanceSources(self.vocabulary, self.seed + self.read_batches)
