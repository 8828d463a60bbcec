"""Which nodes of a student's graphs suffer most from INT8: each quantised alone, and the logits compared."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.onnx_files import fp32_file
from export.quantise import Int8Options, quantisable_nodes, quantise

Probe = Callable[[Mapping[str, Path]], NDArray[np.float32]]
"""Runs a student's files, given by name, on texts that it holds, and returns the logits that are not padding's, one
after the other."""


def rank_by_sensitivity(
    student: Path, names: Sequence[str], probe: Probe, options: Int8Options | None = None
) -> list[tuple[str, float]]:
    """Return (node, error), most sensitive first.

    A node's error is the mean absolute difference of the logits when that node alone is quantised. A node that several
    files have under one name is one: the decoder with past is the decoder again, and gets what is decided for it.

    Args:
        student: Folder whose `onnx/` holds the fp32 files.
        names: The files, without suffixes; of files that share nodes, the first is measured.
        probe: Gives the logits.
        options: What would be quantised.
    """
    options = options or Int8Options()
    files = {name: fp32_file(student, name) for name in names}
    expected = probe(files)
    errors: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="carabin-int8-") as work:
        alone = Path(work) / "alone.onnx"
        for name, path in files.items():
            for node in quantisable_nodes(path, options):
                if node not in errors:
                    quantise(path, alone, options, only=[node])
                    errors[node] = float(np.abs(probe({**files, name: alone}) - expected).mean())
    return sorted(errors.items(), key=lambda item: (-item[1], item[0]))
