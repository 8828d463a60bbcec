"""A run's exported student -> honest scores: temperature and thresholds from dev, measured once on test.

    python -m evaluation.calibrate --run runs/bert-small/local/seed-1

Reads `plan.json` and `export/` of the run; writes its folder `calibration/`, once for the same inputs:
    1. for each ONNX file, the student's answers on the dev corpora;
    2. calibration.json: a temperature and thresholds fitted on those alone (`evaluation.calibration_fit`), published
       with the student and applied by carabin (`carabin.calibration`);
    3. test.json: what both do on each test split, which nothing was chosen on; it goes into metrics.json.

test.json, by ONNX file and split: `ece` and `ece_words` as {"before", "after"} the temperature, `all` and `thresholds`
(exact F1 of all entities, and of those that reach their threshold), `difference` (the second minus the first, paired
bootstrap), `by_label` (both F1 of each label).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from carabin.annotator import Annotator
from carabin.calibration import CALIBRATION, SCHEMA, above_thresholds
from carabin.documents import Document
from carabin.scoring.bootstrap import bootstrap_difference
from carabin.scoring.ner_tally import EXACT, NerTally
from carabin.tokens.tagging import decode_spans
from evaluation import calibration_fit as fit
from evaluation.sources import hash_sources
from zoo.corpora import read_documents
from zoo.errors import one_line_errors
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import RECORD, RunError, read_json, run_step, write_json

FOLDER = "calibration"
TEST = "test.json"
WEIGHTS = ("onnx/model.onnx", "onnx/model_quantized.onnx")
METHOD = {
    "temperature": "least log loss of entity scores against exact correctness, on dev",
    "thresholds": "largest exact F1 of the label, on dev, at that temperature; of equal ones the lowest",
}

Read = Callable[[CorpusUse], Iterable[Document]]
Watch = Callable[[Iterable[Document], str, int | None], Iterable[Document]]


def calibrate(run: Path, plan: dict[str, Any], read: Read, watch: Watch) -> bool:
    """Do the step for a run, unless it is done for the same inputs.

    Args:
        run: Holds `export/`.
        plan: Its plan.json.
        read: Gives a use's documents, gold flattened.
        watch: Passes documents on, showing progress: what they are, and how many at most.

    Returns:
        True if the work was done now, False if it was found done.

    Raises:
        RunError: nothing is exported, or dev is empty.
        ModelError: an exported file cannot be run.
    """
    export, profile = run / "export", plan["profile"]
    files = read_json(export / RECORD)["files"]
    dev, test = ([CorpusUse(**use) for use in profile[role]] for role in ("dev", "test"))
    seed = profile.get("data_seed", 1)
    inputs = {
        "export": files, "seed": seed, "method": METHOD,
        "corpora": [entry for entry in plan["corpora"] if entry["role"] in ("dev", "test")],
        "sources": hash_sources("calibrate", "calibration_fit"),
    }  # fmt: skip

    def work(folder: Path) -> None:
        fitted: dict[str, Any] = {}
        measured: dict[str, Any] = {}
        for weights in (name for name in WEIGHTS if name in files):
            annotator = Annotator.load(export, quantized=weights == WEIGHTS[1])
            documents = (document for use in dev for document in read(use))
            fitted[weights] = {
                "sha256": files[weights],
                **fit_file(annotator, watch(documents, f"{weights}: dev", None)),
            }
            measured[weights] = {
                f"{use.corpus}/{use.split}": measure(
                    annotator, watch(read(use), f"{weights}: {use}", use.documents), fitted[weights], seed
                )
                for use in test
            }
        corpora = [_source(entry) for entry in plan["corpora"] if entry["role"] == "dev"]
        record = {
            "schema": SCHEMA,
            "method": METHOD,
            "least_support": fit.LEAST_SUPPORT,
            "dev": corpora,
            "files": fitted,
        }
        write_json(folder / CALIBRATION, record)
        write_json(folder / TEST, {"files": measured})

    return run_step(run / FOLDER, inputs, work, seed=plan["seed"])


def _source(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: entry.get(key) for key in ("corpus", "split", "documents", "revision", "data_seed")}


def fit_file(annotator: fit.WordTagger, documents: Iterable[Document]) -> dict[str, Any]:
    """Return what calibration.json says of one ONNX file, but for its hash.

    Raises:
        RunError: there is no document.
    """
    answers = list(fit.collect_answers(annotator, documents))
    if not answers:
        raise RunError("calibration: the dev split is empty; check the recipe's dev")
    found = fit.FoundEntities(answers, tuple(annotator.labels))
    temperature, basis = fit.fit_temperature(found)
    thresholds, without = fit.fit_thresholds(found, temperature)
    return {
        "temperature": temperature,
        "temperature_basis": basis,
        "thresholds": thresholds,
        "without_threshold": without,
        "n": {"documents": found.documents, "gold": sum(found.gold.values()), "found": len(found.names)},
        "ece": _before_and_after(found.calibration_error, temperature),
        "ece_words": _before_and_after(lambda t: fit.word_calibration_error(answers, t), temperature),
        "log_loss": _before_and_after(found.log_loss, temperature) if found.names else None,
        "dev_exact": {
            "all": fit.f1_with(found, temperature, {}),
            "thresholds": fit.f1_with(found, temperature, thresholds),
        },
    }


def _before_and_after(measure_at: Callable[[float], float | None], temperature: float) -> dict[str, float | None]:
    return {"before": measure_at(1.0), "after": measure_at(temperature)}


def measure(
    annotator: fit.WordTagger, documents: Iterable[Document], fitted: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Return what a temperature and thresholds do on documents that they were not chosen on."""
    labels, temperature = tuple(annotator.labels), fitted["temperature"]
    answers = list(fit.collect_answers(annotator, documents))
    if not answers:
        raise RunError("calibration: a test split is empty; check the recipe's test")
    before, every, kept = NerTally(), NerTally(), NerTally()
    for answer in answers:
        before.add(decode_spans(answer.words, answer.probabilities, labels), answer.gold)
        found = decode_spans(answer.words, fit.temper(answer.probabilities, temperature), labels)
        every.add(found, answer.gold)
        kept.add(above_thresholds(found, fitted["thresholds"]), answer.gold)
    scores, cut = every.summary(seed), kept.summary(seed)
    return {
        "documents": scores["documents"],
        "entities": scores["entities"],
        "ece": {"before": before.confidence.report()["value"], "after": scores["ece"]["value"]},
        "ece_words": _before_and_after(lambda t: fit.word_calibration_error(answers, t), temperature),
        "all": scores[EXACT],
        "thresholds": cut[EXACT],
        "difference": bootstrap_difference(cut["counts"], scores["counts"], seed),
        "by_label": {label: {"all": scores["by_label"][label], "thresholds": cut["by_label"].get(label)}
                     for label in scores["by_label"]},
    }  # fmt: skip


