"""How long `import carabin` takes, each time in a new process of the hospital's environment."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path

from zoo.runs import RunError

IMPORTS = 9
_TIMED = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"


def import_seconds(python: Path, statement: str = "import carabin", times: int = IMPORTS) -> list[float]:
    """Return what each import took; one more went before, which found the files on the disk.

    Raises:
        RunError: it cannot be imported there.
    """
    seconds = []
    for _ in range(times + 1):
        command = [str(python), "-c", _TIMED.format(statement)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RunError(f"{python}: '{statement}' fails ({done.stderr.strip().splitlines()[-1]})")
        seconds.append(float(done.stdout))
    return seconds[1:]


def describe(python: Path) -> str:
    """Return what the import leaves for later."""
    later = statistics.median(import_seconds(python, "from carabin import Annotator"))
    return f"{later:.2f} s for 'from carabin import Annotator', which imports numpy and tokenizers"
