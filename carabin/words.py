"""Words: the unit in which teacher, student, gold and every tokenizer can be compared.

A word is a run of letters (with their combining marks), a run of digits, or one other visible character. Words are
found by offsets in the untouched text, so a word means the same to a WordPiece student and a SentencePiece teacher.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

# Letters carry their combining marks along, so that "e" + U+0301 stays one word as "é" does. Digits are cut from
# letters because clinical text glues them: "10mg", "DT2", "J3".
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*|\d+|[^\w\s]|_")

Offsets = NDArray[np.int64]
"""Shape (n, 2): start and end of each word or token, in code points."""


def find_words(text: str) -> Offsets:
    """Return the words of a text, in order, never overlapping, never empty. Shape (n_words, 2)."""
    spans = [match.span() for match in _WORD.finditer(text)]
    return np.asarray(spans, dtype=np.int64).reshape(-1, 2)


def first_tokens(words: Offsets, tokens: Offsets) -> NDArray[np.int64]:
    """Return, for each word, the index of the first token that covers its first character, or -1.

    Args:
        words: Shape (n_words, 2), sorted.
        tokens: Shape (n_tokens, 2), sorted by start, without the special tokens (whose offsets are empty).

    Returns:
        Shape (n_words,). -1 where the tokenizer made no token of that character, or where the window ends before it.
        Several words share a token when the tokenizer glues them.
    """
    # Byte-level tokenizers that trim offsets make an empty token of a space, at the very place where a word starts.
    visible = np.flatnonzero(tokens[:, 1] > tokens[:, 0])
    if len(visible) == 0:
        return np.full(len(words), -1, dtype=np.int64)
    starts = tokens[visible, 0]
    # The last token that starts at or before the word; byte-level tokenizers cut one character into several tokens
    # of equal offsets, of which the first is wanted.
    last = np.searchsorted(starts, words[:, 0], side="right") - 1
    first = np.searchsorted(starts, starts[np.maximum(last, 0)], side="left")
    covered = (last >= 0) & (tokens[visible[first], 1] > words[:, 0])
    return np.where(covered, visible[first], -1)
