"""The lab's engine: a torch checkpoint behind the same face as the hospital's ONNX file.

A checkpoint and the ONNX repository exported from it give the same `Annotator`, so a score measured on one can be set
beside a score measured on the other: same words, same windows, same decoding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from carabin.annotator import Annotator, ModelError, config_tags, load_reader, read_config

Which = Literal["auto", "torch", "onnx", "int8"]


class TorchEngine:
    """A token-classification model of transformers that scores padded batches."""

    def __init__(self, model: Any, device: str | torch.device | None = None, bf16: bool = False) -> None:  # noqa: ANN401
        """Wrap a model; it stays the caller's, so that a training loop can score the weights it is changing.

        Args:
            model: Anything that returns `.logits` of shape (batch, tokens, tags) for `input_ids`, `attention_mask`.
            device: Where to run; None leaves the model where it is.
            bf16: Run the matrix products in bfloat16 (autocast). Never for a figure that is reported.
        """
        self.model = model if device is None else model.to(device)
        self.bf16 = bf16

    @classmethod
    def load(cls, folder: Path | str, device: str | torch.device | None = None, bf16: bool = False) -> TorchEngine:
        """Return the engine of a checkpoint folder, read from disk only.

        Raises:
            ModelError: the weights or the configuration are missing or damaged.
        """
        # transformers takes seconds to import: who scores an ONNX file does not wait for it.
        from safetensors import SafetensorError
        from transformers import AutoModelForTokenClassification
        from transformers.utils import logging

        folder = Path(folder)
        read_config(folder)
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise ModelError(f"{weights}: no such file; train the student, or name the folder of its checkpoint")
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            model = AutoModelForTokenClassification.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            cause = str(error).partition("\n")[0]
            raise ModelError(f"{weights}: not a token-classification checkpoint ({cause}); write it again") from error
        finally:
            if bars:
                logging.enable_progress_bar()
        return cls(model, device, bf16)

    @property
    def parameters(self) -> int:
        """Number of weights, shared ones counted once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits, float32, shape (batch, tokens, tags), for inputs of shape (batch, tokens).

        Dropout is off during the call; the model is then put back in the mode (training or not) it was found in.
        """
        device = next(self.model.parameters()).device
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bf16):
                logits = self.model(
                    input_ids=torch.from_numpy(np.ascontiguousarray(input_ids)).to(device),
                    attention_mask=torch.from_numpy(np.ascontiguousarray(attention_mask)).to(device),
                ).logits
            return logits.float().cpu().numpy()
        finally:
            self.model.train(was_training)


def resolve_which(folder: Path, which: Which = "auto") -> Literal["torch", "onnx", "int8"]:
    """Return the engine that `load_annotator` would take for a folder.

    `auto` takes what a hospital would run: the INT8 file where the quality gate let it be published, else the fp32 ONNX
    file, else, in a folder that was not exported, the checkpoint.

    Raises:
        ModelError: the folder holds no file for that engine; lists those it has.
    """
    files = {
        "int8": folder / "onnx" / "model_quantized.onnx",
        "onnx": folder / "onnx" / "model.onnx",
        "torch": folder / "model.safetensors",
    }
    if which not in ("auto", *files):
        raise ModelError(f"which = '{which}' is not one of auto, torch, onnx, int8")
    for name in files if which == "auto" else (which,):
        if files[name].is_file():
            return name  # type: ignore[return-value]
    present = ", ".join(name for name, path in files.items() if path.is_file()) or "none of them"
    wanted = "model.safetensors, onnx/model.onnx" if which == "auto" else str(files[which].relative_to(folder))
    raise ModelError(f"{folder}: holds no {wanted} for which = '{which}'; it has {present}: train or export it first")


def model_file(folder: Path, which: Which = "auto") -> Path:
    """Return the file that holds the weights `which` reads: what a score's hash must name."""
    names = {"torch": "model.safetensors", "onnx": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}
    return folder / names[resolve_which(folder, which)]


def load_annotator(
    folder: Path | str,
    which: Which = "auto",
    threads: int | None = None,
    device: str | torch.device | None = None,
) -> Annotator:
    """Return the same annotator over a checkpoint or over an ONNX repository.

    Args:
        folder: A checkpoint (`model.safetensors`), a published repository (`onnx/`), or both in one.
        which: `torch`, `onnx` (fp32), `int8`, or `auto` (see `resolve_which`).
        threads: Threads of onnxruntime; torch keeps its own setting (`torch.set_num_threads`).
        device: Where torch runs; None is the CPU. An ONNX file always runs there.

    Raises:
        ModelError: a file is missing or is not what it should be.
    """
    folder = Path(folder)
    chosen = resolve_which(folder, which)
    if chosen != "torch":
        return Annotator.load(folder, quantized=chosen == "int8", threads=threads)
    config = read_config(folder)
    try:
        reader = load_reader(folder)
    except (FileNotFoundError, KeyError, json.JSONDecodeError) as error:
        raise ModelError(f"{folder / 'tokenizer_config.json'}: unreadable or without 'model_max_length'") from error
    return Annotator(reader, config_tags(config, folder), TorchEngine.load(folder, device), folder.name)
