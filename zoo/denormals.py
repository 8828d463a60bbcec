"""Numbers so small that a CPU computes with them by hand."""

from __future__ import annotations


def flush_denormals() -> None:
    """Let numbers under 1e-38 be 0 in this process, from its first line on: for scripts, never for a library.

    T5 does not scale its attention scores, so that after some training most of a softmax is as small as that, and a
    product of matrices with such numbers takes a hundred times as long: a whole training ran 3 times as fast without.
    Threads take the setting from the one that starts them, so that it comes too late for a pool that runs; and it holds
    for everything that the thread computes, Python's own floats too, so that whoever imports us must not be given it.
    """
    import torch

    torch.set_flush_denormal(True)
