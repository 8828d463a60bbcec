"""Positions in a text, in the unit that the asker's language counts in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, get_args

Unit = Literal["codepoints", "utf16", "bytes"]
UNITS: tuple[Unit, ...] = get_args(Unit)

_WIDTHS: dict[Unit, Callable[[str], int]] = {
    "codepoints": len,
    "utf16": lambda text: len(text.encode("utf-16-le")) // 2,
    "bytes": lambda text: len(text.encode("utf-8")),
}


def positions_in(text: str, positions: Iterable[int], unit: Unit) -> dict[int, int]:
    """Return, for each position in code points, the same place in another unit.

    Args:
        text: Without lone surrogates.
        positions: In any order, from 0 to the text's length.
        unit: `utf16` counts as JavaScript, Java and C# do; `bytes` counts those of UTF-8.
    """
    width = _WIDTHS[unit]
    converted: dict[int, int] = {}
    at = units = 0
    for position in sorted(set(positions)):
        units += width(text[at:position])
        converted[position] = units
        at = position
    return converted
