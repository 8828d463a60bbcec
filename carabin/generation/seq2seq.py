"""Encoder-decoders behind one face: what reads a batch of sources and scores the next token of each text it writes.

The hospital's is onnxruntime (`onnx_seq2seq`); the lab brings torch behind the same face (`zoo.torch_seq2seq`), so a
checkpoint and the files exported from it write by the same loop (`decoding`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Written(Protocol):
    """The texts being written, one a row: their sources and what the decoder remembers of them (its KV cache)."""

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Add tokens to every row and return the scores of what may follow the last.

        Args:
            tokens: Shape (rows, n): the same n for all; several at once where a text begins by a prompt.

        Returns:
            Logits, shape (rows, vocabulary).
        """
        ...

    def keep(self, rows: NDArray[np.int64]) -> Written:
        """Return these rows, in this order, each as often as named: finished texts leave, beams branch."""
        ...


class Sources(Protocol):
    """A batch of sources that were read once."""

    def write(self, sources: NDArray[np.int64]) -> Written:
        """Return texts not begun yet, one for each source named: the same source may be written from many times."""
        ...


class Seq2Seq(Protocol):
    """An encoder-decoder."""

    def read(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> Sources:
        """Encode a padded batch of sources, shape (batch, tokens)."""
        ...
