"""Are the ONNX files the checkpoint? What every family's comparison of torch with onnxruntime must say.

Everything after this point (scores, INT8, what hospitals run) rests on the exported files being the model that was
trained, so a difference above the tolerance stops the export.
"""

from __future__ import annotations

from typing import Any, Protocol

TOLERANCE = 1e-3
"""Largest difference of a logit, absolute. fp32 kernels that add in another order differ by about 1e-5 here; a wrong
axis, a lost mask or a half-precision constant differ by more than 1e-1."""


class Parity(Protocol):
    """How far the ONNX files are from the checkpoint, on real texts."""

    @property
    def passed(self) -> bool:
        """Same logits within the tolerance, and the same answers."""
        ...

    def describe(self) -> str:
        """Return the figures, for the message of an export that stops."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the `torch_vs_onnx` part of parity.json; `export.push_checks` reads its figures again."""
        ...
