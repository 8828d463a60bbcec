"""From scores to texts: greedy and beam search, over any engine, freely or within constraints.

Free texts are those that `generate` of transformers 5 writes from the same scores, token for token: `do_sample=False`,
`num_beams`, `length_penalty`, `no_repeat_ngram_size`, `max_new_tokens`, `min_new_tokens`, with `early_stopping=False`.
A text that is done leaves the batch at once, so what is left to write is all that is paid for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carabin.generation.beam_search import beam_search
from carabin.generation.constraints import Constraint
from carabin.generation.limits import Generated, Limits, Scores, SpecialTokens, Tokens, bar_scores
from carabin.generation.seq2seq import Sources, Written

__all__ = ["Generated", "Limits", "SpecialTokens", "generate"]


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
    search = _greedy if limits.beams == 1 else beam_search
    return search(sources.write(np.asarray(which, np.int64)), begun, limits, special, states)


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
        chosen = bar_scores(logits, tokens, count, limits, special, states).argmax(axis=1)
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


def _log_probabilities(logits: Scores, chosen: Tokens) -> Scores:
    """Return those of one token a row."""
    highest = logits.max(axis=1)
    return logits[np.arange(len(chosen)), chosen] - highest - np.log(np.exp(logits - highest[:, None]).sum(axis=1))
