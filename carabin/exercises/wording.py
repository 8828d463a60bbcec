"""When two wordings are the same, when one mentions the other, and what an answer of each type looks like."""

from __future__ import annotations

import re
import unicodedata

MEASURED = frozenset({"dose", "lab"})
"""Types whose answers are a number with its unit; the others are words."""

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "’": "'", "‐": "-", "‑": "-", "–": "-"})
# "2,5 mg" does not mention "5 mg", nor "10/5 mg".
_BEFORE, _AFTER = r"(?<!\w)(?<!\d[.,/:])", r"(?!\w)(?![.,/:]\d)"


def fold(text: str) -> str:
    """Return a text without what does not tell two wordings apart: case, accents, ligatures, the width of spaces."""
    if text.isascii():
        return " ".join(text.casefold().split())
    bare = "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )
    return " ".join(bare.casefold().translate(_LIGATURES).split())


def mentions(folded_text: str, folded_phrase: str) -> bool:
    """Return whether a phrase stands in a text, both folded, as words of it: `irm` not in `confirmé`."""
    if not folded_phrase or folded_phrase not in folded_text:
        return False
    return re.search(_BEFORE + re.escape(folded_phrase) + _AFTER, folded_text) is not None


def has_shape(answer: str, asks: str) -> bool:
    """Return whether an answer may be of a type: a dose and a value begin with a digit, the others hold a letter."""
    if asks in MEASURED:
        return answer[:1].isdigit()
    return any(character.isalpha() for character in answer)
