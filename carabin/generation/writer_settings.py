"""What a writing student's config.json says of how it is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from carabin.errors import ModelError

ConclusionForm = Literal["free", "quoted"]
"""In words of the student's own; in sentences and lines of the report (`carabin.generation.quoted_conclusion`)."""


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """The settings, each a key of the file."""

    max_written: int
    """Longest text it writes, in tokens."""
    passage_characters: int
    """Longest passage whose entities it writes at once."""
    exercise_characters: int
    """Longest window of a report that it writes exercises on."""
    labels: tuple[str, ...]
    """Of the entities it writes."""
    conclusion: ConclusionForm = "free"
    """How it concludes; students published before this was a choice write in words of their own."""

    @classmethod
    def of_config(cls, config: dict[str, Any], folder: Path) -> WriterSettings:
        """Return the settings. Raises ModelError: the student does not write, or its config says not how."""
        path = folder / "config.json"
        if not config.get("is_encoder_decoder"):
            raise ModelError(f"{path}: not a student that writes but one that tags; use it with 'carabin annotate'")
        names = ("max_written", "passage_characters", "exercise_characters")
        sizes = [config.get(name) for name in names]
        for name, size in zip(names, sizes, strict=True):
            if not isinstance(size, int) or size < 1:
                raise ModelError(f"{path}: '{name}' must be a positive number; fetch the student again")
        labels = config.get("entity_labels")
        if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
            raise ModelError(f"{path}: 'entity_labels' is not a list of labels; fetch the student again")
        conclusion = config.get("conclusion", "free")
        if conclusion not in get_args(ConclusionForm):
            # Written freely, what a student learned to quote would be made up.
            raise ModelError(
                f"{path}: 'conclusion' is {conclusion!r}, not {' or '.join(get_args(ConclusionForm))}; "
                "install a carabin that is as new as the student"
            )
        written, passage, window = cast("list[int]", sizes)
        return cls(written, passage, window, tuple(labels), conclusion)
