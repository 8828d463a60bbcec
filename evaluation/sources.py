"""The code that a figure depends on: changed, it makes the figure stale."""

from __future__ import annotations

from zoo.registry import REPOSITORY
from zoo.runs import hash_file

SCORING = (
    *(f"carabin/scoring/{name}.py" for name in ("ner_scores", "ner_tally", "bootstrap", "reliability")),
    "carabin/tokens/tagging.py",
)
"""What every score is made with."""


def hash_sources(*modules: str) -> dict[str, str]:
    """Return the sha256 of what every score is made with, and of these modules of `evaluation`, by path."""
    names = (*(f"evaluation/{name}.py" for name in modules), *SCORING)
    return {name: hash_file(REPOSITORY / name) for name in names}
