"""Wrong answers: of the type asked for, near the right ones, and surely wrong of this report."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from functools import cache

from carabin.exercises.exercise import OPTIONS
from carabin.exercises.wording import mentions
from zoo.synthesis.exercises.reading import Asked, Reading, find_lab, find_scenario
from zoo.synthesis.exercises.surfaces import fold
from zoo.synthesis.exercises.synonyms import fold_siblings, list_siblings
from zoo.synthesis.exercises.terms import USUAL, Term, is_poor, list_fields, list_terms, list_values, read_dose

NEAR = 4.0
"""Doses are offered within this factor of the right one first."""
FAR_ENOUGH = 0.25
"""A value is no wrong answer when it lies nearer to the right one than this share of the analyte's range."""


def draw_wrong(asked: Asked, reading: Reading, split: str, rng: random.Random) -> tuple[str, ...] | None:
    """Draw the wrong answers of a question with options; None where the knowledge has not enough."""
    wanted = OPTIONS - len(asked.right)
    taken = set().union(*map(fold_siblings, asked.right))
    drawn: list[str] = []
    for term in _rank(asked, reading, split, rng):
        surface = dress(term, asked.right)
        siblings = fold_siblings(term)
        if taken & siblings or mentions(reading.folded, fold(term)) or any(map(reading.tells, list_siblings(term))):
            continue
        taken |= siblings
        drawn.append(surface)
        if len(drawn) == wanted:
            return tuple(drawn)
    return None


def dress(surface: str, model: Iterable[str]) -> str:
    """Write a term as the right answers are written: capitals must not tell which is which."""
    model = tuple(model)
    if all(answer.isupper() and any(len(word) > 4 for word in answer.split()) for answer in model):
        return surface.upper()
    return capitalise(surface) if all(answer[0].isupper() for answer in model) else surface


def capitalise(surface: str) -> str:
    """Return a term as it begins a sentence."""
    return surface[0].upper() + surface[1:]


def _rank(asked: Asked, reading: Reading, split: str, rng: random.Random) -> Iterable[str]:
    """Return surfaces, the most plausible first."""
    if asked.asks == "lab":
        return _rank_values(asked, reading, rng)
    terms = list_terms(split).get(asked.asks, ())
    if asked.asks == "dose":
        return _rank_doses(asked.right[0], terms, rng)
    known = frozenset().union(*map(fold_siblings, asked.right))
    tags = list_fields(reading.scenario.specialty)
    tags = tags.union(*(term.tags for term in terms if fold(term.surface) in known))
    # A draw worth less than two tags in common: the same distractors do not come back with each right answer.
    possible = _list_possible(split, asked.asks, reading.scenario.id)
    ranked = sorted(possible, key=lambda term: 1.5 * rng.random() - len(term.tags & tags))
    return [term.surface for term in ranked]


@cache
def _list_possible(split: str, asks: str, scenario_id: str) -> tuple[Term, ...]:
    """Return the terms that a scenario's patient could have: no pregnancy of a man, no infant's disease of an adult."""
    scenario = find_scenario(scenario_id)
    youngest, oldest = scenario.age
    return tuple(
        term
        for term in list_terms(split).get(asks, ())
        if set(scenario.sex) <= term.sexes and term.ages[0] < oldest and youngest < term.ages[1] and not is_poor(term)
    )


def _rank_values(asked: Asked, reading: Reading, rng: random.Random) -> list[str]:
    lab = find_lab(asked.hole, reading.scenario)
    width = lab.value.high - lab.value.low  # type: ignore[attr-defined]
    right = read_number(asked.right[0])
    values = [value for value in list_values(lab) if abs(read_number(value) - right) >= FAR_ENOUGH * width]
    return rng.sample(values, len(values))


def read_number(answer: str) -> float:
    """Return the number that a value begins with."""
    digits = answer.split(" ")[0]
    return float(digits.replace(",", "."))


def _rank_doses(right: str, terms: Iterable[Term], rng: random.Random) -> list[str]:
    unit, amount = read_dose(right)
    same = [term for term in terms if unit in term.tags and read_dose(term.surface)[1] != amount]
    distance = {term.surface: abs(math.log(read_dose(term.surface)[1] / amount)) for term in same}
    near = [term.surface for term in same if USUAL in term.tags and distance[term.surface] <= math.log(NEAR)]
    far = sorted(distance.keys() - set(near), key=lambda dose: (distance[dose], dose))
    return rng.sample(near, len(near)) + far
