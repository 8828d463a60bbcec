"""Edits of a text, and what becomes of its words under them.

A perturbation is a list of edits of the clean text. Applying them gives the noised text and, for each clean word, the
place where it now stands; gold spans and the teacher's word-level targets are carried over that map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Entity
from carabin.tokens.words import Offsets


class Edit(NamedTuple):
    """A replacement of `text[start:end]` of the clean text.

    `first` and `last` are the words it replaces, both included; -1 when it touches only the blank between two words.
    """

    start: int
    end: int
    text: str
    first: int = -1
    last: int = -1


@dataclass(frozen=True)
class Noised:
    """A perturbed text that still knows where its words came from.

    Attributes:
        text: The perturbed text.
        spans: Shape (n_clean_words, 2), sorted: where clean word i stands in `text`. Empty (start == end) where it
            vanished: of a phrase that became one abbreviation, the first word takes the abbreviation's span and the
            others vanish.
    """

    text: str
    spans: Offsets


def apply_edits(text: str, words: Offsets, edits: Sequence[Edit]) -> Noised:
    """Return the edited text and the words' new places.

    Args:
        text: The clean text.
        words: Shape (n, 2), from `find_words`.
        edits: Never overlapping, in any order; each replaces whole words, or the blank between two.
    """
    if not edits:
        return Noised(text, words.copy())
    edits = sorted(edits)
    pieces: list[str] = []
    position = 0
    for edit in edits:
        pieces += (text[position : edit.start], edit.text)
        position = edit.end
    pieces.append(text[position:])
    ends = np.asarray([edit.end for edit in edits])
    growth = np.concatenate(([0], np.cumsum([len(edit.text) - edit.end + edit.start for edit in edits])))
    # A position moves by the growth of all edits that end at or before it: a word's start leaves its own edit out,
    # a word's end takes it in.
    spans = words + growth[np.searchsorted(ends, words, side="right")]
    for edit in edits:
        if edit.last > edit.first:
            start = spans[edit.first, 0]
            spans[edit.first : edit.last + 1] = start + len(edit.text)
            spans[edit.first, 0] = start
    return Noised("".join(pieces), spans)


def carry_entities(entities: Sequence[Entity], words: Offsets, noised: Noised) -> tuple[Entity, ...]:
    """Return the clean text's entities at their places in the noised text.

    Edges move with the words they touch. An entity whose words all vanished (it was the tail of a phrase that became an
    abbreviation) is dropped; entities that did not overlap still do not.

    Args:
        entities: Of the clean text.
        words: Shape (n, 2), of the clean text.
        noised: What `perturb` made of that text and those words.
    """
    if len(words) == 0 or np.array_equal(words, noised.spans):
        return tuple(entities)
    carried = []
    for entity in entities:
        first = int(np.searchsorted(words[:, 1], entity.start, side="right"))
        last = int(np.searchsorted(words[:, 0], entity.end, side="left")) - 1
        if first > last:  # Nothing but blanks.
            continue
        start = _edge_inside(entity.start, words[first], noised.spans[first])
        end = _edge_inside(entity.end, words[last], noised.spans[last])
        if start < end:
            carried.append(replace(entity, start=start, end=end))
    return tuple(carried)


def _edge_inside(position: int, word: NDArray[np.int64], span: NDArray[np.int64]) -> int:
    if position >= word[1]:
        return int(span[1])
    return int(min(span[0] + max(position - word[0], 0), span[1]))


def carry_word_rows(noised_words: Offsets, noised: Noised) -> NDArray[np.int64]:
    """Return, for each word of the noised text, the index of the clean word it comes from, or -1.

    A word that two clean words were glued into comes from the one that gives it most characters (or the earlier).

    Args:
        noised_words: Shape (m, 2), from `find_words(noised.text)`.
        noised: What `perturb` made.

    Returns:
        Shape (m,). Several noised words share a clean word that was cut ("hyper-⏎tension") or expanded.
    """
    kept = np.flatnonzero(noised.spans[:, 1] > noised.spans[:, 0])
    if len(kept) == 0:
        return np.full(len(noised_words), -1, dtype=np.int64)
    spans = noised.spans[kept]
    first = np.searchsorted(spans[:, 1], noised_words[:, 0], side="right")
    last = np.searchsorted(spans[:, 0], noised_words[:, 1], side="left")
    rows = np.where(first < last, kept[np.minimum(first, len(kept) - 1)], -1)
    for number in np.flatnonzero(last - first > 1):
        parts = spans[first[number] : last[number]]
        shared = np.minimum(parts[:, 1], noised_words[number, 1]) - np.maximum(parts[:, 0], noised_words[number, 0])
        rows[number] = kept[first[number] + int(shared.argmax())]
    return rows


def carry_probabilities(probabilities: NDArray[np.floating], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the teacher's word distributions for the noised text's words.

    Where one clean word became several, the first takes its distribution and the rest take it with `B-x` turned into
    `I-x`: "HTA" tagged B-DISO, expanded, is B-DISO I-DISO. A word that comes from no clean word is surely outside.

    Args:
        probabilities: Shape (n_clean_words, 1 + 2 * n_labels), tags in the order of `carabin.tokens.tagging.bio_tags`.
        rows: Shape (m,), from `carry_word_rows`.

    Returns:
        Shape (m, 1 + 2 * n_labels), rows sum to one.
    """
    carried = np.zeros((len(rows), probabilities.shape[1]), dtype=np.float32)
    known = rows >= 0
    carried[known] = probabilities[rows[known]]
    carried[~known, 0] = 1.0
    again = _continues(rows)
    carried[again, 2::2] += carried[again, 1::2]
    carried[again, 1::2] = 0.0
    return carried


def carry_tags(tags: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the tag of each noised word from the clean words' tags: what `carry_entities` would be encoded to.

    The first word that is left of an entity begins it, the others continue it, whether words were cut or vanished.

    Args:
        tags: Shape (n_clean_words,), indices of tags ordered as `bio_tags` orders them.
        rows: Shape (m,), from `carry_word_rows`.
    """
    known = rows >= 0
    # Number the entities by their B tags: 0 is outside.
    entity = np.where(tags > 0, np.cumsum(tags % 2 == 1), 0)
    carried, owner = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    carried[known], owner[known] = tags[rows[known]], entity[rows[known]]
    begins = np.diff(owner, prepend=0) != 0
    label = (carried - 1) // 2
    return np.where(carried > 0, 2 + 2 * label - begins, 0)


def _continues(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    if len(rows) == 0:
        return np.zeros(0, dtype=bool)
    return np.concatenate(([False], (rows[1:] == rows[:-1]) & (rows[1:] >= 0)))
