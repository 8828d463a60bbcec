"""The hospital's encoder-decoder: three ONNX files of one student, run by onnxruntime on CPU.

    encoder_model[_quantized].onnx             reads the sources, once
    decoder_model[_quantized].onnx             takes the first tokens: as many as a text begins with
    decoder_with_past_model[_quantized].onnx   takes each further one, and the keys and values of all before

under the names that optimum gives files, inputs and outputs. What the decoder remembers never passes through Python:
outputs of one step are bound as inputs of the next, and the sources' keys and values are bound once for all of them.
Rows are copied only when some leave or branch. So memory is what the graph itself holds: for each text, two vectors a
layer for each token of its source and for each token written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carabin.engines.engine import open_session
from carabin.errors import ModelError
from carabin.student_folder import check_listed

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue

    Values = Mapping[str, OrtValue]

ENCODER, DECODER, DECODER_WITH_PAST = "encoder_model", "decoder_model", "decoder_with_past_model"
FILES = (ENCODER, DECODER, DECODER_WITH_PAST)
_SIDES = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")


def seq2seq_files(quantized: bool) -> tuple[str, str, str]:
    """Return the names of the three files, below a student's `onnx/`."""
    encoder, decoder, with_past = (f"{name}{'_quantized' if quantized else ''}.onnx" for name in FILES)
    return encoder, decoder, with_past


