"""From scores to texts: greedy and beam search, over any engine, freely or within constraints.

Free texts are those that `generate` of transformers 5 writes from the same scores, token for token: `do_sample=False`,
`num_beams`, `length_penalty`, `no_repeat_ngram_size`, `max_new_tokens`, `min_new_tokens`, with `early_stopping=False`.
A text that is done leaves the batch at once, so what is left to write is all that is paid for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carabin.generation.constraints import Constraint
from carabin.generation.seq2seq import Sources, Written

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


def generate(
    sources: Sources,
    which: Tokens,
    prompts: Sequence[Sequence[int]],
    limits: Limits,
    special: SpecialTokens = SpecialTokens(),  # noqa: B008 - immutable
    constraints: Sequence[Constraint] | None = None,
) -> list[Generated]:
    """Write one text for each source named.

    A constraint comes before the other limits: where they leave none of what it allows, they give way for that token.

    Args:
        sources: What was read.
        which: For each text, the row of its source.
        prompts: For each text, the tokens it begins with, as many for all; empty where none has any.
        limits: Lengths and search.
        special: The tokens that frame a text.
        constraints: For each text, what may follow its prompt; None for anything.

    Returns:
        The texts, in the order asked.

    Raises:
        ValueError: the prompts differ in length, or there are more or fewer of them, or of the constraints, than texts.
    """
    if not len(which):
        return []
    begun = _begin(which, prompts, special)
    states = None if constraints is None else list(constraints)
    if states is not None and len(states) != len(which):
        raise ValueError(f"{len(states)} constraints for {len(which)} texts")
    search = _greedy if limits.beams == 1 else _beam_search
    return search(sources.write(np.asarray(which, np.int64)), begun, limits, special, states)


def log_softmax(logits: Scores) -> Scores:
    """Return log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _log_probabilities(logits: Scores, chosen: Tokens) -> Scores:
    """Return those of one token a row."""
    highest = logits.max(axis=1)
    return logits[np.arange(len(chosen)), chosen] - highest - np.log(np.exp(logits - highest[:, None]).sum(axis=1))


def _begin(which: Tokens, prompts: Sequence[Sequence[int]], special: SpecialTokens) -> Tokens:
    lengths = {len(prompt) for prompt in prompts} or {0}
    if len(lengths) > 1 or (len(prompts) and len(prompts) != len(which)):
        raise ValueError(f"{len(prompts)} prompts of {sorted(lengths)} tokens for {len(which)} texts; write one length")
    begun = np.full((len(which), 1 + lengths.pop()), special.start, np.int64)
    if begun.shape[1] > 1:
        begun[:, 1:] = prompts
    return begun


def _greedy(
    written: Written, begun: Tokens, limits: Limits, special: SpecialTokens, states: list[Constraint] | None
) -> list[Generated]:
    done: dict[int, Generated] = {}
    rows, tokens, sums, fed = np.arange(len(begun)), begun, np.zeros(len(begun)), begun
    for count in range(1, limits.max_tokens + 1):
        logits = written.step(fed)
        chosen = _bar(logits, tokens, count, limits, special, states).argmax(axis=1)
        sums = sums + _log_probabilities(logits, chosen)
        tokens = np.concatenate([tokens, chosen[:, None]], axis=1)
        ends = chosen == special.end
        leave = np.ones_like(ends) if count == limits.max_tokens else ends
        for place in np.flatnonzero(leave):
            text = tokens[place, 1 : tokens.shape[1] - int(ends[place])].copy()
            done[int(rows[place])] = Generated(text, float(sums[place] / count), bool(ends[place]))
        stay = np.flatnonzero(~leave)
        if not len(stay):
            break
        if states is not None:
            states = [states[place].advance(int(chosen[place])) for place in stay]
        if len(stay) < len(rows):
            written, rows, tokens, sums = written.keep(stay), rows[stay], tokens[stay], sums[stay]
        fed = tokens[:, -1:]
    return [done[row] for row in range(len(begun))]


