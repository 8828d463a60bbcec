"""What a student cost: its teacher, the teacher's labelling or writing, its own training; its twin apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.runs import read_json


def sum_energy(
    folder: Path, teacher: Path | None, targets: Path, others: Mapping[str, Path], asked: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the energy of a run and its stages.

    A pretrained encoder counts whole, though others may start from it too. What an endpoint spends is declared, not
    measured; where nobody declared it the sum leaves it out and `source` says so.

    Args:
        folder: Of the run: `student/` and `twin/` are read.
        teacher: Its checkpoint; None where it answers over HTTP.
        targets: Folder of the teacher pass.
        others: Further stages that count, by name.
        asked: Where it answers over HTTP, what its ledger says.
    """
    stages = {"teacher": teacher, "targets": targets, "student": folder / "student", **others}
    spent = {name: read_json(step / "run.json")["energy"] for name, step in stages.items() if step}
    source = spent["student"]["source"]
    if asked is not None:
        spent["endpoint"] = {**asked["energy"], "ledger": asked}
        source += f"; the endpoint's: {asked['energy']['source']}"
    return {
        "kwh": round(sum(entry["kwh"] or 0.0 for entry in spent.values()), 6),
        "grams_co2": round(sum(entry["grams_co2"] or 0.0 for entry in spent.values()), 3),
        "source": source,
        "stages": spent,
        **{name: spent["student"][name] for name in ("hardware", "location") if name in spent["student"]},
        "twin_kwh": read_json(folder / "twin" / "run.json")["energy"]["kwh"],
    }
