"""How much of a machine a training uses: floating-point operations of a model against what the machine can do."""

from __future__ import annotations

import time

import torch
from transformers import BertConfig, T5Config

_SIDE = {"cpu": (2048, 1024), "cuda": (8192, 8192)}
_REPEATS = 10


def training_flops(config: BertConfig, length: int, guessed: float) -> float:
    """Return the floating-point operations that masked-language training spends on one token.

    Twice the multiplications of the forward pass, three times over (forward, and backward towards inputs and weights):
    the 6 N of Kaplan et al. (2020), with attention's products and the head at the guessed positions counted.

    Args:
        config: The encoder.
        length: Tokens of a row.
        guessed: Share of the tokens that are guessed.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    layer = 4 * hidden * hidden + 2 * hidden * inner + 2 * length * hidden
    head = guessed * (hidden * hidden + hidden * config.vocab_size)
    return 6.0 * (config.num_hidden_layers * layer + head)


def writing_flops(config: T5Config, read: int, written: int) -> float:
    """Return the floating-point operations that an encoder-decoder's training spends on one token that it reads.

    Counted as `training_flops` counts; what it writes of a source is shared out among the source's tokens.

    Args:
        config: The encoder-decoder.
        read: Tokens of a source.
        written: Tokens that are written of it.
    """
    width, heads = config.d_model, config.num_heads * config.d_kv

    def attend(asking: int, asked: int) -> int:
        return 2 * width * heads * (asking + asked) + 2 * asking * asked * heads

    encoder = attend(read, read) + 2 * width * config.d_ff * read
    decoder = attend(written, written) + attend(written, read) + 2 * width * config.d_ff * written
    head = width * config.vocab_size * written
    layers = config.num_decoder_layers or config.num_layers
    return 6.0 * (config.num_layers * encoder + layers * decoder + head) / read


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating-point operations per second of large matrix products here, measured, best of a few."""
    rows, side = _SIDE[device.type]
    left = torch.randn(rows, side, device=device).to(dtype)
    right = torch.randn(side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(_REPEATS):
        _wait(device)
        started = time.perf_counter()
        left @ right
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2.0 * rows * side * side / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
