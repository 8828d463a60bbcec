"""Beam search as transformers 5 does it with `early_stopping=False`: of several texts followed, the best that ended.

At each token, of all that could follow a text's beams the best `2 * beams` are looked at. Those that end count if they
are among the first `beams`; the best `beams` of the others go on, until none is likely to beat those that ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from carabin.generation.constraints import Constraint
from carabin.generation.limits import Generated, Limits, Scores, SpecialTokens, Tokens, bar_scores, log_softmax
from carabin.generation.seq2seq import Written


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


def beam_search(
    written: Written, begun: Tokens, limits: Limits, special: SpecialTokens, states: list[Constraint] | None
) -> list[Generated]:
    """Return the best text found for each asked.

    Args:
        written: One row a text, not begun yet.
        begun: What each begins with, start token included, shape (texts, n).
        limits: Lengths and search.
        special: The tokens that frame a text.
        states: What may follow in each; None for anything.
    """
    texts = [_Text() for _ in begun]
    # Beams of one text are alike until its first token: one is followed, then they branch.
    beams = _Beams(begun, np.zeros(len(begun), np.float32), np.arange(len(begun)), states)
    fed = begun
    for count in range(1, limits.max_tokens + 1):
        scores = bar_scores(log_softmax(written.step(fed)), beams.tokens, count, limits, special, beams.states)
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
            text.add(total, Generated(beams.tokens[own[0], 1:], total / max(count - 1, 1), False), limits.beams)
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
