"""Score what a run made, each student that writes on each test split of its plan, and the baselines once.

    python -m evaluation.score_writing --run runs/t5-small/local/seed-1 --role teacher --role student --role twin
    python -m evaluation.score_writing --run runs/t5-small/local/seed-1 --role int8

1. Find each role's model; skip it where `metrics/<role>.json` scores exactly this model on these splits, and where the
   quality gate withheld its INT8 file (`evaluation.run_roles`). The fp32 export needs no score: `export.parity` holds
   that it writes what the checkpoint writes, token for token; `--role onnx` scores it all the same.
2. Write the baselines' figures to `metrics/baselines.json` (`BASELINES`, chance, and the gold itself), likewise once.
3. Let the model write, clean and under noise: the conclusion of each report that has one; exercises on, and the
   entities of, the first reports, if it has learned to.
4. Score what it wrote and write `metrics/<role>.json`.

metrics.json of a student that writes, schema 1. A figure is {"value", "low", "high", "n", "unit": "document", "level":
0.95, "resamples": 1000}; its value is null where there was nothing to count. Of a split, what its corpus cannot tell is
left out.

    {"schema": 1, "model": as `evaluation.score_ner`, "conclusions": "free" | "quoted",
     "splits": {"<corpus>/<split>": {
         "corpus": id, "revision": str, "documents": n, "noise": null | {"kind", "rate"},
         "conclusion": {
             "n": reports that have one, "rouge1", "rouge2", "rougeL", "rougeLsum": figures (mean F-measure),
             "scores": {"rouge1": [...], ...}                                     one a report, for paired intervals
             "faithfulness": {"numbers" | "doses" | "drugs" | "negations": {"supported", "total", "share", "low", ...}},
             "key_facts_kept": {"kept", "total", "share", "low", ...},            of those the gold conclusion tells
             "verbatim": {"verbatim", "total", "share", "low", ...},         of its sentences, those the report has so
             "length": {"words": figure, "expected_words": float, "finished": figure}},
         "exercises": {
             "n": reports, "asked": questions,
             "made", "progressive", "progressive_in_order", "parsed_free", "sound_free", "parsed", "right_count",
             "quote_verbatim", "supported", "distinct", "wrong_absent", "same_type", "not_leaked", "gold_agreement":
                 figures, with "questions": how many were counted,
             "diversity": {"pairs": figure, "stems": float, "types": {type: n}, "kinds": {kind: n}}},
         "entities": the NER scores of `evaluation.score_ner`}},
     "provenance": `zoo.runs.provenance`}

baselines.json has "writers": {name: {"conclusion"?, "exercises"?}} in each split in place of the model's own parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from carabin.documents import Document
from carabin.generation.writer import Writer
from carabin.student_folder import load_tokenizer
from evaluation.chance import Chance
from evaluation.run_roles import is_done, score_role, tested
from evaluation.sources import hash_writing_sources
from evaluation.writing_report import Amount, score_baselines, score_writer
from zoo.checkpoints import Which
from zoo.corpora import is_annotated, read_documents, revision_of
from zoo.denormals import flush_denormals
from zoo.errors import one_line_errors
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import fingerprint, provenance, read_json, write_json

SCHEMA = 1
MODULES = (
    "score_writing", "writing_report", "conclusion_report", "exercise_report", "entity_text", "rouge_report",
    "baselines", "chance", "run_roles", "model_facts", "ner_report",
)  # fmt: skip


def read_split(plan: dict[str, Any], use: CorpusUse, registry: Registry) -> tuple[dict[str, Any], list[Document]]:
    """Return what names a split's corpus, and its documents, with gold entities where the corpus has them."""
    corpus = registry.corpus(use.corpus)
    wanted = plan["student"]["labels"]
    labels = wanted if is_annotated(corpus, wanted) else None
    documents = list(read_documents(registry, use, labels, plan["profile"]["data_seed"]))
    record = {"corpus": use.corpus, "revision": revision_of(corpus, use.split), "annotated": labels is not None}
    return record, documents


