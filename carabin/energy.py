"""What a piece of work costs in energy: the processor's own counter where it can be read, else a confessed estimate.

Linux counts the energy of each processor package (RAPL, https://docs.kernel.org/power/powercap/powercap.html), Intel's
and AMD's; most virtual machines hide it, and since 2020 only root may read it unless the administrator allows more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

POWERCAP = Path("/sys/class/powercap")
WATTS_PER_CORE = 4.0
"""Of a busy core where nothing better is known: what codecarbon supposes of a processor it does not know."""


class EnergyMeter:
    """Counts joules between entering and leaving; `source` says how, `estimate` whether they were only estimated."""

    def __init__(
        self,
        watts_per_core: float | None = None,
        powercap: Path = POWERCAP,
        processor_time: Callable[[], float] = time.process_time,
    ) -> None:
        """Find the counters.

        Args:
            watts_per_core: Power of one busy core, for the estimate: the processor's rated power over its cores.
            powercap: Where Linux shows the counters.
            processor_time: Seconds of processor time that this process has used, over all cores.
        """
        self.joules = 0.0
        self._watts = WATTS_PER_CORE if watts_per_core is None else watts_per_core
        self._processor_time = processor_time
        self._zones = _packages(powercap)
        self._began: list[int] = []
        self._before = 0.0
        self.estimate = not self._zones
        if self._zones:
            self.source = "the processor's energy counter (RAPL), whatever else ran meanwhile included"
        else:
            given = "given" if watts_per_core is not None else "supposed, as codecarbon does of an unknown processor"
            self.source = f"processor time x {self._watts:g} W a core ({given}): no energy counter can be read here"

    def __enter__(self) -> EnergyMeter:
        self._began = [_read(zone / "energy_uj") for zone in self._zones]
        self._before = self._processor_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.estimate:
            self.joules = (self._processor_time() - self._before) * self._watts
            return
        for zone, began in zip(self._zones, self._began, strict=True):
            spent = _read(zone / "energy_uj") - began
            # The counter begins again at zero after some minutes of work.
            self.joules += (spent if spent >= 0 else spent + _read(zone / "max_energy_range_uj")) / 1e6


def _packages(powercap: Path) -> list[Path]:
    """Return the zones of whole processors, if they can be read: `intel-rapl:0`, not its parts `intel-rapl:0:1`."""
    zones = sorted(zone for zone in powercap.glob("intel-rapl:*") if zone.name.count(":") == 1)
    try:
        packages = [zone for zone in zones if (zone / "name").read_text().startswith("package")]
        for zone in packages:
            _read(zone / "energy_uj")
            _read(zone / "max_energy_range_uj")
    except (OSError, ValueError):
        return []
    return packages


def _read(path: Path) -> int:
    return int(path.read_text())
