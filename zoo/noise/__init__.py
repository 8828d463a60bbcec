"""Perturbations that keep the word alignment: what students must read in a ward, made from what their teacher read.

    >>> noised = perturb("Antécédent d'hypertension artérielle.", "abbreviate", 1.0, random.Random(1))
    >>> noised.text
    "ATCD d'HTA."

Every kind replaces whole words or the blank between two, so each clean word still has its place (`Noised.spans`): gold
spans, tags and the teacher's distributions are carried to the noised text (`carry_entities`, `carry_word_rows`).
"""

from __future__ import annotations

import random
from collections.abc import Callable

from carabin.tokens.words import Offsets, find_words
from zoo.noise.abbreviations import edit_abbreviations, edit_expansions
from zoo.noise.alignment import (
    Edit,
    Noised,
    apply_edits,
    carry_entities,
    carry_probabilities,
    carry_tags,
    carry_word_rows,
)
from zoo.noise.characters import Spans, edit_accents, edit_case, edit_ocr, edit_typos
from zoo.noise.layout import edit_glue, edit_pdf

__all__ = [
    "KINDS",
    "Noised",
    "carry_entities",
    "carry_probabilities",
    "carry_tags",
    "carry_word_rows",
    "perturb",
]

KINDS: dict[str, Callable[[str, Spans, float, random.Random], list[Edit]]] = {
    "typo": edit_typos,
    "accent": edit_accents,
    "case": edit_case,
    "ocr": edit_ocr,
    "pdf": edit_pdf,
    "glue": edit_glue,
    "abbreviate": edit_abbreviations,
    "expand": edit_expansions,
}
"""Name of a perturbation -> the function that proposes its edits."""


def perturb(text: str, kind: str, rate: float, rng: random.Random, words: Offsets | None = None) -> Noised:
    """Return a perturbed copy of a text that knows where each clean word now stands.

    Args:
        text: The clean text.
        kind: A name of `KINDS`.
        rate: Share, in [0, 1], of the *eligible* words that are changed: those with an accent for `accent`, the known
            long forms for `abbreviate`, the words followed by a space for `glue`… 0 changes nothing.
        rng: The only source of chance: equal state, equal result.
        words: Shape (n, 2), `find_words(text)` where the caller has it already.

    Raises:
        ValueError: no such kind, or rate outside [0, 1].
    """
    if kind not in KINDS:
        raise ValueError(f"noise '{kind}' is not one of {', '.join(KINDS)}")
    if not 0 <= rate <= 1:
        raise ValueError(f"noise '{kind}': rate {rate} is not a share in [0, 1]")
    if words is None:
        words = find_words(text)
    if rate == 0 or len(words) == 0:
        return Noised(text, words.copy())
    return apply_edits(text, words, KINDS[kind](text, words.tolist(), rate, rng))
