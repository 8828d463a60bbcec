"""Perturbations of a text's layout: what copying from a PDF does, and spaces that were never typed."""

from __future__ import annotations

import random
import re

from zoo.noise.alignment import Edit
from zoo.noise.characters import Spans, choose

_LIGATURES = {"ffi": "ﬃ", "ffl": "ﬄ", "ff": "ﬀ", "fi": "ﬁ", "fl": "ﬂ"}
_LIGATURE = re.compile("|".join(sorted(_LIGATURES, key=len, reverse=True)))
_VOWELS = "aeiouyàâäéèêëîïôöùûüœæ"
# French is cut before a consonant that a vowel follows, with two letters kept on the line and three carried over.
_SYLLABLE = re.compile(rf"(?<=[^\W\d_]{{2}})(?=[^\W\d_{_VOWELS}][{_VOWELS}][^\W\d_])", re.IGNORECASE)
_HYPHENATED_LENGTH = 6


def edit_pdf(text: str, spans: Spans, rate: float, rng: random.Random) -> list[Edit]:
    """What a word suffers when it is copied from a PDF; each chosen word suffers one of those that can happen to it.

    Hyphenated line break ("hyper-⏎tension"), ligature ("in" + "ﬂ" + "ammation"), lost space or line wrap after it.
    """
    eligible = {i: damages for i in range(len(spans)) if (damages := _damages(text, spans, i))}
    return [_damage(rng.choice(eligible[i]), text, spans, i, rng) for i in choose(list(eligible), rate, rng)]


def _damages(text: str, spans: Spans, i: int) -> list[str]:
    start, end = spans[i]
    damages = []
    if end - start >= _HYPHENATED_LENGTH and _SYLLABLE.search(text, start, end):
        damages.append("hyphen")
    if _LIGATURE.search(text, start, end):
        damages.append("ligature")
    if _is_spaced(text, spans, i):
        damages += ("glue", "wrap")
    return damages


def _damage(name: str, text: str, spans: Spans, i: int, rng: random.Random) -> Edit:
    start, end = spans[i]
    word = text[start:end]
    if name == "hyphen":
        cut = rng.choice([match.start() for match in _SYLLABLE.finditer(word)] or [len(word) // 2])
        return Edit(start, end, f"{word[:cut]}-\n{word[cut:]}", i, i)
    if name == "ligature":
        return Edit(start, end, _LIGATURE.sub(lambda match: _LIGATURES[match.group()], word), i, i)
    return Edit(end, spans[i + 1][0], "" if name == "glue" else "\n")


def edit_glue(text: str, spans: Spans, rate: float, rng: random.Random) -> list[Edit]:
    """Spaces dropped between two words of a line: "de 5 mg" -> "de5 mg"."""
    eligible = [i for i in range(len(spans)) if _is_spaced(text, spans, i)]
    return [Edit(spans[i][1], spans[i + 1][0], "") for i in choose(eligible, rate, rng)]


def _is_spaced(text: str, spans: Spans, i: int) -> bool:
    """Is word i followed, on its line, by a blank and another word?"""
    if i + 1 >= len(spans):
        return False
    gap = text[spans[i][1] : spans[i + 1][0]]
    # With words=… a caller may pass some of the text's words only: what lies between them is then no blank.
    return gap == " " or (gap.isspace() and "\n" not in gap)
