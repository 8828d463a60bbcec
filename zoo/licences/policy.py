"""The policy table (`policy.toml`) read strictly, and the order of the levels."""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from pydantic.dataclasses import dataclass

from zoo.registry.reading import build, read_toml
from zoo.registry.recipes import STRICT, LicenceLevel, Method, require

POLICY_FILE = Path(__file__).with_name("policy.toml")
LEVELS: tuple[LicenceLevel, ...] = get_args(LicenceLevel)
"""All levels, laxest first."""

Use = Literal["weights", "outputs", "pseudo_labels", "text"]
USE_OF_METHOD: dict[Method, Use] = {
    "weights": "weights",
    "logits": "outputs",
    "generated-text": "outputs",
    "pseudo-labels": "pseudo_labels",
}


def strictest(*levels: LicenceLevel) -> LicenceLevel:
    """Return the strictest of the levels; of none, `open`."""
    return max(levels, key=LEVELS.index, default="open")


def laxest(*levels: LicenceLevel) -> LicenceLevel:
    """Return the laxest of the levels; of none, `refused`."""
    return min(levels, key=LEVELS.index, default="refused")


@dataclass(frozen=True, config=STRICT)
class LicencePolicy:
    """What one licence allows, by what is taken from the licensed thing."""

    weights: LicenceLevel
    outputs: LicenceLevel
    pseudo_labels: LicenceLevel
    text: LicenceLevel
    why: str
    obligations: tuple[str, ...] = ()

    def level_for(self, uses: tuple[Use, ...]) -> LicenceLevel:
        """Return the strictest level among the uses."""
        return strictest(*(getattr(self, use) for use in uses))


@dataclass(frozen=True, config=STRICT)
class OutputTerms:
    """Words about outputs, found in a teacher's own terms, and what they let a student be."""

    quote: str
    level: LicenceLevel
    why: str


@dataclass(frozen=True, config=STRICT)
class Policy:
    """The whole table."""

    licences: dict[str, LicencePolicy]
    """By SPDX id, `LicenseRef-…`, or `id WITH exception`."""
    output_terms: tuple[OutputTerms, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        folded = [name.casefold() for name in self.licences]
        twice = sorted({name for name in folded if folded.count(name) > 1})
        require(not twice, f"licences listed twice, up to case: {', '.join(twice)}")

    def find(self, name: str) -> tuple[str, LicencePolicy] | None:
        """Return (name as the table writes it, its entry): SPDX ids are matched without regard to case."""
        for listed, entry in self.licences.items():
            if listed.casefold() == name.casefold():
                return listed, entry
        return None

    def terms(self, quoted: str) -> OutputTerms | None:
        """Return the entry that weighs exactly these words, spaces aside; None when nobody has."""
        wanted = " ".join(quoted.split())
        return next((entry for entry in self.output_terms if " ".join(entry.quote.split()) == wanted), None)


def read_policy(path: Path = POLICY_FILE) -> Policy:
    """Return the policy table of a file. Raises DeclarationError: one line that names the file and the key at fault."""
    return build(Policy, read_toml(path), path)


@lru_cache(maxsize=1)
def default_policy() -> Policy:
    """Return the zoo's own policy table, read once."""
    return read_policy()
