"""What a piece of work costs in energy, by codecarbon's offline tracker (no network, French grid)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COUNTRY = "FRA"


@contextmanager
def measure_energy(figures: dict[str, Any], every_seconds: float = 15.0) -> Iterator[None]:
    """Add `energy` to figures when the block ends: kwh, grams_co2, seconds, source, estimate, hardware, location.

    codecarbon reads the processor's own counter (RAPL) where the machine lets it; elsewhere, as in most virtual
    machines, it multiplies a rated power by the load: `estimate` is then true. The whole machine is measured, and the
    tracker's clock also runs while it starts: `seconds` is that clock. Power is sampled `every_seconds`.
    """
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    tracker = OfflineEmissionsTracker(
        country_iso_code=COUNTRY,
        save_to_file=False,
        log_level="critical",
        measure_power_secs=every_seconds,
        allow_multiple_runs=True,
    )
    tracker.start()
    try:
        yield
    finally:
        tracker.stop()
        data, mode = tracker.final_emissions_data, _tracking_mode(tracker)
        figures["energy"] = {
            "kwh": round(float(data.energy_consumed), 9),
            "grams_co2": round(float(data.emissions) * 1000, 6),
            "seconds": round(float(data.duration), 3),
            "source": f"codecarbon, {mode}, {COUNTRY}",
            "estimate": "rapl" not in mode,
            "hardware": _hardware(data),
            "location": f"{data.country_name} (assumed, for the carbon intensity of its grid)",
        }


def _hardware(data: Any) -> str:  # noqa: ANN401
    """Return what codecarbon saw of the machine, as in `2 x Some Xeon, 1 x NVIDIA H100`."""
    parts = ((data.cpu_count, data.cpu_model), (data.gpu_count, data.gpu_model))
    return ", ".join(f"{int(count)} x {model}" for count, model in parts if count and model)


def _tracking_mode(tracker: Any) -> str:  # noqa: ANN401
    """Say how codecarbon knows the processor's power: intel_rapl, cpu_load (load times rated power)…, or unknown."""
    modes = [getattr(part, "_mode", None) for part in getattr(tracker, "_hardware", [])]
    return next((str(mode) for mode in modes if mode), "unknown")
