"""The job `carabin bench`, as a typed call: what a student costs on this machine, and how to run it best here.

Each engine is measured with each number of threads, in a process of its own (`bench_worker`) that does what `carabin
annotate` does, for a few seconds. Figures of a machine that does something else at the same time are worth little.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from carabin.documents import Document
from carabin.engines.engine_choice import ENGINES, WEIGHTS, package_version
from carabin.engines.machine import cpu_name, has_amx, usable_cores
from carabin.errors import CarabinError
from carabin.formats import InputError, ReadOptions, check_inputs, read_inputs
from carabin.student_folder import find_student, read_config, student_name

DOCUMENTS = 200
SECONDS = 3.0
_TIMEOUT_SECONDS = 600
_SENTENCES = (
    "Patient de 67 ans, hypertendu, adressé pour une douleur thoracique évoluant depuis deux heures.",
    "Pas de dyspnée, pas de fièvre, pas d'allergie médicamenteuse connue.",
    "Antécédents : diabète de type 2, insuffisance rénale chronique, appendicectomie dans l'enfance.",
    "Examen clinique : TA 142/85 mmHg, FC 96/min, SpO2 97 % en air ambiant ; auscultation pulmonaire libre.",
    "L'ECG montre un sous-décalage du segment ST en latéral, la troponine est à 0,8 ng/ml.",
    "Traitement par amoxicilline 1 g trois fois par jour pendant sept jours et paracétamol si douleur.",
    "Le scanner thoraco-abdominal ne retrouve ni embolie pulmonaire, ni lésion suspecte.",
    "Évolution favorable ; retour à domicile avec consultation de cardiologie dans un mois.",
)


class BenchError(CarabinError):
    """A measurement that failed; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One engine with one number of threads."""

    engine: str
    threads: int
    documents_per_second: float
    tokens_per_second: float
    """Special tokens, and those read twice where windows overlap, are not counted."""
    p50_ms: float
    """Of one short note at a time."""
    p95_ms: float
    peak_rss_bytes: int
    wh_per_1000_documents: float
    energy_source: str
    energy_is_estimate: bool


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What was measured, and what is best."""

    student: str
    machine: dict[str, Any]
    texts: dict[str, Any]
    measures: list[Measure]
    left_out: dict[str, str]
    """Engines that were not measured, and why."""
    best: Measure
    """With the most documents per second."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def bench(
    model: Path | str | None = None,
    inputs: Sequence[str | Path] = (),
    engines: Sequence[str] = (),
    threads: Sequence[int] = (),
    seconds: float = SECONDS,
    documents: int = DOCUMENTS,
    watts_per_core: float | None = None,
    reading: ReadOptions | None = None,
    on_step: Callable[[str, int, int], None] | None = None,
) -> BenchReport:
    """Measure a student on this machine.

    Args:
        model: As for `annotate_files`.
        inputs: Files of notes to measure with; fictitious ones of mixed length without it.
        engines: Those to measure; all that there are without it.
        threads: Numbers of threads to measure; 1, 2, 4, … all cores without it.
        seconds: Of each measurement.
        documents: How many of the inputs' documents are taken, at most.
        watts_per_core: Of a busy core, for where no energy counter can be read.
        reading: How inputs are read.
        on_step: Called before each measurement with what it is, its number and how many there are.

    Raises:
        ModelError: there is no such student.
        InputError: the inputs hold no document with text.
        BenchError: an engine is unknown, was asked for and is not there, or failed.
    """
    folder = find_student(model)
    config = read_config(folder)
    texts = read_texts(inputs, documents, reading or ReadOptions()) if inputs else sample_notes(documents)
    left_out = {name: why for name in ENGINES if (why := _why_not(folder, name))}
    for name in engines:
        if name not in ENGINES:
            raise BenchError(f"engine '{name}' is none of {', '.join(ENGINES)}")
        if name in left_out:
            raise BenchError(f"engine '{name}': {left_out[name]}")
    wanted = list(engines) or [name for name in ENGINES if name not in left_out]
    plan = [(name, count) for name in wanted for count in (threads or thread_counts(usable_cores()))]
    if not plan:
        raise BenchError(f"{folder}: holds no ONNX file ({'; '.join(sorted(set(left_out.values())))})")
    order = {"model": str(folder.resolve()), "texts": texts, "seconds": seconds, "watts_per_core": watts_per_core}
    measures = []
    for number, (name, count) in enumerate(plan):
        if on_step:
            on_step(f"{name}, {count} thread{'s' if count > 1 else ''}", number, len(plan))
        measures.append(Measure(name, count, **_measure({**order, "engine": name, "threads": count})))
    lengths = [len(text) for text in texts]
    return BenchReport(
        student_name(config, folder),
        {"cpu": cpu_name(), "cores": usable_cores(), "amx": has_amx(), "system": platform.system()},
        {"documents": len(texts), "median_characters": int(statistics.median(lengths)), "fictitious": not inputs},
        measures,
        {name: why for name, why in left_out.items() if name not in wanted},
        max(measures, key=lambda measure: measure.documents_per_second),
    )


def read_texts(inputs: Sequence[str | Path], count: int, options: ReadOptions) -> list[str]:
    """Return the first texts of the inputs. Raises InputError: there is none."""
    names = [str(name) for name in inputs]
    check_inputs(names, options)
    found = (item.text for item in read_inputs(names, options) if isinstance(item, Document) and item.text.strip())
    texts = list(islice(found, count))
    if not texts:
        raise InputError(f"{', '.join(names)}: no document with text in it to measure with")
    return texts


def sample_notes(count: int) -> list[str]:
    """Return fictitious notes of mixed length, the same for every call: from two lines to four pages."""
    lengths = (2, 3, 5, 8, 12, 16, 20, 30, 60, 110)
    return [
        " ".join(_SENTENCES[(number + line) % len(_SENTENCES)] for line in range(lengths[number % len(lengths)]))
        for number in range(count)
    ]


def thread_counts(cores: int) -> list[int]:
    """Return 1, 2, 4, … and all cores."""
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})


def _why_not(folder: Path, engine: str) -> str | None:
    if not (folder / WEIGHTS[engine]).is_file():
        return f"the student has no {WEIGHTS[engine]}"
    if engine == "openvino" and package_version("openvino") is None:
        return "not installed: pip install 'carabin[openvino]'"
    return None


def _measure(order: dict[str, Any]) -> dict[str, Any]:
    what = f"engine '{order['engine']}' with {order['threads']} threads"
    try:
        result = subprocess.run(
            # -P: a file of the working folder must not be taken for a library.
            [sys.executable, "-P", "-m", "carabin.bench_worker"],
            input=json.dumps(order), capture_output=True, encoding="utf-8", check=False,
            timeout=_TIMEOUT_SECONDS + 4 * order["seconds"],
            env={**os.environ, "RAYON_NUM_THREADS": str(order["threads"]), "PYTHONPATH": _python_path()},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BenchError(f"{what}: not done after ten minutes; give it fewer --documents") from None
    if result.returncode:
        last = (result.stderr.strip().splitlines() or [f"exit {result.returncode}"])[-1]
        raise BenchError(f"{what} failed ({last})")
    return json.loads(result.stdout)


def _python_path() -> str:
    """Return a PYTHONPATH by which this very package is found."""
    return os.pathsep.join(filter(None, (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH"))))
