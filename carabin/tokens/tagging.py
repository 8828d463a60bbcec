"""Spans to word tags and back, in the BIO scheme (Ramshaw and Marcus, 1995), one tag a word.

Training, evaluation and the hospital all decode with `decode_spans`, so that a score measured in the lab is the score
of what runs in the ward.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Entity
from carabin.tokens.words import Offsets

OUTSIDE = "O"


def bio_tags(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the tags of a label set: `O`, then `B-x`, `I-x` for each label."""
    return (OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def labels_of(tags: Sequence[str]) -> tuple[str, ...]:
    """Return the label set that `bio_tags` would have made these tags from.

    Raises:
        ValueError: the tags are not `O`, `B-x`, `I-x`, … in that order.
    """
    labels = tuple(tag[2:] for tag in tags[1::2])
    if tuple(tags) != bio_tags(labels):
        raise ValueError(f"tags {tuple(tags)[:5]}… are not 'O', 'B-x', 'I-x' for each label: not a Carabin model")
    return labels


def encode_spans(words: Offsets, entities: Sequence[Entity], labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the tag index of each word. Shape (n_words,).

    A word belongs to an entity when they share a character. Entities must not overlap (`documents.without_nesting`).

    Raises:
        ValueError: an entity's label is not in the set, or two entities overlap.
    """
    index = {label: number for number, label in enumerate(labels)}
    tags = np.zeros(len(words), dtype=np.int64)
    previous_end = 0
    for entity in sorted(entities, key=lambda e: e.start):
        if entity.label not in index:
            raise ValueError(f"label '{entity.label}' is not one of {', '.join(labels)}")
        if entity.start < previous_end:
            raise ValueError(f"entity {entity.start}..{entity.end} overlaps the one before it, ending {previous_end}")
        previous_end = entity.end
        first = int(np.searchsorted(words[:, 1], entity.start, side="right"))
        last = int(np.searchsorted(words[:, 0], entity.end, side="left"))
        if first < last:
            tags[first:last] = 2 + 2 * index[entity.label]
            tags[first] -= 1
    return tags


def decode_spans(words: Offsets, probabilities: NDArray[np.floating], labels: Sequence[str]) -> list[Entity]:
    """Return the entities of the most probable valid tag sequence.

    Viterbi (1967) over the words with one constraint: `I-x` follows only `B-x` or `I-x`.

    Args:
        words: Shape (n_words, 2).
        probabilities: Shape (n_words, 1 + 2 * n_labels), rows sum to one.
        labels: The label set.

    Returns:
        Entities in order. `score` is the mean probability, over the entity's words, of its label (B or I).
    """
    if len(words) == 0 or not labels:
        return []
    # The floor is float32's own: a higher one would make ties of what a low temperature sets apart.
    best = constrained_tags(np.log(np.maximum(probabilities, np.finfo(np.float32).tiny), dtype=np.float64))
    # In a valid sequence an entity begins at each B-x and ends before the next tag that is no I-x.
    firsts = np.flatnonzero(best % 2 == 1)
    stops = np.append(np.flatnonzero((best % 2 == 1) | (best == 0)), len(words))
    lasts = stops[np.searchsorted(stops, firsts, side="right")]
    label_of_word = np.maximum(best - 1, 0) // 2
    rows = np.arange(len(words))
    share = probabilities[rows, 2 * label_of_word + 1].astype(np.float64)
    share += probabilities[rows, 2 * label_of_word + 2]
    total = np.concatenate(([0.0], np.cumsum(share)))
    scores = np.clip((total[lasts] - total[firsts]) / (lasts - firsts), 0.0, 1.0)
    found = zip(words[firsts, 0], words[lasts - 1, 1], label_of_word[firsts], scores, strict=True)
    return [Entity(int(start), int(end), labels[label], float(score)) for start, end, label, score in found]


def constrained_tags(log_probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the best tag sequence in which `I-x` follows only `B-x` or `I-x`.

    Args:
        log_probabilities: Shape (n_words, n_tags), tags ordered as `bio_tags` orders them.

    Returns:
        Shape (n_words,), indices of tags.
    """
    greedy = log_probabilities.argmax(axis=1)
    previous = np.concatenate(([0], greedy[:-1]))[: len(greedy)]
    invalid = (greedy > 0) & (greedy % 2 == 0) & (previous != greedy) & (previous != greedy - 1)
    # The unconstrained argmax is the optimum whenever it happens to be valid, which it nearly always is.
    if not invalid.any():
        return greedy
    best = greedy.copy()
    for first, last in _doubtful(log_probabilities, greedy, invalid):
        part = log_probabilities[first:last].copy()
        # The neighbours on both sides are certain: they are held, and constrain what lies between.
        for edge, held in ((0, first > 0), (-1, last < len(greedy))):
            if held:
                value = part[edge, greedy[first:last][edge]]
                part[edge] = -np.inf
                part[edge, greedy[first:last][edge]] = value
        best[first:last] = _viterbi(part)
    return best


def _doubtful(
    emissions: NDArray[np.float64], greedy: NDArray[np.int64], invalid: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Return the runs of words outside which the optimum is surely the argmax, each with its certain neighbours.

    The optimum leaves the argmax only in runs that touch an invalid `I-x`. In such a run every word pays at least the
    gap to its second-best tag, and the whole cannot pay more than turning the run's invalid `I-x` into `B-x` would:
    a word from which no run adds up to so little is certain.
    """
    rows = np.arange(len(greedy))
    top = emissions[rows, greedy]
    others = emissions.copy()
    others[rows, greedy] = -np.inf
    repair = np.where(invalid, top - emissions[rows, np.maximum(greedy - 1, 0)], 0.0)
    # An invalid word is touched by a run that holds it and by one that ends just before it.
    balance = np.cumsum(top - others.max(axis=1) - repair - np.append(repair[1:], 0.0))
    before = np.maximum.accumulate(np.concatenate(([0.0], balance[:-1])))
    after = np.minimum.accumulate(balance[::-1])[::-1]
    doubtful = np.flatnonzero((after - before <= 1e-6) | invalid)
    runs: list[tuple[int, int]] = []
    for word in doubtful.tolist():
        first, last = max(word - 1, 0), min(word + 2, len(greedy))
        # The left neighbour must be a valid beginning: its own entity is taken in whole.
        while first > 0 and (runs == [] or first >= runs[-1][1]) and greedy[first] % 2 == 0 and greedy[first] > 0:
            first -= 1
        if runs and first < runs[-1][1]:
            runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
        else:
            runs.append((first, last))
    return runs


def _viterbi(emissions: NDArray[np.float64]) -> NDArray[np.int64]:
    n_words, n_tags = emissions.shape
    inside = np.arange(2, n_tags, 2)
    back = np.zeros((n_words, n_tags), dtype=np.int64)
    score = emissions[0].copy()
    score[inside] = -np.inf
    for word in range(1, n_words):
        # Into O and B-x from anywhere; into I-x from the better of B-x and I-x.
        anywhere = int(score.argmax())
        reached = np.full(n_tags, score[anywhere])
        back[word] = anywhere
        continued = np.where(score[inside] >= score[inside - 1], inside, inside - 1)
        reached[inside] = score[continued]
        back[word, inside] = continued
        score = reached + emissions[word]
    path = np.empty(n_words, dtype=np.int64)
    path[-1] = int(score.argmax())
    for word in range(n_words - 1, 0, -1):
        path[word - 1] = back[word, path[word]]
    return path
