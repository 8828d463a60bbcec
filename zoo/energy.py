"""What a step costs in energy, by codecarbon's offline tracker (no network, French grid)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COUNTRY = "FRA"


@contextmanager
def measure_energy(figures: dict[str, Any]) -> Iterator[None]:
    """Add `energy` to figures when the block ends: kwh, grams_co2, source.

    Where the processor's own counter (RAPL) cannot be read, as in most virtual machines, codecarbon multiplies a rated
    power by time: `source` says which it was, and such a figure is an estimate.
    """
    import logging

    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    tracker = OfflineEmissionsTracker(
        country_iso_code=COUNTRY,
        save_to_file=False,
        log_level="critical",
        tracking_mode="machine",
        allow_multiple_runs=True,
    )
    tracker.start()
    try:
        yield
    finally:
        tracker.stop()
        data = tracker.final_emissions_data
        figures["energy"] = {
            "kwh": round(float(data.energy_consumed), 6),
            "grams_co2": round(float(data.emissions) * 1000, 3),
            "source": f"codecarbon offline, {COUNTRY}, {data.cpu_model}",
        }
