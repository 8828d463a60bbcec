"""Rows that a training reads at random: written once to a folder, then memory-mapped."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datasets import Dataset, Features

from zoo.runs import fingerprint


def write_rows(rows: Iterable[dict[str, Any]], features: Features, folder: Path) -> Dataset:
    """Write a stream of rows to a folder and return them, memory-mapped.

    Args:
        rows: Read once, a thousand at a time.
        features: Their columns.
        folder: Replaced if it exists.
    """
    scratch = folder.with_name(f"{folder.name}.building")
    for leftover in (folder, scratch):
        shutil.rmtree(leftover, ignore_errors=True)
    # datasets would hash the closure to name its cache; the folder is the name, and the cache goes at the end.
    built = Dataset.from_generator(
        lambda: iter(rows), features=features, cache_dir=str(scratch), fingerprint=fingerprint(folder)[:16]
    )
    built.save_to_disk(str(folder))
    shutil.rmtree(scratch)
    return Dataset.load_from_disk(str(folder))
