"""The code that a figure depends on: changed, it makes the figure stale."""

from __future__ import annotations

from zoo.registry import REPOSITORY
from zoo.runs import hash_file

SCORING = (
    *(f"carabin/scoring/{name}.py" for name in ("ner_scores", "ner_tally", "bootstrap", "reliability")),
    "carabin/tokens/tagging.py",
)
"""What every score is made with."""

WRITING = (
    "carabin/generation", "carabin/exercises", "zoo/conclusions.py", "zoo/drug_names.py", "zoo/oracle_quotes.py",
    "zoo/synthesis",
)  # fmt: skip
"""What a score of what was written is made with besides: how it is written, cut and held against its report."""


def hash_sources(*modules: str) -> dict[str, str]:
    """Return the sha256 of what every score is made with, and of these modules of `evaluation`, by path."""
    names = (*(f"evaluation/{name}.py" for name in modules), *SCORING)
    return {name: hash_file(REPOSITORY / name) for name in names}


def hash_writing_sources(*modules: str) -> dict[str, str]:
    """Return `hash_sources`, and the sha256 of what writing is scored with besides."""
    places = [REPOSITORY / place for place in WRITING]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*.*"))]
    files = [file for file in files if file.suffix in (".py", ".toml")]
    return {
        **hash_sources(*modules),
        **{file.relative_to(REPOSITORY).as_posix(): hash_file(file) for file in sorted(files)},
    }
