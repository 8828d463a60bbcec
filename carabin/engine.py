"""Engines: what turns token ids into logits. The hospital's is onnxruntime; the lab brings torch behind the same face."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """Anything that scores a padded batch."""

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits, shape (batch, tokens, tags), for inputs of shape (batch, tokens)."""
        ...


class OnnxEngine:
    """An ONNX encoder run by onnxruntime on CPU."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Load the model.

        Args:
            path: The `.onnx` file.
            threads: Threads inside one operator; None leaves it to onnxruntime (all cores).

        Raises:
            FileNotFoundError: there is no such file.
        """
        import onnxruntime

        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such ONNX file; export the student, or name its repository folder")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        self.path = path
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = {node.name for node in self.session.get_inputs()}

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits of shape (batch, tokens, tags)."""
        feed = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": np.zeros_like(input_ids)}
        (logits,) = self.session.run(["logits"], {name: feed[name] for name in self._inputs})
        return logits
