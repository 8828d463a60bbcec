"""What Carabin's runtime costs beside what it must be compared with, as ratios measured in one run.

    python -m evaluation.bench_hospital --model runs/bert-small/local/seed-1/export --out runs/bench_hospital.json

1. Write synthetic reports of mixed length: short notes, reports, and several reports joined.
2. Start each contender in its own environment (`evaluation.bench_contender`): Carabin and bare onnxruntime in the
   hospital's, transformers with torch in the lab's, optimum in the export one.
3. In each round every contender annotates the same share of the reports; a ratio is the median of the rounds' ratios,
   so that what else the machine does meanwhile hits both sides.
4. Measure one short note at a time on one core, beside bare calls on the same tokens.
5. Measure the peak memory of `carabin annotate` on few and on many documents, and how long `import carabin` takes.
6. Print each ratio with its target, write the JSON; `--strict` fails where a target is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from carabin.bench_worker import short_note
from carabin.engines.machine import cpu_name, has_amx, usable_cores
from evaluation.bench_import import describe, import_seconds
from zoo.errors import one_line_errors
from zoo.registry import REPOSITORY
from zoo.runs import RunError, provenance, write_json
from zoo.synthesis import generate_reports

ENVIRONMENTS = {"torch": "lab", "optimum": "export", "optimum-int8": "export"}
"""Where a contender runs, if not in the hospital environment."""
NOTES = 40
MEGABYTES = 350
FLAT = 1.05
"""Peak memory on many documents over that on few: beyond this it grows with their number."""
FEW_DOCUMENTS = 1_000
IMPORT_SECONDS = 0.3

_MEMORY = """
import sys
from pathlib import Path
from carabin.annotate import JobOptions, annotate_files
from carabin.engines.machine import peak_memory
annotate_files([sys.argv[2]], Path(sys.argv[3]), sys.argv[1], JobOptions(threads=int(sys.argv[4])))
print(peak_memory())
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison."""

    what: str
    value: float | None
    """None where it could not be measured."""
    least: float
    most: float
    """Over the rounds."""
    target: str
    passed: bool | None
    """None where there is no target, or it is not for this machine."""
    note: str = ""


def mixed_reports(count: int, seed: int) -> list[str]:
    """Return synthetic reports: of five, one is cut to a short note, two are whole, one is two joined, one is four."""
    source = iter(report["text"] for report in generate_reports("test", 2 * count, seed))
    shapes = cycle((0, 1, 1, 2, 4))
    return [
        "\n\n".join(islice(source, parts)) if parts else short_note(next(source)) for parts in islice(shapes, count)
    ]


class Contender:
    """A process that annotates what it is given and says how long it took."""

    def __init__(self, kind: str, model: Path, threads: int, process: subprocess.Popen[str]) -> None:
        self.kind, self.model, self.threads, self.process = kind, model, threads, process

    def ask(self, **order: Sequence[str] | int) -> dict[str, Any]:
        """Return the answer to one order. Raises RunError: the process died; its last words are on the terminal."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            raise RunError(f"contender '{self.kind}' died (exit {self.process.wait()}); see above") from None


def python_of(environment: str) -> Path:
    """Return an environment's python. Raises RunError: there is none."""
    python = Path(
        os.environ.get(f"CARABIN_{environment.upper()}_PYTHON") or REPOSITORY / ".venv" / environment / "bin" / "python"
    )
    if not python.is_file():
        raise RunError(f"{python}: no such file; the {environment} environment is missing: run 'make environments'")
    # Resolved, a virtual environment's python would be the system's.
    return python.absolute()


@contextmanager
def contender(kind: str, model: Path, threads: int, worker: str = "evaluation.bench_contender") -> Iterator[Contender]:
    """Start a contender, and end it when the block ends. Raises RunError: its environment is missing."""
    environment = {
        **os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", "RAYON_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true", "TRANSFORMERS_VERBOSITY": "error",
    }  # fmt: skip
    command = [
        str(python_of(ENVIRONMENTS.get(kind, "hospital"))),
        "-m",
        worker,
        kind,
        str(model),
        str(threads),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment
    ) as process:
        try:
            yield Contender(kind, model, threads, process)
        finally:
            process.kill()