class OnnxSeq2Seq:
    """An encoder-decoder of three ONNX files."""

    def __init__(self, folder: Path, quantized: bool = False, threads: int | None = None) -> None:
        """Check the files, then load them.

        `vocabulary` is the number of tokens it scores, None where the file leaves it open.

        Args:
            folder: A student's `onnx/`.
            quantized: Take the INT8 files.
            threads: Threads inside one operator; None leaves it to onnxruntime (all cores).

        Raises:
            ModelError: a file is missing, damaged, not the one listed in the manifest, reaches outside itself, or is
                not what its name says.
        """
        paths = [folder / name for name in seq2seq_files(quantized)]
        for path in paths:
            if not path.is_file():
                raise ModelError(f"{path}: no such ONNX file; export the student, or name its repository folder")
            check_listed(folder.parent, f"{folder.name}/{path.name}")
        self.encoder, self.first, self.next = (open_session(path, threads, in_turn=True) for path in paths)
        self.layers = _count_layers(self.first)
        _check_names(paths[0], self.encoder, {"input_ids", "attention_mask"}, {"last_hidden_state"})
        source = {"input_ids", "encoder_attention_mask"}
        present, past = self._names("present"), self._names("past_key_values")
        _check_names(paths[1], self.first, {*source, "encoder_hidden_states"}, {"logits", *present})
        written = {name for name in present if ".decoder." in name}
        _check_names(paths[2], self.next, {*source, *past}, {"logits", *written})
        width = next(node.shape[-1] for node in self.first.get_outputs() if node.name == "logits")
        self.vocabulary = width if isinstance(width, int) else None

    def read(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> OnnxSources:
        """Encode a padded batch of sources, shape (batch, tokens)."""
        mask = _to_value(attention_mask)
        fed = {"input_ids": _to_value(input_ids), "attention_mask": mask}
        hidden = _run(self.encoder, self.encoder.io_binding(), fed)["last_hidden_state"]
        return OnnxSources(self, hidden, mask)

    def _names(self, kind: str) -> list[str]:
        return [f"{kind}.{layer}.{side}" for layer in range(self.layers) for side in _SIDES]


class OnnxSources:
    """A batch of sources that were read once."""

    def __init__(self, engine: OnnxSeq2Seq, hidden: OrtValue, mask: OrtValue) -> None:
        """Hold the encoder's last states, shape (batch, tokens, width), and the mask of its padding."""
        self.engine, self.hidden, self.mask = engine, hidden, mask

    def write(self, sources: NDArray[np.int64]) -> OnnxWritten:
        """Return texts not begun yet, one for each source named."""
        rows = np.asarray(sources, np.int64)
        fed = {"encoder_hidden_states": self.hidden, "encoder_attention_mask": self.mask}
        if not np.array_equal(rows, np.arange(self.mask.shape()[0])):
            fed = _select(fed, rows)
        return OnnxWritten(self.engine, rows, fed, {})


class OnnxWritten:
    """The texts being written, one a row, with what the decoder remembers of them."""

    def __init__(self, engine: OnnxSeq2Seq, sources: NDArray[np.int64], fixed: Values, past: Values) -> None:
        """Hold values by the names of the inputs they are bound to.

        Args:
            engine: Whose decoder it is.
            sources: The source of each row.
            fixed: What a step finds again at the next: the sources' mask, and before the first step their states, after
                it their keys and values.
            past: Keys and values of the tokens written; empty before the first step.
        """
        self.engine, self.sources, self.fixed, self.past = engine, sources, fixed, past
        self._binding: Any = None

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Add tokens, shape (rows, n), and return the logits of what may follow, shape (rows, vocabulary)."""
        if not self.past:
            return self._begin(tokens)
        # A decoder with past is traced for one token: with several, the first would see those after it.
        for place in range(tokens.shape[1]):
            logits = self._go_on(tokens[:, place : place + 1])
        return logits

    def keep(self, rows: NDArray[np.int64]) -> OnnxWritten:
        """Return these rows, in this order, each as often as named."""
        sources = self.sources[rows]
        # Beams change places within their text: their source stays what it is.
        fixed = self.fixed if np.array_equal(sources, self.sources) else _select(self.fixed, rows)
        return OnnxWritten(self.engine, sources, fixed, _select(self.past, rows))

    def _begin(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        session = self.engine.first
        given = _run(session, session.io_binding(), {"input_ids": _to_value(tokens), **self.fixed})
        logits = given.pop("logits").numpy()[:, -1]
        values = {name.replace("present", "past_key_values"): value for name, value in given.items()}
        self.past = {name: value for name, value in values.items() if ".decoder." in name}
        mask = "encoder_attention_mask"
        self.fixed = {mask: self.fixed[mask], **{name: value for name, value in values.items() if ".encoder." in name}}
        return logits

    def _go_on(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        session = self.engine.next
        fed = {"input_ids": _to_value(tokens), **self.past}
        if self._binding is None:
            self._binding = session.io_binding()
            fed |= self.fixed
        given = _run(session, self._binding, fed)
        logits = given.pop("logits").numpy()[:, -1]
        self.past = {name.replace("present", "past_key_values"): value for name, value in given.items()}
        return logits


def _run(session: InferenceSession, binding: Any, fed: Values) -> dict[str, OrtValue]:  # noqa: ANN401 - IOBinding
    """Bind inputs, let onnxruntime place the outputs, run, and return these by name."""
    names = [node.name for node in session.get_outputs()]
    for name, value in fed.items():
        binding.bind_ortvalue_input(name, value)
    for name in names:
        binding.bind_output(name)
    session.run_with_iobinding(binding)
    return dict(zip(names, binding.get_outputs(), strict=True))


def _select(values: Values, rows: NDArray[np.int64]) -> dict[str, OrtValue]:
    return {name: _to_value(value.numpy()[rows]) for name, value in values.items()}


def _to_value(array: NDArray[Any]) -> OrtValue:
    """Return onnxruntime's view of an array, which it keeps alive."""
    from onnxruntime import OrtValue

    return OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def _count_layers(session: InferenceSession) -> int:
    return sum(node.name.endswith(".decoder.key") for node in session.get_outputs())


def _check_names(path: Path, session: InferenceSession, inputs: Collection[str], outputs: Collection[str]) -> None:
    """Raise ModelError unless a file takes and gives what its name says; both decoders must have as many layers."""
    for does, wanted, nodes in (("takes", inputs, session.get_inputs()), ("gives", outputs, session.get_outputs())):
        found = {node.name for node in nodes}
        if wrong := sorted(found ^ set(wanted)):
            verb = "does not give" if does == "gives" else "does not take"
            said = f"{does} '{wrong[0]}'" if wrong[0] in found else f"{verb} '{wrong[0]}'"
            raise ModelError(f"{path}: {said}: not a file of this name as optimum writes it; export the student again")
