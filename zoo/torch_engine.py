"""The lab's engine: a torch checkpoint behind the same face as the hospital's ONNX file.

A checkpoint and the ONNX repository exported from it give the same `Annotator`, so a score measured on one can be set
beside a score measured on the other: same words, same windows, same decoding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carabin.annotator import Annotator, ModelError, config_tags, load_reader, read_config, softmax
from carabin.engines.engine import Engine
from zoo.checkpoints import ENSEMBLE, Which, read_ensemble, resolve_which


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


class EnsembleEngine:
    """Several models that answer as one: the mean of their distributions (Hinton et al., 2015, section 5)."""

    def __init__(self, members: list[TorchEngine]) -> None:
        """Hold the members; they read the same tokens and score the same tags."""
        self.members = members

    @property
    def parameters(self) -> int:
        """Number of weights of all members."""
        return sum(member.parameters for member in self.members)

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the logarithm of the mean distribution, float32, shape (batch, tokens, tags): logits like any."""
        mean = np.mean([softmax(member(input_ids, attention_mask)) for member in self.members], axis=0)
        return np.log(np.maximum(mean, np.finfo(np.float32).tiny))


def load_engine(folder: Path, device: str | torch.device | None = None) -> tuple[Engine, Path]:
    """Return the torch engine of a checkpoint or of an ensemble, and the folder of its configuration and tokenizer."""
    if not (folder / ENSEMBLE).is_file():
        return TorchEngine.load(folder, device), folder
    members = read_ensemble(folder)
    return EnsembleEngine([TorchEngine.load(member, device) for member in members]), members[0]


def load_annotator(
    folder: Path | str,
    which: Which = "auto",
    threads: int | None = None,
    device: str | torch.device | None = None,
) -> Annotator:
    """Return the same annotator over a checkpoint or over an ONNX repository.

    Args:
        folder: A checkpoint (`model.safetensors`), an ensemble of them (`ensemble.json`), a published repository
            (`onnx/`), or a checkpoint and a repository in one.
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
    engine, described = load_engine(folder, device)
    config = read_config(described)
    try:
        reader = load_reader(described)
    except (FileNotFoundError, KeyError, json.JSONDecodeError) as error:
        raise ModelError(f"{described / 'tokenizer_config.json'}: unreadable or without 'model_max_length'") from error
    return Annotator(reader, config_tags(config, described), engine, folder.name)
