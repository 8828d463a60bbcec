"""What a family of students says of itself on its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from huggingface_hub import EvalResult

from zoo.registry import Student

Json = Mapping[str, Any]


@dataclass(frozen=True)
class CardFamily:
    """The parts of a card that differ from family to family."""

    template: str
    """File of `export/templates/`, which extends the common one."""
    pipeline_tag: str
    metrics: tuple[str, ...]
    """The Hub's names of them."""
    tags: Callable[[Student, Json], list[str]]
    """Given its metrics: Hub tags, between those of every student."""
    main_figure: Callable[[Json], Json | None]
    """Of a split's record: the figure to quote."""
    main_figure_name: str
    """What that figure is, in full: `exact-span micro F1, …`."""
    eval_results: Callable[[Json], list[EvalResult]]
    """Of the student's metrics: its results for `model-index`."""
    facts: Callable[[Student, Mapping[str, Json], Json], dict[str, Any]]
    """Of student, metrics by role and parity.json: the template's own variables; `failures` and `headline` among
    them."""
