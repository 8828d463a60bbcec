"""Do two engines of one encoder-decoder write the same texts, from the same scores?

Torch against onnxruntime, and the two decoders against the merged one: all behind the face of
`carabin.generation.seq2seq`, written with by the loop of `carabin.generation.decoding`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.generation.decoding import Limits, SpecialTokens, generate
from carabin.generation.seq2seq import Seq2Seq
from export.parity import TOLERANCE

Tokens = NDArray[np.int64]
LIMITS = Limits(max_tokens=48)
"""Of the texts that are compared; what goes wrong with a cache goes wrong within a few tokens."""
BATCH = 4


@dataclass(frozen=True, slots=True)
class Seq2SeqParity:
    """How far two engines are from one another."""

    max_abs_logit_difference: float
    tolerance: float
    texts: int
    tokens: int
    """Written by greedy search."""
    texts_with_other_tokens: int
    """Where the scores of the two tokens are further apart than twice the tolerance: nearer ones are a tie that either
    engine may decide."""

    @property
    def passed(self) -> bool:
        """Same logits within the tolerance, and the same greedy texts."""
        return self.max_abs_logit_difference <= self.tolerance and self.texts_with_other_tokens == 0

    def describe(self) -> str:
        """Return the figures, for the message of an export that stops."""
        return (
            f"logits differ by {self.max_abs_logit_difference:.2g} (tolerance {self.tolerance}), "
            f"what is written in {self.texts_with_other_tokens} of {self.texts} texts"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "passed": self.passed}


def compare_engines(
    one: Seq2Seq, other: Seq2Seq, sources: Sequence[Tokens], special: SpecialTokens, tolerance: float = TOLERANCE
) -> Seq2SeqParity:
    """Compare what two engines write, and how they score every token of what the first writes.

    Args:
        one: The engine that is right.
        other: The engine that is judged.
        sources: What the encoder reads, end token included, each of shape (tokens,).
        special: The student's.
        tolerance: Largest difference of a logit that is let pass.

    Raises:
        ValueError: there is no source.
    """
    if not sources:
        raise ValueError("no text to compare on: all are empty; give the dev split of the recipe")
    worst, tokens, differing = 0.0, 0, 0
    for ids, mask in pad_batches(sources, special.pad):
        read, also = one.read(ids, mask), other.read(ids, mask)
        rows = np.arange(len(ids))
        texts = [text.tokens for text in generate(read, rows, (), LIMITS, special)]
        others = [text.tokens for text in generate(also, rows, (), LIMITS, special)]
        written = frame(texts, special)
        scores, rescored = forced_logits(one, (ids, mask), written), forced_logits(other, (ids, mask), written)
        for row, (text, said) in enumerate(zip(texts, others, strict=True)):
            # The end token is scored too; of the first step only the last token is.
            inside = slice(0, len(text))
            worst = max(worst, float(np.abs(scores[row, inside] - rescored[row, inside]).max(initial=0.0)))
            differing += _differs(text, said, scores[row], special.end, tolerance)
            tokens += len(text)
    return Seq2SeqParity(worst, tolerance, len(sources), tokens, differing)


def pad_batches(sources: Sequence[Tokens], pad: int, size: int = BATCH) -> Iterator[tuple[Tokens, Tokens]]:
    """Yield input_ids and attention_mask, strided so that every batch holds short and long sources."""
    ordered = sorted(sources, key=len)
    count = -(-len(ordered) // size)
    for first in range(count):
        batch = ordered[first::count]
        ids = np.full((len(batch), len(batch[-1])), pad, np.int64)
        mask = np.zeros_like(ids)
        for row, source in enumerate(batch):
            ids[row, : len(source)], mask[row, : len(source)] = source, 1
        yield ids, mask


def frame(texts: Sequence[Tokens], special: SpecialTokens) -> Tokens:
    """Return what a decoder is fed to write these texts: the start token, the text, padding; two columns at least."""
    fed = np.full((len(texts), 1 + max(1, *map(len, texts))), special.pad, np.int64)
    fed[:, 0] = special.start
    for row, text in enumerate(texts):
        fed[row, 1 : 1 + len(text)] = text
    return fed


def forced_logits(engine: Seq2Seq, batch: tuple[Tokens, Tokens], fed: Tokens) -> NDArray[np.float32]:
    """Return the scores of what follows each token of given texts but the first, shape (texts, tokens - 1, vocabulary).

    The first two tokens go in at once, as the start token and a prompt do; the others one by one, as in writing.
    """
    written = engine.read(*batch).write(np.arange(len(fed)))
    columns = [fed[:, :2], *(fed[:, place : place + 1] for place in range(2, fed.shape[1]))]
    return np.stack([written.step(column) for column in columns], axis=1)


def _differs(text: Tokens, said: Tokens, scores: NDArray[np.float32], end: int, tolerance: float) -> bool:
    """Tell whether the second text departs from the first at a token that was no tie."""
    if np.array_equal(text, said):
        return False
    whole, also = np.append(text, end), np.append(said, end)
    place = int(np.argmin([a == b for a, b in zip(whole, also, strict=False)]))
    if place == 0:
        return True
    margin = scores[place - 1, whole[place]] - scores[place - 1, also[place]]
    return bool(margin > 2 * tolerance)