def score_model(
    folder: Path, which: Which, noises: Sequence[str], plan: dict[str, Any], registry: Registry, amount: Amount,
    console: Console,
) -> dict[str, Any]:  # fmt: skip
    """Return the metrics record of a student that writes.

    Args:
        folder: Checkpoint or ONNX repository.
        which: Engine.
        noises: Each split is scored clean, then once under each.
        plan: Of the run: its test splits and seeds.
        registry: Where the corpora's cards are.
        amount: How much the student is let write.
        console: Where progress is shown.
    """
    from evaluation.model_facts import describe_model
    from evaluation.ner_report import Noise
    from zoo.torch_seq2seq import load_writer

    def watch(documents: Iterable[Document], what: str) -> Iterable[Document]:
        total = len(documents) if isinstance(documents, Sequence) else None
        return track(documents, f"{folder.name} ({which}): {what}", total, console=console, transient=True)

    writer, splits = load_writer(folder, which), {}
    for use in _uses(plan):
        source, documents = read_split(plan, use, registry)
        for noise in (None, *map(Noise.parse, noises)):
            name = f"{use.corpus}/{use.split}" + (f"+{noise}" if noise else "")
            annotated = source["annotated"]
            scores = score_writer(
                writer, documents, plan["profile"]["data_seed"], noise, annotated, amount, watch=watch
            )
            splits[name] = {**source, **scores}
    model = describe_model(folder, which)
    made = provenance(plan["profile"]["data_seed"])
    form = plan["profile"]["writing"].get("conclusion", "free")  # a plan of before it was a choice says nothing
    return {"schema": SCHEMA, "model": model, "conclusions": form, "splits": splits, "provenance": made}


def score_run_baselines(
    run: Path, plan: dict[str, Any], registry: Registry, made_with: dict[str, Any], amount: Amount
) -> str:
    """Write `metrics/baselines.json` unless it is there; return what was done."""
    out, key = run / "metrics" / "baselines.json", fingerprint({"test": tested(plan), **made_with})
    if is_done(out, key):
        return "found done"
    seed, splits = plan["profile"]["data_seed"], {}
    chance = _write_by_chance(run / "student", seed) if amount.exercises else None
    for use in _uses(plan):
        source, documents = read_split(plan, use, registry)
        writers = score_baselines(documents, use.split, seed, amount, chance)
        splits[f"{use.corpus}/{use.split}"] = {**source, "documents": len(documents), "writers": writers}
    write_json(out, {"schema": SCHEMA, "splits": splits, "provenance": provenance(seed), "inputs_sha256": key})
    return "scored"


def _write_by_chance(student: Path, seed: int) -> Writer:
    """Return a writer with the words of a student and none of its weights."""
    tokenizer, _ = load_tokenizer(student)
    return Writer.over(Chance(tokenizer.get_vocab_size(), seed), student)


def _uses(plan: dict[str, Any]) -> list[CorpusUse]:
    return [CorpusUse(**use) for use in plan["profile"]["test"]]


def main(
    run: Annotated[Path, typer.Option(help="Folder of the run.")],
    role: Annotated[list[str], typer.Option(help="teacher, student, twin, onnx or int8; may be repeated.")],
    exercises: Annotated[int, typer.Option(help="Reports on which exercises are written, the first ones.")] = 20,
    entities: Annotated[int, typer.Option(help="Reports of which entities are written down, the first ones.")] = 20,
) -> None:
    """Score a run's writing students on its test splits."""
    console = Console(stderr=True)
    with one_line_errors("score"):
        plan, registry = read_json(run / "plan.json"), Registry()
        learned = plan["profile"]["writing"]["tasks"]
        amount = Amount(exercises if "exercises" in learned else 0, entities if "entities" in learned else 0)
        made_with = {"sources": hash_writing_sources(*MODULES), "amount": amount.to_dict()}
        typer.echo(f"score   baselines: {score_run_baselines(run, plan, registry, made_with, amount)}")

        def score(folder: Path, which: Which, noises: Sequence[str]) -> dict[str, Any]:
            if which == "torch":
                flush_denormals()
            return score_model(folder, which, noises, plan, registry, amount, console)

        for name in role:
            typer.echo(f"score   {name}: {score_role(run, name, plan, made_with, score)}")


if __name__ == "__main__":
    typer.run(main)
