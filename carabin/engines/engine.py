"""Engines: what turns token ids into logits.

The hospital's are onnxruntime (here) and OpenVINO (`openvino_engine`); the lab brings torch behind the same face.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from carabin.errors import ModelError
from carabin.trust.onnx_safety import UnsafeModelError, check_onnx

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class Engine(Protocol):
    """Anything that scores a padded batch; several threads may call it at once where the annotator has `workers`."""

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
            threads: Threads inside one operator; None leaves it to onnxruntime (all cores). With 1, a call runs in the
                thread that makes it, so several calls at once are several cores at work.

        Raises:
            FileNotFoundError: there is no such file.
            ModelError: it is damaged, reaches outside itself, or is not an encoder that tags tokens.
        """
        self.path = path
        self.session = open_session(path, threads)
        self._inputs = [node.name for node in self.session.get_inputs()]
        outputs = {node.name: node.shape for node in self.session.get_outputs()}
        check_names(path, self._inputs, outputs)
        width = outputs["logits"][-1] if outputs["logits"] else None
        self.n_outputs = width if isinstance(width, int) else None

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits of shape (batch, tokens, tags)."""
        (logits,) = self.session.run(["logits"], feed(self._inputs, input_ids, attention_mask))
        return logits


def open_session(path: Path, threads: int | None = None, in_turn: bool = False) -> InferenceSession:
    """Check an ONNX file, then open it on CPU.

    Args:
        path: The file.
        threads: Threads inside one operator; None leaves it to onnxruntime.
        in_turn: It takes turns with other sessions, on shapes that are new each time: its threads do not wait for more,
            spinning, on the cores that the next session needs, and where it put what is not remembered for each shape.

    Raises:
        FileNotFoundError: there is no such file.
        ModelError: it is damaged or reaches outside itself.
    """
    import onnxruntime

    check_file(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if in_turn:
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base class
        cause = str(error).splitlines()[0][:200]
        raise ModelError(f"{path}: onnxruntime cannot open it ({cause}); fetch the student again") from None


def check_file(path: Path) -> None:
    """Raise FileNotFoundError or ModelError unless the file is a whole ONNX model that needs nothing but itself."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such ONNX file; export the student, or name its repository folder")
    try:
        check_onnx(path)
    except UnsafeModelError as error:
        raise ModelError(f"{path}: {error}; fetch the student again") from None


def check_names(path: Path, inputs: Collection[str], outputs: Collection[str]) -> None:
    """Raise ModelError unless the model takes what a student's encoder takes, and gives logits."""
    if "logits" not in outputs or not {"input_ids"} <= set(inputs) <= _INPUTS:
        raise ModelError(
            f"{path}: takes {', '.join(inputs)} and gives {', '.join(outputs)}; a student's encoder takes "
            "input_ids (attention_mask, token_type_ids) and gives logits"
        )


def feed(
    names: Collection[str], input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Return the inputs of these names."""
    given = {"input_ids": input_ids, "attention_mask": attention_mask}
    if "token_type_ids" in names:
        given["token_type_ids"] = np.zeros_like(input_ids)
    return {name: given[name] for name in names}
