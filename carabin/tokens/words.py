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
    # The first token that ends after the word's first character. Empty tokens (byte-level tokenizers that trim offsets
    # make one of a space) never do, and of several tokens of one character the first is taken.
    reach = np.maximum.accumulate(tokens[:, 1]) if len(tokens) else np.zeros(0, dtype=np.int64)
    first = np.searchsorted(reach, words[:, 0], side="right")
    starts = np.append(tokens[:, 0], np.iinfo(np.int64).max)
    return np.where(starts[first] <= words[:, 0], first, -1)
