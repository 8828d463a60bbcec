"""Days and years written out, as births are in certificates: `deux janvier mille neuf cent soixante dix huit`."""

from __future__ import annotations

import re

_UNITS = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf"
).split()
_TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante", 80: "quatre-vingt"}
_PLAIN = {"zero": 0, **{word: number for number, word in enumerate(_UNITS)}, "une": 1, "premier": 1, "septante": 70,
          "huitante": 80, "octante": 80, "nonante": 90, **{word: number for number, word in _TENS.items()}}  # fmt: skip

WORDS = tuple(sorted({"et", "cent", "cents", "mille", "mil", "vingts", *(w for w in _PLAIN if "-" not in w)}))
"""Every word a number is made of; hyphens between them are optional."""


def read_number(words: str) -> int | None:
    """Return the number that French words make, None if they make none: `dix sept` is 17, `quatre-vingt-un` 81."""
    total, part, last = 0, 0, 0
    for word in re.split(r"[\s-]+", words.casefold().strip()):
        if word == "et":
            continue
        if word in ("mille", "mil"):
            total, part, last = (part or 1) * 1000, 0, 0
        elif word in ("cent", "cents"):
            part, last = (part or 1) * 100, 100
        elif word in ("vingt", "vingts") and last == 4:
            part, last = part + 76, 20
        elif word in _PLAIN:
            value = _PLAIN[word]
            # "vingt" after "cent" begins the tens; "deux" after "trois" is a second number.
            if last and last < 20 and not (last == 10 and 7 <= value <= 9):
                return None
            if last == 20 and value >= 20:
                return None
            part, last = part + value, value if value < 20 else 20
        else:
            return None
    return total + part


def write_number(number: int) -> str:
    """Return a number below 10,000 in words, hyphenated below a hundred as tradition has it."""
    if number >= 1000:
        head = "mille" if number < 2000 else f"{_UNITS[number // 1000]} mille"
        return head + (f" {write_number(number % 1000)}" if number % 1000 else "")
    if number >= 100:
        head = "cent" if number < 200 else f"{_UNITS[number // 100]} cent"
        rest = number % 100
        return head + (f" {write_number(rest)}" if rest else "s" if number >= 200 else "")
    if number < 20:
        return _UNITS[number]
    ten = max(ten for ten in _TENS if ten <= number)
    rest = number - ten
    if rest == 0:
        return _TENS[ten] + ("s" if ten == 80 else "")
    joint = " et " if rest in (1, 11) and ten < 80 else "-"
    return _TENS[ten] + joint + _UNITS[rest]
