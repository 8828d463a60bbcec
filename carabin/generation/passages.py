"""Passages: lines of a text that are read together, where what is written follows the text closely."""

from __future__ import annotations


def cut_passages(text: str, longest: int) -> list[tuple[int, int]]:
    """Return (start, end) of lines in a row, as many as fit; a longer line stands alone, blank ones are in none.

    Args:
        text: A report.
        longest: Characters.
    """
    passages: list[tuple[int, int]] = []
    start = end = place = 0
    for line in text.splitlines(keepends=True):
        stop = place + len(line.rstrip())
        if line.strip():
            if end > start and stop - start > longest:
                passages.append((start, end))
                start = place
            elif end == start:
                start = place
            end = stop
        place += len(line)
    return [*passages, (start, end)] if end > start else passages
