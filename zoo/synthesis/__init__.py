"""Fictitious French hospital reports with exact gold annotations.

No patient, doctor, town, hospital, number or address in them exists: see `names.toml` and `patient.py` for why none
can. Clinical content lies in `scenarios/*.toml` (one file per specialty), wording in `phrases.toml`.
"""

from zoo.synthesis.generator import generate_report, generate_reports
from zoo.synthesis.novelty import measure_novelty

__all__ = ["generate_report", "generate_reports", "measure_novelty"]
