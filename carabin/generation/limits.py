"""What bounds a text being written: its length, runs that may not repeat, a constraint; and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carabin.generation.constraints import Constraint

Tokens = NDArray[np.int64]
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a text may get, and how it is looked for.

    Attributes:
        max_tokens: Most tokens after the prompt, the one that ends the text counted.
        min_tokens: Tokens after the prompt before which a text may not end.
        beams: Texts followed at once for each asked; 1 is greedy search.
        length_penalty: Beam search ranks by the sum of log-probabilities over (tokens after the prompt) to this power.
        no_repeat_ngram: No run of so many tokens occurs twice in a text; 0 lets all repeat.
    """

    max_tokens: int
    min_tokens: int = 0
    beams: int = 1
    length_penalty: float = 1.0
    no_repeat_ngram: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.min_tokens <= self.max_tokens or self.max_tokens < 1:
            raise ValueError(
                f"a text of {self.min_tokens} to {self.max_tokens} tokens cannot be; write 0 <= min <= max"
            )
        if self.beams < 1 or self.no_repeat_ngram < 0:
            raise ValueError(
                f"beams is {self.beams}, no_repeat_ngram {self.no_repeat_ngram}: write 1 or more, 0 or more"
            )


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The tokens that frame a text; T5's by default."""

    start: int = 0
    """What the decoder is given first."""
    end: int = 1
    pad: int = 0
    """Fills shorter sources."""


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """A text as it was written.

    Attributes:
        tokens: The prompt and what follows, without the start and end tokens.
        score: Mean log-probability, as the model gives it, of the tokens after the prompt, the end token counted.
        finished: The text ended; else it was cut at `max_tokens`.
    """

    tokens: Tokens
    score: float
    finished: bool


def bar_scores(
    scores: Scores, tokens: Tokens, count: int, limits: Limits, special: SpecialTokens, states: list[Constraint] | None
) -> Scores:
    """Return the scores, minus infinity for what may not come next, before the count-th token after the prompts."""
    if states is not None:
        scores = _keep_allowed(scores, states)
    guarded = scores
    if count <= limits.min_tokens:
        guarded = guarded.copy()
        guarded[:, special.end] = -np.inf
    if limits.no_repeat_ngram and tokens.shape[1] >= limits.no_repeat_ngram:
        guarded = guarded.copy()
        guarded[_repeats(tokens, limits.no_repeat_ngram)] = -np.inf
    if states is None or guarded is scores:
        return guarded
    left = np.isfinite(guarded).any(axis=1, keepdims=True)
    return np.where(left, guarded, scores)


def _keep_allowed(scores: Scores, states: Sequence[Constraint]) -> Scores:
    kept = scores.copy()
    for row, state in enumerate(states):
        allowed = state.allowed()
        if allowed is not None:
            kept[row] = -np.inf
            kept[row, allowed] = scores[row, allowed]
    return kept


def _repeats(tokens: Tokens, length: int) -> tuple[Tokens, Tokens]:
    """Return the (row, token) pairs that would end a run of `length` tokens that the row, start token included, has."""
    runs = np.lib.stride_tricks.sliding_window_view(tokens, length, axis=1)
    last = tokens[:, tokens.shape[1] + 1 - length :]
    rows, places = np.nonzero((runs[..., :-1] == last[:, None, :]).all(axis=2))
    return rows, runs[rows, places, -1]


def log_softmax(logits: Scores) -> Scores:
    """Return log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
