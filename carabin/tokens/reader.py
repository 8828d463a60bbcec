"""The text reader: a text becomes words, windows and token ids.

The tokenizer's own record of a token is a hundred bytes: a 5 MB note read at once would take a gigabyte. So long texts
are tokenised in pieces, short ones in batches of about as much, and only arrays are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from carabin.documents import check_encodable
from carabin.tokens.windows import Window, cut_windows
from carabin.tokens.words import Offsets, find_words

PIECE = 50_000
"""Code points tokenised at once; shorter texts are never cut."""
BATCH = 4 * PIECE
"""Code points of the texts that one call of the tokenizer shares among its threads."""

# A piece ends before a space between two visible characters: no tokenizer looks over that.
_SEAM = re.compile(r"(?<=\w)[ \n](?=\w)")
_PROBES = ("a", "1", ".", "e a", "é")


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text cut into words and windows of token ids, ready for an engine."""

    words: Offsets
    windows: list[Window]
    ids: list[NDArray[np.int64]]
    """Token ids of each window, special tokens included."""


class TextReader:
    """Tokenises texts and cuts them into windows; holds what the model needs to know about its own tokenizer."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, overlap: int | None = None) -> None:
        """Wrap a tokenizer.

        Args:
            tokenizer: Its post-processor frames each text with the special tokens.
            max_tokens: Longest window, special tokens included.
            overlap: Tokens shared by neighbouring windows; a quarter of the window by default.

        Raises:
            ValueError: the window has no room beside the special tokens, or the overlap fills it.
        """
        tokenizer.no_truncation()
        tokenizer.no_padding()
        # "[SEP]" typed in a note is text, not a command to the model.
        tokenizer.encode_special_tokens = True
        frame = tokenizer.encode("")
        self.tokenizer = tokenizer
        self.prefix = frame.ids[: _leading_specials(tokenizer, len(frame.ids))]
        self.suffix = frame.ids[len(self.prefix) :]
        self.capacity = max_tokens - len(frame.ids)
        self.overlap = self.capacity // 4 if overlap is None else overlap
        if not 0 <= self.overlap < self.capacity:
            raise ValueError(
                f"a window of {max_tokens} tokens, {len(frame.ids)} of them special, cannot overlap by {self.overlap}"
            )
        padding = tokenizer.token_to_id("[PAD]")
        if padding is None:
            padding = tokenizer.token_to_id("<pad>")
        self.padding_id = 0 if padding is None else padding

    @property
    def max_tokens(self) -> int:
        """Longest window, special tokens included."""
        return self.capacity + len(self.prefix) + len(self.suffix)

    def read(self, texts: Sequence[str]) -> list[ReadText]:
        """Return each text's words, windows and token ids. Empty and blank texts have no window.

        Raises:
            DocumentError: a text holds a lone surrogate.
        """
        try:
            return [self._cut(text, *tokens) for text, tokens in zip(texts, self._tokenise(texts), strict=True)]
        except TypeError:
            for number, text in enumerate(texts):
                check_encodable(text, f"text {number}")
            raise

    def _tokenise(self, texts: Sequence[str]) -> Iterator[tuple[NDArray[np.int64], Offsets]]:
        for first, last in runs([len(text) for text in texts], BATCH):
            if len(texts[first]) > PIECE:
                yield self._in_pieces(texts[first])
            else:
                yield from map(_arrays, self.tokenizer.encode_batch(list(texts[first:last]), add_special_tokens=False))

    def _in_pieces(self, text: str) -> tuple[NDArray[np.int64], Offsets]:
        ids, offsets = [], []
        for start, end in pieces(text):
            piece_ids, piece_offsets = _arrays(self.tokenizer.encode(text[start:end], add_special_tokens=False))
            ids.append(piece_ids)
            offsets.append(piece_offsets + start)
        return np.concatenate(ids), np.concatenate(offsets)

    def _cut(self, text: str, ids: NDArray[np.int64], tokens: Offsets) -> ReadText:
        words = find_words(text)
        windows = cut_windows(words, tokens, self.capacity, self.overlap)
        framed = [np.concatenate((self.prefix, ids[w.first : w.last], self.suffix)).astype(np.int64) for w in windows]
        return ReadText(words, windows, framed)

    def pad(self, ids: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (input_ids, attention_mask), both of shape (batch, longest)."""
        longest = max(len(window) for window in ids)
        input_ids = np.full((len(ids), longest), self.padding_id, dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for row, window in enumerate(ids):
            input_ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
        return input_ids, mask


def pieces(text: str, size: int = PIECE) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of consecutive pieces of about `size` code points that tokenise as the whole does.

    A piece is at most twice `size`, even where a text holds no space to cut at.
    """
    cuts = [0]
    while len(text) - cuts[-1] > 2 * size:
        seam = _SEAM.search(text, cuts[-1] + size, cuts[-1] + 2 * size)
        cuts.append(seam.start() if seam else cuts[-1] + 2 * size)
    yield from pairwise([*cuts, len(text)])


def runs(lengths: Sequence[int], budget: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of consecutive runs of texts; one longer than PIECE stands alone, others share the budget."""
    first, held = 0, 0
    for number, length in enumerate(lengths):
        if number > first and (held + length > budget or length > PIECE or lengths[first] > PIECE):
            yield first, number
            first, held = number, 0
        held += length
    if lengths:
        yield first, len(lengths)


def _arrays(encoding: Any) -> tuple[NDArray[np.int64], Offsets]:  # noqa: ANN401 - tokenizers has no public Encoding type
    # `asarray` of a list of pairs takes four times as long.
    flat = np.fromiter(chain.from_iterable(encoding.offsets), dtype=np.int64, count=2 * len(encoding))
    return np.asarray(encoding.ids, dtype=np.int64), flat.reshape(-1, 2)


def _leading_specials(tokenizer: Tokenizer, in_frame: int) -> int:
    """Return how many special tokens stand before the text; a tokenizer may make no token of some probes."""
    for probe in _PROBES:
        mask = tokenizer.encode(probe).special_tokens_mask
        if len(mask) > in_frame:
            return mask.index(0) if 0 in mask else in_frame
    return min(1, in_frame)