def describe(run: Path) -> Iterator[str]:
    """Yield a line for each calibrated file: what it was fitted with and what that does on test."""
    fitted, measured = read_json(run / FOLDER / CALIBRATION)["files"], read_json(run / FOLDER / TEST)["files"]
    for weights, splits in measured.items():
        for name, split in splits.items():
            ece, gain = split["ece"], split["difference"]
            yield (
                f"{weights}: temperature {fitted[weights]['temperature']:.2f}, ECE {_figure(ece['before'])} -> "
                f"{_figure(ece['after'])} on {name}; thresholds {gain['value']:+.3f} exact F1 "
                f"[{gain['low']:+.3f}, {gain['high']:+.3f}]"
            )


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def main(run: Annotated[Path, typer.Option(help="Folder of the run.")]) -> None:
    """Calibrate a run's exported student."""
    console = Console(stderr=True)
    with one_line_errors("calibrate"):
        plan, registry = read_json(run / "plan.json"), Registry()
        labels, seed = plan["student"]["labels"], plan["profile"].get("data_seed", 1)
        done = calibrate(
            run, plan, lambda use: read_documents(registry, use, labels, seed),
            lambda texts, name, total: track(texts, name, total, console=console, transient=True),
        )  # fmt: skip
        lines: Sequence[str] = list(describe(run))
    typer.echo(f"calibrate {'done' if done else 'found done'}: {run / FOLDER / CALIBRATION}")
    for line in lines:
        typer.echo(f"          {line}")


if __name__ == "__main__":
    typer.run(main)
