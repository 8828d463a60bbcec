"""The lab's encoder-decoder: a T5 checkpoint behind the same face as the hospital's ONNX files.

A checkpoint and the repository exported from it give the same `Writer`, so a score measured on one can be set beside a
score measured on the other: same windows, same constraints, same search.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from carabin.errors import ModelError
from carabin.student_folder import read_config
from zoo.checkpoints import Which, resolve_which

if TYPE_CHECKING:
    from carabin.generation.writer import Writer


class TorchSeq2Seq:
    """An encoder-decoder of transformers with a KV cache."""

    def __init__(self, model: Any, device: str | torch.device | None = None) -> None:  # noqa: ANN401
        """Wrap a model; it stays the caller's, so that a training loop can write with the weights it is changing.

        Args:
            model: A `T5ForConditionalGeneration`, or what takes and returns the same.
            device: Where to run; None leaves the model where it is.
        """
        self.model = model if device is None else model.to(device)

    @classmethod
    def load(cls, folder: Path | str, device: str | torch.device | None = None) -> TorchSeq2Seq:
        """Return the engine of a checkpoint folder, read from disk only.

        Raises:
            ModelError: the weights or the configuration are missing, damaged, or not an encoder-decoder's.
        """
        # transformers takes seconds to import: who writes with ONNX files does not wait for it.
        from safetensors import SafetensorError
        from transformers import T5ForConditionalGeneration
        from transformers.utils import logging

        folder = Path(folder)
        if read_config(folder).get("model_type") != "t5":
            raise ModelError(
                f"{folder / 'config.json'}: 'model_type' is not t5; name the folder of a student that writes"
            )
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise ModelError(f"{weights}: no such file; train the student, or name the folder of its checkpoint")
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            loaded: Any = T5ForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            cause = str(error).partition("\n")[0]
            raise ModelError(f"{weights}: not a T5 checkpoint ({cause}); write it again") from error
        finally:
            if bars:
                logging.enable_progress_bar()
        model, report = loaded
        if missing := sorted(report["missing_keys"]):
            # transformers would go on with random numbers in their place.
            raise ModelError(f"{weights}: holds no '{missing[0]}' ({len(missing)} weights missing); write it again")
        return cls(model.eval(), device)

    @property
    def parameters(self) -> int:
        """Number of weights, shared ones counted once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def read(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> TorchSources:
        """Encode a padded batch of sources, shape (batch, tokens)."""
        device = next(self.model.parameters()).device
        mask = torch.from_numpy(np.ascontiguousarray(attention_mask)).to(device)
        ids = torch.from_numpy(np.ascontiguousarray(input_ids)).to(device)
        with _inference(self.model):
            encoder = self.model.get_encoder()
            hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return TorchSources(self.model, hidden, mask)


class TorchSources:
    """A batch of sources that were read once."""

    def __init__(self, model: Any, hidden: torch.Tensor, mask: torch.Tensor) -> None:  # noqa: ANN401
        """Hold the encoder's last states, shape (batch, tokens, width), and the mask of its padding."""
        self.model, self.hidden, self.mask = model, hidden, mask

    def write(self, sources: NDArray[np.int64]) -> TorchWritten:
        """Return texts not begun yet, one for each source named."""
        rows = torch.from_numpy(np.asarray(sources, np.int64)).to(self.hidden.device)
        return TorchWritten(self.model, self.hidden[rows], self.mask[rows], None)


class TorchWritten:
    """The texts being written, one a row, with their EncoderDecoderCache."""

    def __init__(self, model: Any, hidden: torch.Tensor, mask: torch.Tensor, cache: Any) -> None:  # noqa: ANN401
        """Hold each row's source and the cache of what the rows have written, None before the first step."""
        self.model, self.hidden, self.mask, self.cache = model, hidden, mask, cache

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Add tokens, shape (rows, n), and return the logits of what may follow, shape (rows, vocabulary)."""
        from transformers.modeling_outputs import BaseModelOutput

        with _inference(self.model):
            answer = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=self.hidden),
                attention_mask=self.mask,
                decoder_input_ids=torch.from_numpy(np.ascontiguousarray(tokens)).to(self.hidden.device),
                past_key_values=self.cache,
                use_cache=True,
            )
        self.cache = answer.past_key_values
        return answer.logits[:, -1].float().cpu().numpy()

    def keep(self, rows: NDArray[np.int64]) -> TorchWritten:
        """Return these rows, in this order, each as often as named."""
        chosen = torch.from_numpy(np.asarray(rows, np.int64)).to(self.hidden.device)
        cache = None if self.cache is None else _select(self.cache, chosen)
        return TorchWritten(self.model, self.hidden[chosen], self.mask[chosen], cache)


def _select(cache: Any, rows: torch.Tensor) -> Any:  # noqa: ANN401 - EncoderDecoderCache, imported late
    """Return a new cache of these rows; transformers' own method would change the one it is called on."""
    from transformers import DynamicCache, EncoderDecoderCache

    halves = cache.self_attention_cache, cache.cross_attention_cache
    kept = [DynamicCache([(layer.keys[rows], layer.values[rows]) for layer in half.layers]) for half in halves]
    return EncoderDecoderCache(*kept)


def load_writer(
    folder: Path | str,
    which: Which = "auto",
    threads: int | None = None,
    device: str | torch.device | None = None,
) -> Writer:
    """Return the same writer over a checkpoint or over an ONNX repository.

    Args:
        folder: A checkpoint (`model.safetensors`), a published repository (`onnx/`), or both in one.
        which: `torch`, `onnx` (fp32), `int8`, or `auto` (see `zoo.checkpoints.resolve_which`).
        threads: Threads of onnxruntime; torch keeps its own setting (`torch.set_num_threads`).
        device: Where torch runs; None is the CPU. ONNX files always run there.

    Raises:
        ModelError: a file is missing or is not what it should be.
    """
    from carabin.generation.writer import Writer

    folder = Path(folder)
    chosen = resolve_which(folder, which)
    if chosen != "torch":
        return Writer.load(folder, quantized=chosen == "int8", threads=threads)
    return Writer.over(TorchSeq2Seq.load(folder, device), folder)


@contextmanager
def _inference(model: Any) -> Iterator[None]:  # noqa: ANN401
    """Switch dropout and gradients off; the model is then put back in the mode (training or not) it was found in."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)
