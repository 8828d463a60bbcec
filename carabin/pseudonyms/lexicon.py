"""The package's word lists, read once, and the form in which two writings of a name are the same."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


def folded(text: str) -> str:
    """Return what two writings of one name share: no accents, no capitals, single spaces for all that is no letter."""
    plain = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae"))
    letters = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(letters.casefold().split())


@dataclass(frozen=True, slots=True)
class Lexicon:
    """First names by gender, and what surrogates are made of."""

    male: tuple[str, ...]
    female: tuple[str, ...]
    surname_parts: tuple[tuple[str, ...], tuple[str, ...]]
    town_parts: tuple[tuple[str, ...], tuple[str, ...]]
    streets: tuple[str, ...]
    saints: tuple[str, ...]
    sites: tuple[str, ...]
    mail_words: tuple[str, ...]
    mail_domains: tuple[str, ...]
    phone_prefixes: tuple[str, ...]
    postcode_departments: tuple[str, ...]
    genders: dict[str, str]
    """Folded first name -> "m", "f", or "" for one that both bear."""

    def gender(self, name: str) -> str | None:
        """Return "m" or "f", "" for a first name of both, None for a word that is no first name of the list."""
        return self.genders.get(folded(name))


@cache
def load_lexicon() -> Lexicon:
    """Return the lists shipped in the package."""
    data = files("carabin.pseudonyms") / "data"
    names = tomllib.loads((data / "first_names.toml").read_text(encoding="utf-8"))
    fictions = tomllib.loads((data / "fictions.toml").read_text(encoding="utf-8"))
    male, female = tuple(names["male"].split()), tuple(names["female"].split())
    men, women = ({folded(name) for name in group} for group in (male, female))
    genders = {name: "" if name in men and name in women else "m" if name in men else "f" for name in men | women}
    listed = ("streets", "sites", "mail_words", "mail_domains", "phone_prefixes", "postcode_departments")
    return Lexicon(
        male=male,
        female=female,
        surname_parts=_parts(fictions, "surname"),
        town_parts=_parts(fictions, "town"),
        saints=tuple(fictions["saints"].split()),
        genders=genders,
        **{name: tuple(fictions[name]) for name in listed},
    )


def _parts(fictions: dict[str, str], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(fictions[f"{name}_beginnings"].split()), tuple(fictions[f"{name}_endings"].split())


NAME_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")
"""A run of letters with their combining marks."""

PARTICLES = frozenset(
    "de du des d la le les l von van der den di da del dos el al ben bent et ep epouse nee ne".split()
)
"""Words in a name that name nobody; a surrogate keeps them."""
