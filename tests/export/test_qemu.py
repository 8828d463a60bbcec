"""What would go wrong silently: an INT8 student that answers otherwise on a hospital's older desktop.

The native machine (VNNI, where CI has it) against an emulated Haswell: AVX2 without VNNI, where 8 x 8-bit products are
added in pairs in 16 bits. The emulation is Debian's package qemu-user, 7.2 or later (earlier ones lack AVX2).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from carabin import Annotator
from export.quantise import Int8Options, quantise
from export.tagger import folder_batches
from tests.export.trained_fixture import SENTENCES, annotated

pytest_plugins = ["tests.export.trained_fixture"]

TEXTS = [annotated(sentence).text for sentence in SENTENCES]
QEMU = shutil.which("qemu-x86_64")
PROGRAM = Path(__file__).with_name("run_onnx.py")


def run_models(emulator: list[str], inputs: Path, logits: Path, models: list[Path]) -> list[NDArray[np.float32]]:
    """Return the logits of each model, computed in a process of its own."""
    # A kernel chosen by hand for the native processor may not exist on the emulated one.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    command = [*emulator, sys.executable, str(PROGRAM), str(inputs), str(logits), *map(str, models)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    saved = np.load(logits)
    return [saved[str(number)] for number in range(len(models))]


@pytest.mark.slow
@pytest.mark.skipif(QEMU is None, reason="no qemu-x86_64: apt-get install qemu-user (CI does)")
def test_int8_answers_alike_with_and_without_vnni(trained_export: Path, tmp_path: Path) -> None:
    published, plain = trained_export / "onnx" / "model_quantized.onnx", tmp_path / "plain.onnx"
    quantise(trained_export / "onnx" / "model.onnx", plain, Int8Options(reduce_range=False))
    ((ids, mask),) = folder_batches(trained_export, TEXTS)
    assert sum(len(Annotator.load(trained_export)(text)) for text in TEXTS) > 3, "who finds nothing agrees on anything"
    np.savez(tmp_path / "inputs.npz", input_ids=ids, attention_mask=mask, token_type_ids=np.zeros_like(ids))

    models = [published, plain]
    native = run_models([], tmp_path / "inputs.npz", tmp_path / "native.npz", models)
    haswell = run_models([str(QEMU), "-cpu", "Haswell"], tmp_path / "inputs.npz", tmp_path / "haswell.npz", models)
    real = mask.astype(bool)
    difference, plain_difference = (
        float(np.abs(one - other)[real].max()) for one, other in zip(native, haswell, strict=True)
    )
    assert difference <= 1e-5
    assert (native[0].argmax(-1) == haswell[0].argmax(-1))[real].all()
    if "avx512_vnni" not in Path("/proc/cpuinfo").read_text() and "avx_vnni" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("the published INT8 agrees, but without VNNI here plain signed weights cannot be shown to differ")
    # What the published options protect from: were this to fail, the comparison above would prove nothing.
    assert plain_difference > 1e-3
