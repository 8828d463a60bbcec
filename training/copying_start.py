"""Heads that begin by copying: what a small encoder-decoder would else spend most of a short training to find.

To go on with a quotation the decoder must find, in the source, the token that followed the one it just wrote: an
induction circuit (Olsson et al., 2022), made of two heads. Here they are set by hand before training: a head of the
first encoder layer that looks one token back and notes what it saw, and two heads of the first decoder layer that look
for a note of their own last token and bring back what stands there. All stays trainable. Structured starts of attention
are not ours: Trockman and Kolter, "Mimetic initialization of self-attention layers" (2023).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration

BACKWARDS = 10.0
"""Position bias towards the token before: with 500 others at 0, nearly all of the head's attention."""
NOTE, MATCH, BRING = 3.0, 0.1, 4.0
"""Strength of the note beside the token's own embedding, of a match, and of what is brought back."""


@torch.no_grad()
def start_copying(model: T5ForConditionalGeneration, seed: int) -> None:
    """Set the heads of a model with random weights; nothing where it has fewer than two heads."""
    width, size = model.config.d_model, model.config.d_kv
    if model.config.num_heads < 2 or 2 * size > width:
        return
    generator = torch.Generator().manual_seed(seed)
    seen, noted = _directions(size, width, generator), _directions(size, width, generator)
    brought = _directions(2 * size, width, generator)
    network: Any = model  # transformers does not type its layers
    reading = network.encoder.block[0].layer[0].SelfAttention
    bucket = reading._relative_position_bucket(
        torch.tensor([[-1]]), True, model.config.relative_attention_num_buckets,
        model.config.relative_attention_max_distance,
    )  # fmt: skip
    reading.relative_attention_bias.weight[:, 0] = 0.0
    reading.relative_attention_bias.weight[bucket.item(), 0] = BACKWARDS
    reading.q.weight[:size], reading.k.weight[:size] = 0.0, 0.0
    reading.v.weight[:size], reading.o.weight[:, :size] = seen, NOTE * noted.T
    crossing = network.decoder.block[0].layer[1].EncDecAttention
    for head in (0, 1):
        rows = slice(head * size, (head + 1) * size)
        crossing.q.weight[rows], crossing.k.weight[rows] = MATCH * seen, noted
        crossing.v.weight[rows], crossing.o.weight[:, rows] = brought[rows], BRING * brought[rows].T


def _directions(count: int, width: int, generator: torch.Generator) -> Tensor:
    """Return orthonormal rows, shape (count, width)."""
    return torch.linalg.qr(torch.randn(width, count, generator=generator))[0].T
