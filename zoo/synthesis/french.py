"""Articles, elision and contraction: the few rules of French grammar that templates need."""

from __future__ import annotations

VOWELS = frozenset("aeiouàâäéèêëîïôöùûüœæAEIOUÀÂÄÉÈÊËÎÏÔÖÙÛÜŒÆ")
ASPIRATED = tuple("hernie hanche haut handicap halo hile hoquet heurt huit hochet halèt holter".split())
"""Words whose h forbids elision; every other initial h (hématome, HTA) elides."""

GENDERS = ("m", "f", "mp", "fp")
ARTICLES = ("un", "le", "du", "au", "de", "de_un", "que_un", "maj")
AGREEMENTS = ("nt", "e", "est")

MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip


def elides(word: str) -> bool:
    """Say whether `word` turns "le", "de", "que" before it into "l'", "d'", "qu'"."""
    if not word:
        return False
    if word[0] in "hH":
        return not word.lower().startswith(ASPIRATED)
    return word[0] in VOWELS


def article(kind: str, gender: str, word: str) -> str:
    """Return the article (with its trailing space or apostrophe) that stands before `word`.

    Args:
        kind: one of ARTICLES; "du" and "au" contract, "de" takes no article (as after "pas").
        gender: one of GENDERS; "p" marks a plural.
        word: the noun phrase that follows; its first letters decide the elision.
    """
    plural = gender.endswith("p")
    vowel = elides(word)
    if kind == "de":
        return "d'" if vowel else "de "
    if kind in ("un", "de_un", "que_un"):
        one = "une " if gender == "f" else "un "
        if not plural:
            return {"un": one, "de_un": "d'" + one, "que_un": "qu'" + one}[kind]
        return {"un": "des ", "de_un": "d'" if vowel else "de ", "que_un": "que des "}[kind]
    if plural:
        return {"le": "les ", "du": "des ", "au": "aux "}[kind]
    if vowel:
        return {"le": "l'", "du": "de l'", "au": "à l'"}[kind]
    if gender == "f":
        return {"le": "la ", "du": "de la ", "au": "à la "}[kind]
    return {"le": "le ", "du": "du ", "au": "au "}[kind]


def agreement(kind: str, gender: str) -> str:
    """Return the ending or verb that agrees: "nt" (montre/montrent), "e" (vu, vue, vus, vues), "est" (est/sont)."""
    plural = gender.endswith("p")
    if kind == "nt":
        return "nt" if plural else ""
    if kind == "est":
        return "sont" if plural else "est"
    return ("e" if gender.startswith("f") else "") + ("s" if plural else "")


def decimal(value: float, digits: int) -> str:
    """Write a number the French way: comma, fixed number of decimals, no thousands mark."""
    return f"{value:.{digits}f}".replace(".", ",")
