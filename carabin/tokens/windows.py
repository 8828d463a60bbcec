"""Windows over long texts: nothing is cut off silently, and every word is read with context on both sides.

A text longer than the model's window is read in overlapping windows of tokens. Each word takes its prediction from the
window in which it stands farthest from an edge ("max context", Devlin et al., 2019, for SQuAD).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carabin.tokens.words import Offsets, first_tokens


@dataclass(frozen=True, slots=True)
class Window:
    """A run of a document's tokens with the words it answers for.

    Attributes:
        first: Index of the window's first token in the document.
        last: One past its last token.
        words: Indices, in the document, of the words this window answers for. Shape (n,).
        positions: For each of those words, the index of its first token *in the window*, special tokens not counted.
    """

    first: int
    last: int
    words: NDArray[np.int64]
    positions: NDArray[np.int64]


def cut_windows(words: Offsets, tokens: Offsets, capacity: int, overlap: int) -> list[Window]:
    """Return the windows that cover a document; each word with a token is answered for exactly once.

    Args:
        words: Shape (n_words, 2), from `find_words`.
        tokens: Shape (n_tokens, 2), offsets without special tokens.
        capacity: Tokens a window holds, special tokens not counted.
        overlap: Tokens shared by neighbouring windows; less than capacity.

    Raises:
        ValueError: overlap is not smaller than capacity.
    """
    if not 0 <= overlap < capacity:
        raise ValueError(f"overlap {overlap} must be less than the window's capacity {capacity}")
    firsts = first_tokens(words, tokens)
    n_tokens = len(tokens)
    if n_tokens <= capacity:
        known = np.flatnonzero(firsts >= 0)
        return [Window(0, n_tokens, known, firsts[known])] if n_tokens else []
    starts = np.arange(0, n_tokens - overlap, capacity - overlap)
    ends = np.minimum(starts + capacity, n_tokens)
    # The last window is moved back so that it is full: its first words get the context they would lack.
    starts = ends - capacity
    # Halfway through each overlap the answer passes to the next window.
    borders = np.concatenate(([0], (starts[1:] + ends[:-1]) // 2, [n_tokens]))
    # Tokens rise with words, so a window's words are one run of those that have a token.
    known = np.flatnonzero(firsts >= 0)
    runs = np.searchsorted(firsts[known], borders, side="left")
    windows = []
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        mine = known[runs[number] : runs[number + 1]]
        windows.append(Window(start, end, mine, firsts[mine] - start))
    return windows
