"""Parts of a report: what each of its sections is for, and which questions are asked of what stands there."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property

from carabin.exercises.units import Unit
from carabin.exercises.wording import fold
from carabin.generation.sections import find_sections

_TITLES = {
    "past": r"antecedent|atcd|terrain(?! allerg)",
    "allergy": r"allerg|intoleran|terrain allerg",
    "entry": r"(?!.*(?:poursui|mainten))(?:traitement|ttt|medicament|therapeutique|ordonnance)s?\b.*"
    r"(?:entree|admission|habituel|domicile|anterieur|personnel|avant|au long cours)",
    "given": r"(?:traitement|ttt|medicament|therapeutique|ordonnance|prescription)|(?:poursuite|maintien) d"
    r"|.*(?:poursuivi|maintenu)",
    "after": r"suivi|devenir|modalites|conduite|cat\b|rendez|suite de|pour la suite|organisation|consignes|programme",
    "results": r"biologi|bilan|examens? (?:bio|comp|para)|paraclinique|explorations|imagerie|resultats|laboratoire",
    "seen": r"examen|a l'examen|clinique|donnees de l'examen",
    "told": r"conclusion|en conclusion|au total|synthese|en synthese|en resume|resume|diagnostic|l'essentiel",
    "why": r"motif|raison d",
    "life": r"mode de vie|habitus|contexte|situation|social",
    "course": r"prise en charge|evolution\b|deroulement|suites\b",
    "history": r"histoire|hdm|anamnese|rappel",
}
"""How titles begin, folded, by what their part is for; the first that fits."""
_PARTS = [(part, re.compile(title)) for part, title in _TITLES.items()]
_TITLE = re.compile(r"[^:\n]*")
_INLINE = re.compile(r"([^:.\n]{3,40}):")

_LONGEST_TITLE = 5
"""Words."""

ASKED: Mapping[str, frozenset[str]] = {
    "antecedent": frozenset(("past",)),
    "allergy": frozenset(("allergy",)),
    "entry-treatment": frozenset(("entry",)),
    "treatment": frozenset(("given", "after")),
    "follow-up": frozenset(("after",)),
    "diagnosis": frozenset(("told",)),
}
"""By type, the parts in which a unit needs no other cue."""
_NO_CARE = frozenset(("why", "life"))
_NOT_FOUND_IN = {
    "treatment": "past allergy entry results seen history",
    "entry-treatment": "past allergy given after results seen told",
    "diagnosis": "past allergy entry given results seen history course",
    "antecedent": "allergy entry given after results seen told history course",
    "procedure": "past allergy entry given after",
    "lab": "past allergy entry given after",
    "dose": "past allergy results seen",
    "germ": "past allergy entry given",
    "follow-up": "past allergy entry given results seen history course",
    "allergy": "past entry given results seen",
    "implant": "allergy entry given results",
    "stopped": "past allergy results seen",
}
FOREIGN: Mapping[str, frozenset[str]] = {
    asks: _NO_CARE | frozenset(parts.split()) for asks, parts in _NOT_FOUND_IN.items()
}
"""By type, the parts of which it is not asked."""


class Parts:
    """The parts of one report."""

    def __init__(self, text: str, units: Sequence[Unit], body: int) -> None:
        """Read a report.

        Args:
            text: The report.
            units: Its lines and sentences.
            body: Where it begins to tell; a letterhead is no title.
        """
        self.text, self.units = text, units
        sections = find_sections(text)
        self._starts = [start for start, _ in sections]
        self._titles = frozenset(start for start in self._starts if start and start >= body)
        shown = [_TITLE.match(text, start, end) if start >= body else None for start, end in sections]
        self._parts = [_part_of(title[0]) if title else "" for title in shown]

    def is_title(self, unit: Unit) -> bool:
        """Return whether a unit is a title and nothing else."""
        told = self.text[slice(*unit)]
        # Where a text begins with one, nothing stands before that could set it off.
        first = unit[0] == 0 and bool(_part_of(told)) and told[-1].isalpha() and len(told.split()) <= _LONGEST_TITLE
        return (unit[0] in self._titles or first) and ":" not in told

    def of(self, unit: Unit) -> str:
        """Return what the part is for that a unit stands in, empty where no title says so.

        The unit's own beginning counts first: `Conclusion : pneumopathie`.
        """
        inline = _INLINE.match(self.text, *unit)
        return (_part_of(inline[1]) if inline else "") or self._parts[bisect_right(self._starts, unit[0]) - 1]

    @cached_property
    def folded(self) -> Mapping[str, str]:
        """By part, all that is said in it, folded, a line for each unit."""
        told: dict[str, list[str]] = {}
        for unit in self.units:
            told.setdefault(self.of(unit), []).append(fold(self.text[slice(*unit)]))
        return {part: "\n".join(lines) for part, lines in told.items()}


def _part_of(title: str) -> str:
    folded = fold(title)
    return next((part for part, pattern in _PARTS if pattern.match(folded)), "")
