"""Numbers in the place of numbers: written as the original is, and nobody's wherever a range of nobody's exists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from carabin.pseudonyms.checks import luhn_digit, national_number, nir_key
from carabin.pseudonyms.dates import WrittenDate
from carabin.pseudonyms.keys import Secret

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def digits(secret: Secret, count: int, *purpose: str) -> str:
    """Return so many digits, drawn."""
    return f"{secret.draw(10**count, 'digits', *purpose):0{count}d}" if count else ""


def write_digits(surface: str, new: str) -> str:
    """Return a surface with its digits replaced in order, all else kept."""
    source = iter(new)
    return "".join(next(source) if character.isdecimal() else character for character in surface)


def same_form(secret: Secret, surface: str, *purpose: str) -> str:
    """Return a code of the same form, digit for digit, letter for letter, and never the same code."""
    made = surface
    attempt = 0
    while made == surface and attempt < 100:
        made = "".join(
            _like(character, secret.draw(120, *purpose, str(position), str(attempt)))
            for position, character in enumerate(surface)
        )
        attempt += 1
    return made


def _like(character: str, drawn: int) -> str:
    if character.isdigit():
        return str(drawn % 10)
    if not character.isalpha():
        return character
    letter = _LETTERS[drawn % len(_LETTERS)]
    return letter.lower() if character.islower() else letter


def fictitious_phone(secret: Secret, scope: str, surface: str, prefixes: Sequence[str]) -> str:
    """Return a telephone number in a range kept for fiction, in the surface's form.

    A geographic number keeps its zone and a mobile one stays mobile. A foreign number becomes a French one, since the
    ranges of other countries are not known here; one of seven digits or fewer (an extension) has no country.
    """
    national = national_number(re.sub("[oO]", "0", surface))
    old = re.sub(r"\D", "", re.sub("[oO]", "0", surface)) if national else re.sub(r"\D", "", surface)
    if national is None and len(old) < 8:
        return write_digits(surface, digits(secret, len(old), scope, "TEL", old))
    zone = {"7": "6"}.get((national or "01")[1], (national or "01")[1])
    ranges = [prefix for prefix in prefixes if prefix[1] == zone] or list(prefixes[:5])
    value = national or old
    prefix = ranges[secret.draw(len(ranges), scope, "TEL", "range", value)]
    new = prefix + digits(secret, 4, scope, "TEL", value)
    if national is None:
        international = surface.lstrip("( ").startswith(("+", "00"))
        pairs = " ".join(re.findall("..", new))
        return "+33 " + pairs[1:] if international else pairs
    surface = re.sub("[oO]", "0", surface)
    return write_digits(surface, old[: len(old) - 9] + new[1:])


def impossible_nir(
    secret: Secret, scope: str, surface: str, births: Iterable[tuple[WrittenDate, date]], days: int
) -> str:
    """Return a NIR with its right key that nobody has: no department is numbered 00, no birth 000.

    Sex is kept; year and month move as the patient's dates do, with the birth date of the document where there is one.

    Args:
        secret: Draws the commune.
        scope: Of the draw.
        surface: The number to replace; one that is too short or too long keeps its length.
        births: The document's birth dates, and what they become.
        days: How far dates move.
    """
    old = "".join(character for character in surface.upper() if character.isalnum())
    birth = _moved_birth(old, births, days)
    commune = 1 + secret.draw(989, scope, "SECU", old)
    sex = old[0] if old[:1] in ("1", "2") else "1"
    body = f"{sex}{birth or digits(secret, 2, scope, 'SECU', 'birth', old) + '01'}00{commune:03d}000"
    new = f"{body}{nir_key(body):02d}"
    new = (new + digits(secret, max(len(old) - 15, 0), scope, "SECU", "rest", old))[: len(old)]
    source = iter(new)
    return "".join(next(source) if character.isalnum() else character for character in surface)


def _moved_birth(old: str, births: Iterable[tuple[WrittenDate, date]], days: int) -> str | None:
    """Return the year and month, two digits each, that the NIR's become; None where it has none."""
    if not re.match(r"[0-9]{3}(?:0[1-9]|1[0-2])", old):
        return None
    for written, moved in births:
        if written.year and written.month and f"{written.year % 100:02d}{written.month:02d}" == old[1:5]:
            return f"{moved:%y%m}"
    year = int(old[1:3])
    return f"{date(1900 + year, int(old[3:5]), 15) + timedelta(days):%y%m}"


def unassigned_professional(secret: Secret, scope: str, surface: str) -> str:
    """Return a RPPS (11 digits) or FINESS (9) with its right last digit, in the series 00, never opened."""
    old = re.sub(r"[^0-9A-Za-z]", "", surface)
    body = "00" + digits(secret, max(len(old) - 3, 0), scope, "RPPS", old)
    new = body + luhn_digit(body)
    source = iter(new)
    return "".join(next(source, "0") if character.isalnum() else character for character in surface)
