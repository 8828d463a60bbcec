"""Engines: what turns token ids into logits.

The hospital's is onnxruntime; the lab brings torch behind the same face.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from carabin.onnx_safety import UnsafeModelError, check_onnx
from carabin.student_folder import ModelError

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class Engine(Protocol):
    """Anything that scores a padded batch."""

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits, shape (batch, tokens, tags), for inputs of shape (batch, tokens)."""
        ...


class OnnxEngine:
    """An ONNX encoder run by onnxruntime on CPU."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Check the file, then load it.

        `n_outputs` is the number of tags it scores, None where the file leaves it open.

        Args:
            path: The `.onnx` file.
            threads: Threads inside one operator; None leaves it to onnxruntime (all cores).

        Raises:
            FileNotFoundError: there is no such file.
            ModelError: it is damaged, reaches outside itself, or is not an encoder that tags tokens.
        """
        import onnxruntime

        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such ONNX file; export the student, or name its repository folder")
        try:
            check_onnx(path)
        except UnsafeModelError as error:
            raise ModelError(f"{path}: {error}; fetch the student again") from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        self.path = path
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no public base class
            cause = str(error).splitlines()[0][:200]
            raise ModelError(f"{path}: onnxruntime cannot open it ({cause}); fetch the student again") from None
        self._inputs = [node.name for node in self.session.get_inputs()]
        outputs = {node.name: node.shape for node in self.session.get_outputs()}
        if "logits" not in outputs or not {"input_ids"} <= set(self._inputs) <= _INPUTS:
            raise ModelError(
                f"{path}: takes {', '.join(self._inputs)} and gives {', '.join(outputs)}; a student's encoder takes "
                "input_ids (attention_mask, token_type_ids) and gives logits"
            )
        width = outputs["logits"][-1] if outputs["logits"] else None
        self.n_outputs = width if isinstance(width, int) else None

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits of shape (batch, tokens, tags)."""
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(input_ids)
        (logits,) = self.session.run(["logits"], {name: feed[name] for name in self._inputs})
        return logits
