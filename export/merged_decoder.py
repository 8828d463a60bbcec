"""The merged decoder behind carabin's face of an encoder-decoder, so that it can be compared with the two it holds.

carabin itself runs the two: merged T5 decoders have misbehaved (optimum issue 1523), and weigh on memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.engines.engine import open_session
from export.onnx_files import MERGED, SEQ2SEQ, fp32_file, int8_file

THREADS = 1
"""Comparisons must not depend on the number of cores."""
PAST, PRESENT = "past_key_values", "present"
Feeds = dict[str, NDArray[Any]]


class MergedSeq2Seq:
    """A student's encoder and merged decoder; a `Seq2Seq`."""

    def __init__(self, student: Path, quantized: bool) -> None:
        """Open the files of a student's folder, fp32 or INT8."""
        file = int8_file if quantized else fp32_file
        self.encoder, self.decoder = (open_session(file(student, name), THREADS) for name in (SEQ2SEQ[0], MERGED))

    def read(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> MergedSources:
        """Encode a padded batch of sources."""
        (hidden,) = self.encoder.run(["last_hidden_state"], {"input_ids": input_ids, "attention_mask": attention_mask})
        return MergedSources(self.decoder, hidden, attention_mask)


class MergedSources:
    """A batch of sources that were read once."""

    def __init__(self, decoder: Any, hidden: NDArray[np.float32], mask: NDArray[np.int64]) -> None:  # noqa: ANN401
        """Hold the encoder's last states and the mask of its padding."""
        self.decoder, self.hidden, self.mask = decoder, hidden, mask

    def write(self, sources: NDArray[np.int64]) -> MergedWritten:
        """Return texts not begun yet, one for each source named."""
        return MergedWritten(self.decoder, self.hidden[sources], self.mask[sources], {})


class MergedWritten:
    """Texts being written by the merged decoder."""

    def __init__(self, decoder: Any, hidden: NDArray[np.float32], mask: NDArray[np.int64], past: Feeds) -> None:  # noqa: ANN401
        """Hold each row's source and its keys and values, none before the first step."""
        self.decoder, self.hidden, self.mask, self.past = decoder, hidden, mask, past

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Add tokens, shape (rows, n), and return the logits of what may follow, shape (rows, vocabulary)."""
        names = [output.name for output in self.decoder.get_outputs()]
        answer = dict(zip(names, self.decoder.run(names, self._feeds(tokens)), strict=True))
        present = {name.replace(PRESENT, PAST): value for name, value in answer.items() if name.startswith(PRESENT)}
        # Of the source nothing changes after the first step, and the branch with past gives empty ones.
        kept = {name: value for name, value in self.past.items() if ".encoder." in name}
        self.past = {**present, **kept}
        return answer["logits"][:, -1]

    def _feeds(self, tokens: NDArray[np.int64]) -> Feeds:
        feeds: Feeds = {"input_ids": tokens, "encoder_attention_mask": self.mask, "encoder_hidden_states": self.hidden}
        for entry in self.decoder.get_inputs():
            if entry.name.startswith(PAST):
                _, heads, _, width = entry.shape
                feeds[entry.name] = self.past.get(entry.name, np.zeros((len(tokens), heads, 0, width), np.float32))
        return {**feeds, "use_cache_branch": np.array([bool(self.past)])}

    def keep(self, rows: NDArray[np.int64]) -> MergedWritten:
        """Return these rows, in this order, each as often as named."""
        past = {name: value[rows] for name, value in self.past.items()}
        return MergedWritten(self.decoder, self.hidden[rows], self.mask[rows], past)
