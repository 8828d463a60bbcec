"""What stands in an identity's place: invented, written as the original was, and the same each time it is met.

Everything is drawn with the key from (scope, label, value). Within one document two values never share a surrogate, and
no surrogate is another's original; over a corpus only the draw decides, so that it can be the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from carabin.pseudonyms import numbers
from carabin.pseudonyms.dates import DateShift, WrittenDate
from carabin.pseudonyms.detection import Detection
from carabin.pseudonyms.keys import Secret
from carabin.pseudonyms.lexicon import NAME_WORD, PARTICLES, Lexicon, folded, load_lexicon
from carabin.pseudonyms.places import HOSPITAL_KIND
from carabin.pseudonyms.spans import DATES, Span

UNREADABLE_DATE = "[DATE]"
"""In place of what the student calls a date and no form of date reads: one drawn at random would break intervals."""

_WOMAN = re.compile(r"(?:\b(?:Mme|Mlle|Madame|Mademoiselle|Patiente|née)\b)[^\n]{0,25}$", re.IGNORECASE)
_MAN = re.compile(r"(?:\bM\.|\b(?:Mr|Monsieur|Patient|né)\b)[^\n]{0,25}$")
_KIND = re.compile(rf"{HOSPITAL_KIND}(?=[ \u00a0]|$)")
_TOWN_LINK = re.compile(r"(?:de\s|d['’])", re.IGNORECASE)
_SITE_LINK = re.compile(r"(?:du|des|de la|de l['’]|la|les)\b", re.IGNORECASE)
_CEDEX = re.compile(r"\s+cedex\b.*$", re.IGNORECASE | re.DOTALL)
_STREET_NUMBER = re.compile(r"[0-9]+(?:\s?-\s?[0-9]+)?(?:\s?(?:bis|ter|quater)\b)?(?P<gap>\s?,?\s*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scope:
    """Within what the same identity has the same surrogate."""

    name: str
    """Enters every draw: of the document, of the patient, or of the corpus."""
    single_document: bool
    """Whether surrogates may be kept apart from the document's own originals."""
    days: int
    """How far the dates move."""


