"""The options that several commands have: written once, so that they are called and explained alike everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

CALIBRATED = "calibrated"

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        show_default=False,
        help=".txt, .jsonl, .csv (each also .gz, .xz), .parquet (OMOP NOTE too), UIMA CAS .json and .xmi, "
        "a folder of these or of BRAT .txt and .ann, or - for standard input.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="OUT", help="Output file or folder; without it, JSONL on standard output."),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="STUDENT",
        help="A student's folder, the name of a shipped one, or organisation/name@revision once pulled.",
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FORM",
        help="Form of the inputs, else by their suffixes: text, jsonl, csv, parquet, brat, cas, xmi, label-studio.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        metavar="ENGINE",
        help="int8, fp32, openvino, or auto: the fastest here, measured once. Without it, int8 where the student "
        "was published with it, else fp32.",
    ),
]
WriterEngine = Annotated[
    str | None,
    typer.Option(
        metavar="ENGINE", help="int8 or fp32. Without it, int8 where the student was published with it, else fp32."
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads; all cores without it.")]
Threshold = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL=0.5",
        help="Least score for a label, or 0.5 for all, or `calibrated` for those fitted with the student; "
        "repeatable. Without it every entity counts, whatever its score.",
    ),
]
NamesFile = Annotated[
    Path | None,
    typer.Option(
        "--names",
        metavar="FILE",
        help="CSV of your own names, columns name and label: what stands in it is found, whatever the student knows.",
    ),
]
Errors = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Where documents set aside are listed; OUT.errors.jsonl without it."),
]
TextColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column or field of the text; text, note_text, texte, … without it."),
]
IdColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column or field of the id; id, note_id, id_doc, … without it."),
]
Predictions = Annotated[
    bool,
    typer.Option("--predictions", help="Of Label Studio tasks, read the last prediction, not what people annotated."),
]
Encoding = Annotated[
    str,
    typer.Option(metavar="NAME", help="Of text, BRAT and CSV inputs: cp1252 for older Windows software."),
]
MaxCharacters = Annotated[int, typer.Option(min=1, metavar="N", help="Longer documents are set aside.")]
LONGEST = 10_000_000
TypeSystem = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="UIMA type system: .xml, or any CAS .json of yours. DKPro's names without it."),
]
CasType = Annotated[
    str | None,
    typer.Option(metavar="TYPE", help="UIMA type of the entities; DKPro's NamedEntity without it."),
]
CasLabel = Annotated[
    str | None,
    typer.Option(metavar="FEATURE", help="Feature of that type with the label; value, Categorie, …"),
]


def split_thresholds(values: Sequence[str]) -> tuple[dict[str, float], bool]:
    """Return the least scores that were written as numbers, and whether `calibrated` is among the values."""
    return read_thresholds([value for value in values if value != CALIBRATED]), CALIBRATED in values


def read_thresholds(values: Sequence[str]) -> dict[str, float]:
    """Return label -> least score from `LABEL=0.5` and `0.5`. Raises InputError: not of that form."""
    from carabin.formats import InputError

    thresholds: dict[str, float] = {}
    for value in values:
        label, separator, number = value.rpartition("=")
        try:
            thresholds[label if separator else "*"] = float(number)
        except ValueError:
            raise InputError(f"--threshold {value}: expected LABEL=0.5, or 0.5 for every label") from None
    return thresholds
