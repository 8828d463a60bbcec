"""What `carabin evaluate` prints of a record: tables of scores and of corrections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from carabin.scoring.corrections import CHANGES

Record = Mapping[str, Any]

F1_NOTE = "F1 in points [95 % bootstrap over documents]. Exact: same bounds and label. Overlap: a character shared."
KAPPA_NOTE = "kappa_words counts the many words outside any entity; kappa_labelled_words is a lower bound without them."


def print_tables(record: Record, console: Console) -> None:
    """Print what a person reads of a record."""
    console.print(read_line(record), markup=False, soft_wrap=True)
    if "ner_exact_f1" in record:
        console.print(_score_table(record))
        console.print(F1_NOTE, style="dim", soft_wrap=True, markup=False)
        for line in absent_lines(record):
            console.print(line, soft_wrap=True, markup=False)
    if (ece := record.get("ece", {}).get("value")) is not None:
        console.print(f"calibration error of the scores (ECE): {ece:.3f}, {record['ece']['n']:,} entities")
    if "agreement" in record:
        for name in ("kappa_words", "kappa_labelled_words"):
            console.print(f"{name}: {_kappa(record['agreement'][name])}", markup=False)
        console.print(KAPPA_NOTE, style="dim", soft_wrap=True)
    if "corrections" in record:
        console.print(_correction_table(record["corrections"], record["kind"]))
        console.print(correction_line(record["corrections"]), soft_wrap=True)


def read_line(record: Record) -> str:
    """Return what was read, and what of it was not compared."""
    gold = record["gold"]
    parts = [f"{gold['documents']:,} documents, {gold['entities']:,} gold entities"]
    if record.get("model"):
        parts.insert(0, f"student {record['model']}")
    for name, read in (("gold", gold), ("other", record.get("other", {}))):
        if read.get("nested_dropped"):
            parts.append(f"{read['nested_dropped']:,} nested annotations of {name} flattened away")
        if read.get("left_out"):
            parts.append(f"left out of {name}: " + ", ".join(f"{k} {n:,}" for k, n in read["left_out"].items()))
        if read.get("set_aside"):
            parts.append(f"{read['set_aside']:,} documents of {name} set aside")
    if pairing := record.get("pairing"):
        parts.append(f"{pairing['both']:,} documents in both")
        if alone := pairing["only_first"] + pairing["only_second"]:
            parts.append(f"{alone:,} in one only")
    return "; ".join(parts)


def absent_lines(record: Record) -> Iterator[str]:
    """Yield a line for each label that was found and is nowhere in the gold: was it annotated at all?"""
    for label, scores in record["by_label"].items():
        if scores["found"] and not scores["support"]:
            yield (
                f"no {label} in the gold: the {scores['found']:,} found count as wrong; "
                f"if nobody annotated {label}, leave it out with --map '{label}='"
            )


def _score_table(record: Record) -> Table:
    table = Table()
    table.add_column("label")
    for column in ("exact F1", "precision", "recall", "overlap F1", "gold"):
        table.add_column(column, justify="right")
    for label, scores in record["by_label"].items():
        table.add_row(escape(label), *_score_cells(scores, scores["support"]))
    table.add_section()
    table.add_row("all", *_score_cells(record, record["entities"]))
    return table


def _score_cells(scores: Record, support: int) -> list[str]:
    exact = scores["ner_exact_f1"]
    shares = (f"{100 * exact[key]:.1f}" for key in ("precision", "recall"))
    return [_points(exact), *shares, _points(scores["ner_overlap_f1"]), f"{support:,}"]


def _points(score: Record) -> str:
    return rf"{100 * score['value']:.1f} \[{100 * score['low']:.1f}-{100 * score['high']:.1f}]"


def _kappa(score: Record) -> str:
    if score["value"] is None:
        return "not defined (both gave one same label everywhere)"
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def _correction_table(corrections: Record, kind: str) -> Table:
    asked = "what a corrector would have to do" if kind == "model" else "what was changed in the pre-annotation"
    table = Table("label", title=asked, title_justify="left")
    for change in CHANGES:
        table.add_column(change, justify="right")
    for label, counts in corrections["by_label"].items():
        table.add_row(escape(label), *(f"{counts[change]:,}" for change in CHANGES))
    table.add_section()
    table.add_row("all", *(f"{corrections[change]:,}" for change in CHANGES))
    return table


def correction_line(corrections: Record) -> str:
    """Return the shares that say whether pre-annotation was worth it."""
    edits = [document["edits"] for document in corrections["documents"]]
    kept = corrections["kept_share"]
    parts = (
        [f"{100 * kept:.1f} % of {corrections['pre_annotated']:,} pre-annotated spans kept"] if kept is not None else []
    )
    parts.append(f"{corrections['untouched_documents']:,} of {len(edits):,} documents untouched")
    parts.append(f"{corrections['edits']:,} edits, {median(edits):g} in the median document, {max(edits):,} at most")
    return "; ".join(parts)
