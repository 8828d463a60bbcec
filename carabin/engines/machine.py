"""What this machine is, and what a process has cost on it; nothing but the standard library."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

CACHE_VARIABLE = "CARABIN_CACHE"
"""Names the folder of what can be measured or made again at any time."""


def cpu_name() -> str:
    """Return the processor's name as the system knows it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def has_amx() -> bool | None:
    """Return whether the processor has AMX, Intel's matrix unit; None where the system does not say."""
    info = Path("/proc/cpuinfo")
    return " amx_tile" in info.read_text(encoding="utf-8", errors="replace") if info.is_file() else None


def usable_cores() -> int:
    """Return the cores this process may run on: a container or a batch system may give fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_folder() -> Path:
    """Return the folder of what Carabin remembers of this machine; it need not exist."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "carabin" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "carabin"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "carabin"


def peak_memory() -> int:
    """Return this process's peak resident set size in bytes.

    Read from /proc where there is one: `ru_maxrss` survives exec, so there it may be the parent's peak.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    if sys.platform == "win32":
        return _peak_on_windows()
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _peak_on_windows() -> int:
    import ctypes

    # PROCESS_MEMORY_COUNTERS: two DWORDs, then eight SIZE_Ts of which the first is PeakWorkingSetSize.
    counters = (ctypes.c_size_t * 9)()
    size = ctypes.sizeof(counters)
    ctypes.cast(counters, ctypes.POINTER(ctypes.c_uint32))[0] = size
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.K32GetProcessMemoryInfo.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
    if not kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), size):
        raise OSError(ctypes.get_last_error(), "GetProcessMemoryInfo failed")  # type: ignore[attr-defined]
    # The two DWORDs fill one SIZE_T of a 64-bit Windows, the only kind onnxruntime is built for.
    return int(counters[1])
