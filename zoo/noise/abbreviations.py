"""Clinical abbreviations both ways, from the lexicon beside this file (`abbreviations.toml`)."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from carabin.tokens.words import find_words
from zoo.noise.alignment import Edit
from zoo.noise.characters import Spans, choose, strip_accents

LEXICON = Path(__file__).with_name("abbreviations.toml")

Phrases = dict[str, list[tuple[tuple[str, ...], str]]]
"""First word -> (all words of the phrase, replacement), longest phrase first."""


@dataclass(frozen=True)
class Lexicon:
    """Clinical abbreviations and their long forms.

    Attributes:
        clear: Abbreviation -> long forms; the first one is what it is expanded to.
        ambiguous: Likewise, for those that have several meanings: used from long to short only.
    """

    clear: dict[str, tuple[str, ...]]
    ambiguous: dict[str, tuple[str, ...]]


@cache
def read_lexicon() -> Lexicon:
    """Return the lexicon, read once."""
    tables = tomllib.loads(LEXICON.read_text(encoding="utf-8"))
    return Lexicon(*({short: tuple(forms) for short, forms in tables[name].items()} for name in ("clear", "ambiguous")))


def fold(word: str) -> str:
    """Return the form under which long forms are compared: small letters, no accents."""
    return strip_accents(word).lower()


def _exact(word: str) -> str:
    return word


def _phrases(pairs: Iterable[tuple[str, str]], form: Callable[[str], str]) -> Phrases:
    phrases: Phrases = {}
    for phrase, replacement in pairs:
        words = tuple(form(phrase[start:end]) for start, end in find_words(phrase))
        phrases.setdefault(words[0], []).append((words, replacement))
    for known in phrases.values():
        known.sort(key=lambda entry: -len(entry[0]))
    return phrases


@cache
def _long_forms() -> Phrases:
    lexicon = read_lexicon()
    tables = (*lexicon.clear.items(), *lexicon.ambiguous.items())
    return _phrases(((long, short) for short, forms in tables for long in forms), fold)


@cache
def _short_forms() -> Phrases:
    return _phrases(((short, forms[0]) for short, forms in read_lexicon().clear.items()), _exact)


def edit_abbreviations(text: str, spans: Spans, rate: float, rng: random.Random) -> list[Edit]:
    """Long clinical form -> abbreviation; long forms are known whatever their case and accents."""
    folded = strip_accents(text).lower() if text.isascii() else None
    forms = [fold(text[a:b]) if folded is None else folded[a:b] for a, b in spans]
    return _edit_phrases(forms, spans, _long_forms(), rate, rng)


def edit_expansions(text: str, spans: Spans, rate: float, rng: random.Random) -> list[Edit]:
    """Abbreviation -> long form; abbreviations are known in the lexicon's own case only, and if not ambiguous."""
    return _edit_phrases([text[a:b] for a, b in spans], spans, _short_forms(), rate, rng)


def _edit_phrases(forms: list[str], spans: Spans, phrases: Phrases, rate: float, rng: random.Random) -> list[Edit]:
    found = []
    after = 0
    for i, form in enumerate(forms):
        if i < after or form not in phrases:
            continue
        for words, replacement in phrases[form]:
            if tuple(forms[i : i + len(words)]) == words:
                after = i + len(words)
                found.append(Edit(spans[i][0], spans[after - 1][1], replacement, i, after - 1))
                break
    return [found[i] for i in choose(range(len(found)), rate, rng)]