def _bar(
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


@dataclass(slots=True)
class _Text:
    """The best texts that ended, of one text asked for, with the scores they are ranked by; best first."""

    best: list[tuple[float, Generated]] = field(default_factory=list)

    def add(self, rank: float, text: Generated, beams: int) -> None:
        self.best.append((rank, text))
        self.best.sort(key=lambda pair: -pair[0])
        del self.best[beams:]

    def can_improve(self, best_running: float, limits: Limits, count: int) -> bool:
        """Tell whether a running beam is worth following: transformers' guess, with `early_stopping=False`."""
        return len(self.best) < limits.beams or best_running / count**limits.length_penalty > self.best[-1][0]


@dataclass(slots=True)
class _Beams:
    """Running beams, those of one text side by side, best first."""

    tokens: Tokens
    sums: Scores
    texts: Tokens
    """The text that each beam belongs to."""
    states: list[Constraint] | None


def _beam_search(
    written: Written, begun: Tokens, limits: Limits, special: SpecialTokens, states: list[Constraint] | None
) -> list[Generated]:
    texts = [_Text() for _ in begun]
    # Beams of one text are alike until its first token: one is followed, then they branch.
    beams = _Beams(begun, np.zeros(len(begun), np.float32), np.arange(len(begun)), states)
    fed = begun
    for count in range(1, limits.max_tokens + 1):
        scores = _bar(log_softmax(written.step(fed)), beams.tokens, count, limits, special, beams.states)
        parents, chosen, sums = _extend(scores, beams, texts, count, limits, special)
        if not len(parents):
            break
        if not np.array_equal(parents, np.arange(len(beams.texts))):
            written = written.keep(parents)
        tokens = np.concatenate([beams.tokens[parents], chosen[:, None]], axis=1)
        if beams.states is not None:
            branches = zip(parents, chosen, strict=True)
            states = [beams.states[parent].advance(int(token)) for parent, token in branches]
        beams = _Beams(tokens, sums, beams.texts[parents], states)
        fed = chosen[:, None]
    return [text.best[0][1] for text in texts]


def _extend(
    scores: Scores, beams: _Beams, texts: Sequence[_Text], count: int, limits: Limits, special: SpecialTokens
) -> tuple[Tokens, Tokens, Scores]:
    """Put the texts that end into `texts`; return of those that go on (beam they come from, token, sum)."""
    going: list[tuple[int, int, float]] = []
    for number in np.unique(beams.texts):
        own = np.flatnonzero(beams.texts == number)
        text, found = texts[number], _best(scores[own] + beams.sums[own, None], 2 * limits.beams)
        if not found and not text.best:
            # The n-gram guard has barred the whole vocabulary: the text stays as it is.
            total = float(beams.sums[own[0]])
            text.add(total, Generated(beams.tokens[own[0], 1:], total / count, False), limits.beams)
        running: list[tuple[int, int, float]] = []
        for place, (beam, token, total) in enumerate(found):
            ends = token == special.end
            if not ends and count < limits.max_tokens:
                running.append((int(own[beam]), token, total))
            elif place < limits.beams:
                tokens = beams.tokens[own[beam], 1:]
                whole = tokens if ends else np.append(tokens, token)
                text.add(total / count**limits.length_penalty, Generated(whole, total / count, ends), limits.beams)
        running = running[: limits.beams]
        if running and text.can_improve(running[0][2], limits, count):
            going += running
    parents, chosen, sums = zip(*going, strict=True) if going else ((), (), ())
    return np.array(parents, np.int64), np.array(chosen, np.int64), np.array(sums, np.float32)


def _best(totals: Scores, count: int) -> list[tuple[int, int, float]]:
    """Return the best (beam, token, sum) of shape (beams, vocabulary), best first, without those that are barred."""
    flat = totals.ravel()
    places = np.argpartition(-flat, min(count, flat.size) - 1)[:count]
    places = places[np.lexsort((places, -flat[places]))]
    return [(*divmod(int(place), totals.shape[1]), float(flat[place])) for place in places if np.isfinite(flat[place])]