def race(
    model: Path, kinds: Sequence[str], texts: Sequence[str], rounds: int, threads: int
) -> dict[str, list[dict[str, Any]]]:
    """Return, for each contender, what each round took; all annotate the same share of the texts, in turn."""
    with ExitStack() as stack:
        runners = [stack.enter_context(contender(kind, model, threads)) for kind in kinds]
        return take_turns(runners, [{"texts": texts[number::rounds]} for number in range(rounds)], {"texts": texts[:8]})


def take_turns(
    runners: Sequence[Contender], orders: Sequence[dict[str, Any]], first: dict[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Return, for each contender, its answer to each order; `first` is asked before, and not counted."""
    taken: dict[str, list[dict[str, Any]]] = {runner.kind: [] for runner in runners}
    for runner in runners:
        runner.ask(**first)
    for number, order in enumerate(track(orders, "rounds", console=Console(stderr=True), transient=True)):
        turn = number % len(runners)
        # The order turns too: none always runs on the heels of the same other.
        for runner in (*runners[turn:], *runners[:turn]):
            taken[runner.kind].append(runner.ask(**order))
    return taken


def ratio(
    what: str, over: Sequence[float], under: Sequence[float], target: float | None, most: bool = False, note: str = ""
) -> Result:
    """Return the median of the rounds' ratios, beside its target: at least, or with `most` at most."""
    ratios = [above / below for above, below in zip(over, under, strict=True)]
    value = statistics.median(ratios)
    passed = None if target is None else (value <= target if most else value >= target)
    sign = "<=" if most else ">="
    return Result(what, value, min(ratios), max(ratios), f"{sign} {target:g}" if target else "", passed, note)


def compare(taken: Mapping[str, Sequence[Mapping[str, float]]], amx: bool | None) -> list[Result]:
    """Return the ratios of a race."""
    seconds = {kind: [round_["seconds"] for round_ in rounds] for kind, rounds in taken.items()}
    speed = {
        kind: [round_["tokens"] / round_["seconds"] for round_ in rounds]
        for kind, rounds in taken.items() if kind in ("int8", "bare")
    }  # fmt: skip
    results = [ratio("tokens/s over bare session.run, packed", speed["int8"], speed["bare"], 0.9)]
    for kind, what, target in (
        ("torch", "transformers.pipeline, torch fp32", 4.0),
        ("optimum", "optimum's ORT pipeline", 2.0),
        ("optimum-int8", "optimum's ORT pipeline on the INT8 file", None),
    ):
        if kind in taken:
            share = sum(r["cpu_seconds"] for r in taken[kind]) / sum(r["cpu_seconds"] for r in taken["int8"])
            note = f"takes {share:.1f} times Carabin's processor time"
            results.append(ratio(f"times as fast as {what}", seconds[kind], seconds["int8"], target, note=note))
    if "openvino" in taken:
        target, note = (1.5, "") if amx else (None, "target 1.5 is for machines with AMX, which this is not")
        results.append(ratio("OpenVINO times as fast as INT8", seconds["int8"], seconds["openvino"], target, note=note))
    return results


def measure_note(model: Path, texts: Sequence[str], rounds: int) -> Result:
    """Return how long one short note takes on one core, over bare calls on its tokens."""
    notes = [short_note(text) for text in texts[:NOTES]]
    with contender("int8", model, 1) as runner:
        answers = [runner.ask(notes=notes) for _ in range(rounds)]
    note = f"{1000 * statistics.median(answer['note_seconds'] for answer in answers):.1f} ms a note"
    return ratio(
        "one short note, one core, over session.run", [answer["note_seconds"] for answer in answers],
        [answer["bare_seconds"] for answer in answers], 1.2, most=True, note=note,
    )  # fmt: skip


def measure_memory(model: Path, texts: Sequence[str], counts: Sequence[int], threads: int) -> list[Result]:
    """Return the peak memory of `carabin annotate` on the most documents, and how it grows with their number."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.jsonl"
        for count in track(counts, "memory", console=Console(stderr=True), transient=True):
            with notes.open("w", encoding="utf-8") as file:
                for number, text in enumerate(islice(cycle(texts), count)):
                    file.write(json.dumps({"id": str(number), "text": text}) + "\n")
            command = [
                str(python_of("hospital")),
                "-c",
                _MEMORY,
                str(model),
                str(notes),
                f"{folder}/out.jsonl",
                str(threads),
            ]
            done = subprocess.run(
                command, capture_output=True, text=True, cwd=REPOSITORY, check=False,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), "RAYON_NUM_THREADS": str(threads)},
            )  # fmt: skip
            if done.returncode:
                raise RunError(f"annotating {count} documents failed ({done.stderr.strip().splitlines()[-1]})")
            peaks.append(int(done.stdout) / 1e6)
    note = ", ".join(f"{peak:.0f} MB for {count:,}" for peak, count in zip(peaks, counts, strict=True))
    worst, growth = max(peaks), peaks[-1] / peaks[0]
    return [
        Result("peak memory, MB", worst, min(peaks), worst, f"<= {MEGABYTES}", worst <= MEGABYTES, note),
        Result("peak memory, many documents over few", growth, growth, growth, f"<= {FLAT}", growth <= FLAT, note),
    ]


def measure_import() -> Result:
    """Return the median of how long `import carabin` takes."""
    python = python_of("hospital")
    taken = import_seconds(python)
    value, target = statistics.median(taken), f"<= {IMPORT_SECONDS}"
    passed = value <= IMPORT_SECONDS
    return Result("import carabin, seconds", value, min(taken), max(taken), target, passed, describe(python))


def show(results: Sequence[Result], title: str) -> Table:
    """Return the results as a table."""
    table = Table(title=title, title_justify="left")
    for name in ("what", "median", "rounds", "target", "", "note"):
        table.add_column(name, overflow="fold")
    for row in results:
        verdict = {True: "pass", False: "FAIL", None: "no target here"}[row.passed]
        value = "" if row.value is None else f"{row.value:.2f}"
        table.add_row(row.what, value, f"{row.least:.2f} - {row.most:.2f}", row.target, verdict, row.note)
    return table


def main(
    model: Annotated[Path, typer.Option(help="Folder of an exported student.")] = Path(
        "runs/bert-small/local/seed-1/export"
    ),
    out: Annotated[Path, typer.Option(help="The JSON to write.")] = Path("runs/bench_hospital.json"),
    documents: Annotated[
        int, typer.Option(min=10, help="Reports that each contender annotates, over all rounds.")
    ] = 2_000,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    many: Annotated[int, typer.Option(min=10, help="Documents for the memory's growth; 100,000 take long.")] = 5_000,
    few: Annotated[int, typer.Option(min=1, help="Documents that the growth is measured from.")] = FEW_DOCUMENTS,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where a target is missed.")] = False,
    seed: Annotated[int, typer.Option(help="Of the synthetic reports.")] = 1,
) -> None:
    """Measure Carabin's runtime against bare onnxruntime, transformers, optimum and OpenVINO."""
    console = Console()
    with one_line_errors("bench"):
        if not (model / "onnx" / "model_quantized.onnx").is_file():
            raise RunError(
                f"{model}: holds no onnx/model_quantized.onnx; make train-bert-small, or name another, --model"
            )
        model, texts = model.resolve(), mixed_reports(documents, seed)
        taken = race(model, ("int8", "bare", "torch", "optimum", "optimum-int8", "openvino"), texts, rounds, threads)
        results = [*compare(taken, has_amx()), measure_note(model, texts, rounds)]
        results += [*measure_memory(model, texts, [few, many], threads), measure_import()]
    machine: dict[str, Any] = {"cpu": cpu_name(), "cores": usable_cores(), "amx": has_amx(), "load": os.getloadavg()}
    title = f"{documents:,} synthetic reports, {threads} threads, {rounds} rounds, {machine['cpu']}"
    console.print(show(results, title))
    if machine["load"][2] > usable_cores() + 1:
        console.print(f"the machine is busy (load {machine['load'][2]:.1f}): ratios are rough, see their spread")
    record = {"machine": machine, "documents": documents, "threads": threads, "results": [asdict(r) for r in results],
              "rounds": taken, "provenance": provenance(seed)}  # fmt: skip
    write_json(out, record)
    console.print(f"wrote {out}")
    if strict and any(row.passed is False for row in results):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
