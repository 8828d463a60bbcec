"""Run a program natively, and on an emulated Haswell.

That is AVX2 without VNNI, where 8 x 8-bit products are added in pairs in 16 bits. The emulation is Debian's package
qemu-user, 7.2 or later (earlier ones lack AVX2).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

QEMU = shutil.which("qemu-x86_64")
NATIVE, HASWELL = (), (str(QEMU), "-cpu", "Haswell")
HERE = Path(__file__).parent

needs_qemu = pytest.mark.skipif(QEMU is None, reason="no qemu-x86_64: apt-get install qemu-user (CI does)")


def has_vnni() -> bool:
    """Tell whether this machine adds 8-bit products in 32 bits, as a Haswell does not."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return "avx512_vnni" in flags or "avx_vnni" in flags


def run_program(emulator: tuple[str, ...], program: str, out: Path, inputs: Path, *models: Path) -> dict[str, Any]:
    """Return the arrays that a program of this folder saves, run in a process of its own."""
    # A kernel chosen by hand for the native processor may not exist on the emulated one.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}
    command = [*emulator, sys.executable, str(HERE / program), str(inputs), str(out), *map(str, models)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    return dict(np.load(out))


def largest_difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return it, absolute."""
    return float(np.abs(one - other).max())
