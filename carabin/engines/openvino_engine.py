"""The OpenVINO engine: reads the same fp32 ONNX file, and is the fastest where the processor has AMX.

Where the processor can, OpenVINO computes in bfloat16 by its own choice: its scores are those of onnxruntime to two
decimals or so. Nothing is cached on disk. `import openvino` reports itself to Intel through the package
openvino-telemetry unless that cannot be imported: it is kept from it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.engines.engine import check_file, check_names, feed
from carabin.errors import ModelError

_TELEMETRY = ("openvino_telemetry", "openvino_telemetry.backend")


class OpenVinoEngine:
    """An ONNX encoder run by OpenVINO on CPU; each thread that calls it has a request of its own."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Check the file, then compile it.

        `n_outputs` is the number of tags it scores, None where the file leaves it open.

        Args:
            path: The fp32 `.onnx` file.
            threads: Calls at once, each on a core of its own; None for all cores.

        Raises:
            FileNotFoundError: there is no such file.
            ModelError: OpenVINO is not installed; or the file is damaged, reaches outside itself, or is not an encoder
                that tags tokens.
        """
        check_file(path)
        openvino = import_openvino()
        streams = threads or os.cpu_count() or 1
        # Pinned to cores, two processes on one machine would fight for the same ones.
        settings = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": streams, "ENABLE_CPU_PINNING": False}
        self.path = path
        try:
            core = openvino.Core()
            self.model = core.compile_model(core.read_model(path), "CPU", settings)
        except Exception as error:  # openvino raises bare RuntimeError
            cause = next(
                (line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "no reason given"
            )
            raise ModelError(f"{path}: OpenVINO cannot open it ({cause[:200]}); fetch the student again") from None
        self._inputs = [node.get_any_name() for node in self.model.inputs]
        check_names(path, self._inputs, [name for node in self.model.outputs for name in node.get_names()])
        width = self.model.output("logits").get_partial_shape()[-1]
        self.n_outputs = width.get_length() if width.is_static else None
        self._requests = threading.local()

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits of shape (batch, tokens, tags)."""
        request = getattr(self._requests, "own", None)
        if request is None:
            request = self._requests.own = self.model.create_infer_request()
        request.infer(feed(self._inputs, input_ids, attention_mask))
        # The request's next call writes over its tensor.
        return np.array(request.get_tensor("logits").data, dtype=np.float32)


def import_openvino() -> Any:  # noqa: ANN401 - a module that may not be installed
    """Return the module, imported without its telemetry. Raises ModelError: it is not installed."""
    with _without_telemetry():
        try:
            import openvino
        except ImportError as error:
            if "openvino" not in (error.name or ""):
                raise
            raise ModelError("engine 'openvino' is not installed: pip install 'carabin[openvino]'") from None
    return openvino


@contextmanager
def _without_telemetry() -> Iterator[None]:
    held = {name: sys.modules.get(name) for name in _TELEMETRY}
    # A module that is None cannot be imported: OpenVINO then takes its own stub, which sends nothing.
    sys.modules.update(dict.fromkeys(_TELEMETRY))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in held.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