class Surrogates:
    """The surrogates of one document."""

    def __init__(self, secret: Secret, scope: Scope, text: str, detection: Detection) -> None:
        self.secret = secret
        self.scope = scope
        self.text = text
        self.spans = detection.spans
        self.shift = DateShift(text, detection.dates, scope.days)
        self.lexicon: Lexicon = load_lexicon()
        self.unread_dates = 0
        self._drawn: dict[tuple[str, str], str] = {}
        self._used: set[str] = set()

    def replace(self, span: Span) -> str:
        """Return what is written in the span's place."""
        surface = self.text[span.start : span.end]
        if span.label in DATES:
            moved = self.shift.rewrite(span.start, span.end)
            self.unread_dates += moved is None
            return UNREADABLE_DATE if moved is None else moved
        writers: dict[str, Callable[[str], str]] = {
            "ADRESSE": self._address, "VILLE": self._town, "ZIP": self._postcode, "HOPITAL": self._hospital,
            "MAIL": self._mail, "TEL": self._phone, "SECU": self._nir, "RPPS": self._professional,
            "FINESS": self._professional,
        }  # fmt: skip
        if span.label in ("NOM", "PRENOM"):
            return self._name(surface, span)
        return writers.get(span.label, lambda code: self._code(span.label, code))(surface)

    def _draw(self, label: str, value: str, make: Callable[[int], str], count: int) -> str:
        """Return the surrogate of a value: `make` of a number below `count`, drawn again while it is taken."""
        key = (label, value)
        if key not in self._drawn:
            for attempt in range(100):
                made = make(self.secret.draw(count, self.scope.name, label, value, str(attempt)))
                own = folded(made)
                taken = own in self._used or self._resembles_an_original(own)
                if own != value and not (self.scope.single_document and taken):
                    break
            self._drawn[key] = made
            self._used.add(own)
        return self._drawn[key]

    def _resembles_an_original(self, made: str) -> bool:
        """Return whether a surrogate has an original of the document in it: Pierrette would show Pierre to a search."""
        if not self._originals.isdisjoint(made.split()):
            return True
        return any(len(original) > 3 and original in made for original in self._originals)

    @cached_property
    def _originals(self) -> set[str]:
        """Everything that a surrogate must not be: the document's own identities and the words of its names."""
        surfaces = [(span.label, self.text[span.start : span.end]) for span in self.spans if span.label not in DATES]
        words = (
            word for label, surface in surfaces if label in ("NOM", "PRENOM") for word in NAME_WORD.findall(surface)
        )
        return {folded(surface) for _, surface in surfaces} | {folded(word) for word in words}

    @cached_property
    def _kinds(self) -> dict[str, str]:
        """Return the label of each name's word: the one it has most often here, the family's of two alike."""
        votes: dict[str, int] = {}
        for span in self.spans:
            if span.label in ("NOM", "PRENOM"):
                for word in NAME_WORD.findall(self.text[span.start : span.end]):
                    votes[folded(word)] = votes.get(folded(word), 0) + (1 if span.label == "PRENOM" else -1)
        return {word: "PRENOM" if vote > 0 else "NOM" for word, vote in votes.items()}

    def _name(self, surface: str, span: Span) -> str:
        def one(match: re.Match[str]) -> str:
            word = match[0]
            if folded(word) in PARTICLES and len(surface) > len(word):
                return word
            if len(folded(word)) < 2:
                return self._initial(word)
            return _cased_like(word, self._name_word(folded(word), span.label, span))

        return self._digits("NOM", NAME_WORD.sub(one, surface))

    def _name_word(self, value: str, label: str, span: Span | None = None) -> str:
        """Return the surrogate of one word of a name; the title before its span may tell the gender."""
        alone = self.scope.single_document
        if (self._kinds.get(value, label) if alone else label) == "NOM":
            return self._compound("NOM", value, self.lexicon.surname_parts)
        gender = self.lexicon.gender(value) or (self._gender_before(span) if alone and span else None)
        names = {"m": self.lexicon.male, "f": self.lexicon.female}.get(
            gender or "", (*self.lexicon.male, *self.lexicon.female)
        )
        return self._draw("PRENOM", value, lambda number: names[number], len(names))

    def _gender_before(self, span: Span) -> str | None:
        woman = _WOMAN.search(self.text, max(span.start - 40, 0), span.start)
        man = _MAN.search(self.text, max(span.start - 40, 0), span.start)
        if woman and man:
            return "f" if woman.start() > man.start() else "m"
        return "f" if woman else "m" if man else None

    def _initial(self, letter: str) -> str:
        """Return the initial of the surrogate of the document's first name that begins so, else any letter."""
        start = folded(letter)
        for span in self.spans if start else ():
            if span.label == "PRENOM":
                for word in NAME_WORD.findall(self.text[span.start : span.end]):
                    value = folded(word)
                    if len(value) > 1 and value[0] == start and value not in PARTICLES:
                        return _cased_like(letter, folded(self._name_word(value, "PRENOM", span))[0].upper())
        letters = "ABCDEFGHIJKLMNOPRSTUVWYZ"
        return _cased_like(letter, letters[self.secret.draw(len(letters), self.scope.name, "initial", start)])

    def _compound(self, label: str, value: str, parts: tuple[Sequence[str], Sequence[str]]) -> str:
        first, last = parts
        count = len(first) * len(last)
        return self._draw(label, value, lambda n: first[n % len(first)] + last[n // len(first)], count)

    def _town(self, surface: str) -> str:
        cedex = _CEDEX.search(surface)
        value = folded(re.sub("[0-9]", "", surface[: cedex.start()] if cedex else surface))
        town = _cased_like(surface, self._compound("VILLE", value, self.lexicon.town_parts))
        return town + (re.sub(r"\s*[0-9]+", "", cedex[0]) if cedex else "")

    def _postcode(self, surface: str) -> str:
        digits = re.sub(r"\D", "", surface)
        departments = self.lexicon.postcode_departments
        prefix = departments[self.secret.draw(len(departments), self.scope.name, "ZIP", digits[:2])]
        new = self._draw("ZIP", digits, lambda number: f"{prefix}{number:03d}", 1000)
        new = (new + numbers.digits(self.secret, len(digits), self.scope.name, "ZIP", digits))[: len(digits)]
        written = numbers.write_digits(surface, new)
        return re.sub(r"[^\W\d_]{2,}.*", lambda match: self._town(match[0]), written, count=1, flags=re.DOTALL)

    def _address(self, surface: str) -> str:
        number = _STREET_NUMBER.match(surface)
        streets, value = self.lexicon.streets, folded(surface)
        count = len(streets) * 180

        def make(drawn: int) -> str:
            street = streets[drawn % len(streets)]
            return f"{drawn // len(streets) + 1}{number['gap'] or ' '}{street}" if number else street

        return _cased_like(surface, self._draw("ADRESSE", value, make, count), sentence=True)

    def _hospital(self, surface: str) -> str:
        kind = _KIND.match(surface)
        head = surface[: kind.end()] if kind else ""
        rest = surface[len(head) :].strip()
        link = _TOWN_LINK.match(rest)
        if link and not _SITE_LINK.match(rest):
            town = self._town(rest[link.end() :])
            name = ("d'" if folded(town)[0] in "aeiouy" else "de ") + town
        else:
            site = bool(_SITE_LINK.match(rest))
            choices = self.lexicon.sites if site else tuple(f"Saint-{saint}" for saint in self.lexicon.saints)
            name = self._draw("HOPITAL", folded(rest or surface), lambda number: choices[number], len(choices))
            name = _cased_like(rest or surface, name, sentence=True)
        return f"{head} {name}" if head else name

    def _mail(self, surface: str) -> str:
        local, _, domain = surface.partition("@")
        domains = self.lexicon.mail_domains
        at = domains[self.secret.draw(len(domains), self.scope.name, "domain", folded(domain))]
        pieces = re.split(r"([._+\-]+)", local.strip())
        return "".join(p if n % 2 else self._mail_word(folded(p)) for n, p in enumerate(pieces)) + "@" + at

    def _mail_word(self, piece: str) -> str:
        """Return the surrogate of the name in a piece of an address (`dupont`, `jdupont`), else any word."""
        for start in (0, 1):
            label = self._kinds.get(piece[start:])
            if label and len(piece) > start + 1:
                letter = self._initial(piece[0]) if start else ""
                return folded(letter + self._name_word(piece[start:], label)).replace(" ", "")
        for value, label in self._kinds.items():
            # "legoff", of Le Goff.
            if len(value) > 3 and value in piece:
                return folded(self._name_word(value, label)).replace(" ", "")
        if len(piece) < 2:
            return folded(self._initial(piece)) if piece else ""
        words = self.lexicon.mail_words
        return words[self.secret.draw(len(words), self.scope.name, "MAIL", piece)]

    def _phone(self, surface: str) -> str:
        return numbers.fictitious_phone(self.secret, self.scope.name, surface, self.lexicon.phone_prefixes)

    def _nir(self, surface: str) -> str:
        return numbers.impossible_nir(self.secret, self.scope.name, surface, self._births, self.scope.days)

    @cached_property
    def _births(self) -> list[tuple[WrittenDate, date]]:
        """Return the document's birth dates, and what they become."""
        spans = [span for span in self.spans if span.label == "DATE_NAISSANCE"]
        written = [written for span in spans for written in self.shift.inside(span.start, span.end)]
        return [(born, self.shift.moved(born)) for born in written]

    def _professional(self, surface: str) -> str:
        return numbers.unassigned_professional(self.secret, self.scope.name, surface)

    def _code(self, label: str, surface: str) -> str:
        value = folded(surface)
        return numbers.same_form(self.secret, surface, self.scope.name, label, value)

    def _digits(self, label: str, surface: str) -> str:
        count = sum(character.isdecimal() for character in surface)
        return numbers.write_digits(surface, numbers.digits(self.secret, count, self.scope.name, label, surface))


def _cased_like(old: str, new: str, sentence: bool = False) -> str:
    """Write `new` in the capitals of `old`; a sentence keeps its small words small."""
    letters = [character for character in old if character.isalpha()]
    if letters and all(character.isupper() for character in letters) and (len(letters) > 1 or len(new) == 1):
        return new.upper()
    if letters and all(character.islower() for character in letters) and not sentence:
        return new.lower()
    return new
