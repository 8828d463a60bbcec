"""Numbers that carry their own proof: the NIR's key, Luhn's digit, the telephone plan. Pure functions over digits."""

from __future__ import annotations

import re

_NIR = re.compile(r"[1-478]\d{2}(?:0[1-9]|1[0-2]|[2-3]\d|4[0-2]|[5-9]\d)(?:\d{2}|2[AB])\d{6}")
# Corsica's departments stand for 20, less 1,000,000 for 2A and 2,000,000 for 2B on the number: 19 and 18.
_CORSICA = {"2A": "19", "2B": "18"}


def nir_key(body: str) -> int | None:
    """Return the key of a NIR's first 13 characters: 97 minus their remainder by 97; None where they make no NIR.

    The form is INSEE's: sex (1 or 2; 3, 4, 7 and 8 for numbers in waiting), year, month (or 20-42 and 50-99 where the
    birth record gives none), department (2A and 2B for Corsica), commune and order.
    """
    body = body.upper()
    if not _NIR.fullmatch(body):
        return None
    department = body[5:7]
    return 97 - int(body[:5] + _CORSICA.get(department, department) + body[7:]) % 97


def is_nir(digits: str) -> bool:
    """Return whether 15 characters, spaces left out, are a NIR with its right key."""
    key = nir_key(digits[:13]) if len(digits) == 15 else None
    return key is not None and digits[13:] == f"{key:02d}"


def luhn_holds(digits: str) -> bool:
    """Return whether the last digit is the one of Luhn's algorithm (ISO/IEC 7812-1), as in RPPS and FINESS."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def luhn_digit(digits: str) -> str:
    """Return the digit that makes `luhn_holds` true once it is put behind."""
    return next(digit for digit in "0123456789" if luhn_holds(digits + digit))


def national_number(phone: str) -> str | None:
    """Return the ten digits `0X XX XX XX XX` of a French telephone number; None if it is none.

    Reads `01 23 45 67 89`, `+33 1 23…`, `0033 1…`, `(33) 1…` and `+33 (0)1 …`, whatever stands between the digits.
    """
    digits = re.sub("[^0-9]", "", phone)
    for country in ("0033", "33"):
        rest = digits.removeprefix(country).removeprefix("0")
        if digits.startswith(country) and len(rest) == 9:
            digits = "0" + rest
            break
    return digits if re.fullmatch("0[1-9][0-9]{8}", digits) else None
