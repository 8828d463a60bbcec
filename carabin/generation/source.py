"""A source: what the encoder reads, with where in the text each of its tokens stands, so that it can be copied from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.generation.tasks import MARKS

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text as a tokenizer cut it.

    Attributes:
        text: The text, without the task's prefix; for a window of a report, the window's.
        start: Where in the report the text begins.
        input_ids: All that the encoder reads: the prefix, the text, the end. Shape (tokens,).
        ids: The tokens of the text alone.
        first: For each place in the text, the token with which a copy beginning there begins; -1 where none may, since
            a token began before. A token may bring the space before a word along. Shape (len(text) + 1,).
        last: Likewise, one past the token with which a copy ending there ends.
        barred: How many of the tokens before each are not to be copied: marks, and what the tokenizer does not know.
            Shape (len(ids) + 1,).
    """

    text: str
    start: int
    input_ids: Places
    ids: Places
    first: Places
    last: Places
    barred: Places

    def tokens(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the run of tokens, (first, one past the last), that copies a stretch of the text; None: none does."""
        first, last = int(self.first[start]), int(self.last[end])
        if first < 0 or last <= first or self.barred[last] > self.barred[first]:
            return None
        return first, last


def read_source(tokenizer: Any, prefix: str, text: str, start: int = 0) -> Source:  # noqa: ANN401 - tokenizers.Tokenizer
    """Return the source that a prefix and a text make.

    Args:
        tokenizer: Its post-processor ends the source.
        prefix: Of `carabin.generation.tasks`.
        text: A text, or a window of one.
        start: Where in its report the window begins.
    """
    encoding = tokenizer.encode(prefix + text)
    input_ids = np.asarray(encoding.ids, dtype=np.int64)
    offsets = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2) - len(prefix)
    framing = np.asarray(encoding.special_tokens_mask, dtype=bool) & (offsets[:, 1] == offsets[:, 0])
    mine = (offsets[:, 1] > 0) & ~framing
    ids, offsets = input_ids[mine], np.maximum(offsets[mine], 0)
    first, last = _edges(text, offsets)
    barred = np.concatenate(([0], np.cumsum(np.isin(ids, list(uncopied(tokenizer))))))
    return Source(text, start, input_ids, ids, first, last, barred)


def uncopied(tokenizer: Any) -> set[int]:  # noqa: ANN401
    """Return the tokens that no copy may hold: those that mean something to the model, whatever a report says."""
    added = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    return added | {number for mark in MARKS if (number := tokenizer.token_to_id(mark)) is not None}


def _edges(text: str, offsets: Places) -> tuple[Places, Places]:
    """Return, for each place, the token that begins a copy there and one past the token that ends a copy there."""
    places = np.arange(len(text) + 1)
    visible = np.concatenate(([0], np.cumsum([not character.isspace() for character in text], dtype=np.int64)))
    # A character of several bytes may be several tokens, all of its one offset.
    reach = np.concatenate(([0], np.maximum.accumulate(offsets[:, 1])))
    starts = np.append(offsets[:, 0], len(text))
    first = np.searchsorted(reach[1:], places, side="right")
    last = np.searchsorted(offsets[:, 0], places, side="left")
    begins = (starts[first] <= places) & (visible[starts[first]] == visible[places]) & (first < len(offsets))
    furthest = reach[last]
    stops = (last > 0) & (visible[np.maximum(furthest, places)] == visible[places])
    return np.where(begins, first, -1), np.where(stops, last, -1)
