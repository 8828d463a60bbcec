"""What would go wrong silently: an INT8 student that answers otherwise on a hospital's older desktop.

The native machine (VNNI, where CI has it) against an emulated one without: see `tests/export/emulated.py`.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from carabin import Annotator
from carabin.generation.decoding import Limits, generate
from carabin.generation.onnx_seq2seq import OnnxSeq2Seq
from carabin.generation.tasks import CONCLUSION
from export.onnx_files import SEQ2SEQ, fp32_file, int8_file
from export.parity_seq2seq import frame, pad_batches
from export.quantise import Int8Options, quantise
from export.seq2seq import encode, read_tokenizer
from export.tagger import folder_batches
from tests.export.emulated import HASWELL, NATIVE, has_vnni, largest_difference, needs_qemu, run_program
from tests.export.t5_checkpoint_fixture import LONGEST, PAIRS
from tests.export.trained_fixture import SENTENCES, annotated

pytest_plugins = ["tests.export.trained_fixture", "tests.export.t5_checkpoint_fixture"]

TEXTS = [annotated(sentence).text for sentence in SENTENCES]


def check_protected(published: float, plain: float, tolerance: float) -> None:
    """Assert that the published INT8 is alike on both machines, and that the options it is published with matter."""
    assert published <= tolerance
    if not has_vnni():
        pytest.skip("the published INT8 agrees, but without VNNI here plain signed weights cannot be shown to differ")
    # What the published options protect from: were this to fail, the comparison above would prove nothing.
    assert plain > 1e-3


@pytest.mark.slow
@needs_qemu
def test_int8_answers_alike_with_and_without_vnni(trained_export: Path, tmp_path: Path) -> None:
    models = [trained_export / "onnx" / "model_quantized.onnx", tmp_path / "plain.onnx"]
    quantise(trained_export / "onnx" / "model.onnx", models[1], Int8Options(reduce_range=False))
    ((ids, mask),) = folder_batches(trained_export, TEXTS)
    assert sum(len(Annotator.load(trained_export)(text)) for text in TEXTS) > 3, "who finds nothing agrees on anything"
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, input_ids=ids, attention_mask=mask, token_type_ids=np.zeros_like(ids))

    native = run_program(NATIVE, "run_onnx.py", tmp_path / "native.npz", inputs, *models)
    haswell = run_program(HASWELL, "run_onnx.py", tmp_path / "haswell.npz", inputs, *models)
    real = mask.astype(bool)
    assert (native["0"].argmax(-1) == haswell["0"].argmax(-1))[real].all()
    published, plain = (largest_difference(native[name][real], haswell[name][real]) for name in ("0", "1"))
    check_protected(published, plain, 1e-5)


@pytest.mark.slow
@needs_qemu
def test_int8_writes_alike_with_and_without_vnni(t5_exported: Path, tmp_path: Path) -> None:
    """A difference that no single answer shows adds up in what a decoder remembers of its own text."""
    students = [Path(shutil.copytree(t5_exported, tmp_path / name)) for name in ("published", "plain")]
    for student, reduced in zip(students, (True, False), strict=True):
        for name in SEQ2SEQ:
            quantise(fp32_file(student, name), int8_file(student, name), Int8Options(reduce_range=reduced))
    tokenizer, special, window = read_tokenizer(t5_exported)
    (batch,) = pad_batches([encode(tokenizer, CONCLUSION + body, window) for body, _ in PAIRS], special.pad)
    read = OnnxSeq2Seq(t5_exported / "onnx").read(*batch)
    learned = [text.tokens for text in generate(read, np.arange(len(PAIRS)), (), Limits(LONGEST), special)]
    assert {tokenizer.decode(text) for text in learned} == {conclusion for _, conclusion in PAIRS}
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, input_ids=batch[0], attention_mask=batch[1], fed=frame(learned, special))

    native = run_program(NATIVE, "run_writer.py", tmp_path / "native.npz", inputs, *students)
    haswell = run_program(HASWELL, "run_writer.py", tmp_path / "haswell.npz", inputs, *students)
    assert np.array_equal(native["0/texts"], haswell["0/texts"])
    assert native["0/texts"].shape[1] > 10, "who writes nothing agrees on anything"
    published, plain = (largest_difference(native[name], haswell[name]) for name in ("0/logits", "1/logits"))
    check_protected(published, plain, 1e-4)
