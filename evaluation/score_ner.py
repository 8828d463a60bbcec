"""Score a NER student, checkpoint or ONNX folder, on splits of corpora, clean and noised.

    python -m evaluation.score_ner --model runs/bert-small/local/student --corpus "synthetic-reports/test[:150]" \
        --noise typo:0.1 --out runs/bert-small/local/metrics.json

1. Load the model (`zoo.torch_engine.load_annotator`) and find its label set.
2. Read each corpus at its pinned revision (`zoo.corpora`), gold flattened to the outermost entities.
3. Annotate and score it clean, then under each noise (`evaluation.ner_report`).
4. Write metrics.json by rename.

metrics.json, schema 1 (`noise` and `ece.value` may be null; a noised split's name ends in `+kind:rate`):

    {"schema": 1,
     "model": {"path": str, "sha256": of the file that was run, "which": "torch" | "onnx" | "int8",
               "parameters": int | null, "bytes": of that file},
     "splits": {"<corpus>/<split>": {
         "corpus": id, "revision": str, "documents": n, "entities": n gold, "nested_dropped": n,
         "noise": {"kind": str, "rate": float, "entities_lost": n that an abbreviation swallowed},
         "ner_exact_f1": {"value", "low", "high", "precision", "recall", "n": documents, "unit": "document",
                          "level": 0.95, "resamples": 1000},
         "ner_overlap_f1": likewise,
         "by_label": {label: {"f1", "precision", "recall", "support"}},    exact
         "ece": {"value", "bins": 15, "n": entities predicted},            confidence against exact correctness
         "ece_words": {"value", "bins": 15, "n": words},                   most probable tag against gold tag
         "counts": [[tp, predicted, gold], …]}},                           exact, one row a document, in corpus order
     "provenance": `zoo.runs.provenance`}

Two files scored on the same splits give a paired interval of their difference from `counts`
(`carabin.scoring.bootstrap.bootstrap_difference`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from carabin.annotator import Annotator
from carabin.documents import Document
from carabin.names.name_list import NameList
from evaluation.model_facts import describe_model
from evaluation.ner_report import Noise, ScoreError, score_documents
from zoo.checkpoints import Which
from zoo.corpora import read_documents, revision_of
from zoo.errors import one_line_errors
from zoo.labels import LABEL_SETS
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import provenance, write_json
from zoo.torch_engine import load_annotator

SCHEMA = 1
_USE = re.compile(r"(?P<corpus>[^/\[\]]+)/(?P<split>[^/\[\]]+)(?:\[:(?P<documents>\d+)\])?")

Reader = Callable[[Registry, CorpusUse, str, int], Iterator[Document]]


def parse_use(text: str) -> CorpusUse:
    """Return the use that `corpus/split` or `corpus/split[:documents]` names. Raises ScoreError: it names none."""
    match = _USE.fullmatch(text)
    if match is None or match["documents"] == "0":
        raise ScoreError(f"corpus '{text}' is not written corpus/split or corpus/split[:documents]")
    return CorpusUse(match["corpus"], match["split"], int(match["documents"]) if match["documents"] else None)


def label_set_of(annotator: Annotator) -> str:
    """Return the name of the model's label set. Raises ScoreError: it is none of `zoo.labels`."""
    for name, labels in LABEL_SETS.items():
        if set(labels) == set(annotator.labels):
            return name
    raise ScoreError(f"the model's labels ({', '.join(annotator.labels)}) are no label set of zoo.labels")


def score_model(
    folder: Path,
    uses: Sequence[CorpusUse],
    which: Which,
    seed: int,
    noises: Sequence[Noise],
    registry: Registry,
    read: Reader = read_documents,
    watch: Callable[[Iterable[Document], str, int | None], Iterable[Document]] = lambda documents, _, __: documents,
    names: Path | None = None,
) -> dict[str, Any]:
    """Return the metrics record of a model.

    Args:
        folder: Checkpoint or ONNX repository.
        uses: Splits, each scored apart.
        which: Engine.
        seed: Of noise, bootstrap and synthetic corpora.
        noises: Each split is scored clean, then once under each.
        registry: Where the corpora's cards are.
        read: Gives a use's documents; a test may bring its own.
        watch: Given documents, what they are and how many at most: passes them on, showing progress.
        names: A list that stands beside what the model finds (`carabin.names.name_list`).

    Raises:
        ScoreError: a split is named twice, or cannot be scored with this model.
    """
    if len({(use.corpus, use.split) for use in uses}) < len(uses):
        raise ScoreError("a split is named twice: its two scores would have one name")
    annotator = load_annotator(folder, which)
    labels = label_set_of(annotator)
    listed = None if names is None else NameList.read(names, annotator.labels)
    splits = {}
    for use in uses:
        source = {"corpus": use.corpus, "revision": revision_of(registry.corpus(use.corpus), use.split)}
        for noise in (None, *noises):
            name = f"{use.corpus}/{use.split}" + (f"+{noise}" if noise else "")
            documents = watch(read(registry, use, labels, seed), name, use.documents)
            splits[name] = {**source, **score_documents(annotator, documents, labels, seed, noise, names=listed)}
    model = describe_model(folder, which)
    if listed is not None:
        model |= {"names": listed.digest}
    return {"schema": SCHEMA, "model": model, "splits": splits, "provenance": provenance(seed)}


def main(
    model: Annotated[Path, typer.Option(help="Folder of a checkpoint or of an ONNX repository.")],
    corpus: Annotated[list[str], typer.Option(help="corpus/split or corpus/split[:documents]; may be repeated.")],
    out: Annotated[Path, typer.Option(help="The metrics.json to write.")],
    which: Annotated[str, typer.Option(help="torch, onnx, int8 or auto (what a hospital would run).")] = "auto",
    seed: Annotated[int, typer.Option(help="Of noise, bootstrap and synthetic corpora.")] = 1,
    noise: Annotated[list[str] | None, typer.Option(help="kind:rate, as in typo:0.1; may be repeated.")] = None,
    names: Annotated[Path | None, typer.Option(help="CSV of names, as `carabin annotate --names` takes it.")] = None,
) -> None:
    """Score a NER student and write metrics.json."""
    console = Console(stderr=True)
    with one_line_errors("score"):
        uses = [parse_use(text) for text in corpus]
        noises = [Noise.parse(text) for text in noise or ()]
        record = score_model(
            model, uses, which, seed, noises, Registry(),  # type: ignore[arg-type]
            watch=lambda documents, name, total: track(documents, name, total, console=console, transient=True),
            names=names,
        )  # fmt: skip
        write_json(out, record)
    for name, split in record["splits"].items():
        exact, overlap = split["ner_exact_f1"], split["ner_overlap_f1"]
        interval = f"[{exact['low']:.3f}, {exact['high']:.3f}]"
        typer.echo(f"{name}: exact F1 {exact['value']:.3f} {interval}, overlap {overlap['value']:.3f}, n {exact['n']}")
    typer.echo(f"wrote {out}")


if __name__ == "__main__":
    typer.run(main)
