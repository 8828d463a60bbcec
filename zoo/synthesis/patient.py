"""A fictitious patient and stay: identity numbers that cannot exist, dates that agree with one another."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

from zoo.synthesis.french import MONTHS
from zoo.synthesis.knowledge import Knowledge, Scenario

FICTION_PREFIXES = ("01 99 00", "02 61 91", "03 53 01", "04 65 71", "05 36 49", "06 39 98")
"""Telephone ranges that the French regulator keeps for works of fiction."""

IMPOSSIBLE_DEPARTMENT = "00"
"""No department was ever numbered 00, and no birth register starts at 000: such a NIR is nobody's."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the report is about."""

    female: bool
    first_name: str
    surname: str
    birth: date
    nir: str
    ipp: str
    nda: str


@dataclass(frozen=True, slots=True)
class Stay:
    """When it happened."""

    admission: date
    discharge: date

    @property
    def days(self) -> int:
        """Return the number of nights."""
        return (self.discharge - self.admission).days


def nir_key(body: str) -> int:
    """Return the control key of a 13-digit NIR: 97 minus its remainder by 97 (INSEE)."""
    return 97 - int(body) % 97


def draw_nir(rng: random.Random, female: bool, birth: date) -> str:
    """Draw a NIR with a valid key, in an impossible department and with an impossible order number."""
    body = f"{2 if female else 1}{birth:%y%m}{IMPOSSIBLE_DEPARTMENT}{rng.randint(1, 990):03d}000"
    key = f"{nir_key(body):02d}"
    if rng.random() < 0.5:
        return body + key
    return " ".join((body[0], body[1:3], body[3:5], body[5:7], body[7:10], body[10:], key))


def years_between(birth: date, day: date) -> int:
    """Return the age in completed years."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def months_between(birth: date, day: date) -> int:
    """Return the age in completed months."""
    return (day.year - birth.year) * 12 + day.month - birth.month - (day.day < birth.day)


def age_words(birth: date, day: date) -> str:
    """Write the age as a report does: months below two years, else years."""
    months = months_between(birth, day)
    if months < 24:
        return f"{months} mois"
    return f"{months // 12} ans"


def write_date(day: date, style: str) -> str:
    """Write a date in one of the styles met in reports."""
    if style == "words":
        number = "1er" if day.day == 1 else str(day.day)
        return f"{number} {MONTHS[day.month - 1]} {day.year}"
    return day.strftime({"slash": "%d/%m/%Y", "dot": "%d.%m.%Y", "short": "%d/%m/%y", "dash": "%d-%m-%Y"}[style])


def ascii_lower(text: str) -> str:
    """Return the text without accents, spaces or capitals, as in a mail address."""
    plain = unicodedata.normalize("NFD", text.replace("œ", "oe"))
    return "".join(char for char in plain.lower() if char.isascii() and (char.isalnum() or char == "-"))


def draw_phone(rng: random.Random) -> str:
    """Draw a telephone number in a range reserved for fiction."""
    digits = f"{rng.choice(FICTION_PREFIXES)} {rng.randint(0, 99):02d} {rng.randint(0, 99):02d}"
    return digits.replace(" ", rng.choice((" ", " ", ".", "")))


def draw_stay(rng: random.Random, scenario: Scenario) -> Stay:
    """Draw an admission between 2016 and 2025 and a stay within the scenario's range."""
    admission = date(2016, 1, 4) + timedelta(days=rng.randint(0, 3600))
    return Stay(admission, admission + timedelta(days=rng.randint(*scenario.stay)))


def draw_patient(rng: random.Random, scenario: Scenario, stay: Stay, knowledge: Knowledge, held: bool) -> Patient:
    """Draw an identity whose age at admission lies in the scenario's range.

    Args:
        rng: source of chance.
        scenario: gives sex and age.
        stay: gives the day of admission.
        knowledge: gives names.
        held: draw among the surnames kept for test.
    """
    female = rng.choice(scenario.sex) == "F"
    low, high = (round(bound * 365.25) for bound in scenario.age)
    birth = stay.admission - timedelta(days=rng.randint(low + 2, max(low + 2, high)))
    names = knowledge.names
    return Patient(
        female,
        rng.choice(names[("young_" if birth.year > 1990 else "") + ("female" if female else "male")]),
        rng.choice(names["held_surnames" if held else "surnames"]),
        birth,
        draw_nir(rng, female, birth),
        rng.choice(("", "80", "0")) + str(rng.randint(10_000_000, 99_999_999)),
        f"{stay.admission:%y}{rng.randint(1_000_000, 9_999_999)}",
    )
