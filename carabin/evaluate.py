"""The job `carabin evaluate`, as typed calls: scores of a student, of a pre-annotation, of a second annotator.

- `evaluate_model`: a student against gold, with the lab's own scores (`carabin.scoring.ner_tally`);
- `evaluate_corrections`: a pre-annotation against what people made of it (`carabin.scoring.corrections`);
- `evaluate_agreement`: one annotator against another (F1, and kappa by `carabin.scoring.agreement`).

Each returns a record of counts and scores that may leave the hospital: no text, no surface, no id unless asked for.
Records, schema 1: `kind`, `software`, `labels`, what was read (`gold`, `other`, `pairing`), the scores. F1 is
`ner_exact_f1` and `ner_overlap_f1`, over all and in `by_label`, each {value, low, high, precision, recall, n, …}: the
interval is a bootstrap over documents, at 95 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carabin.calibration import above_thresholds
from carabin.documents import Document, Entity
from carabin.formats.base import BadDocument, InputError, ReadOptions
from carabin.formats.reading import check_inputs, read_inputs
from carabin.scoring.agreement import WordAgreement
from carabin.scoring.bootstrap import RESAMPLES
from carabin.scoring.corrections import CorrectionTally
from carabin.scoring.gold import GoldPairs, GoldReader, LabelRules, check_known
from carabin.scoring.ner_tally import NerTally

if TYPE_CHECKING:
    from carabin.annotator import Annotator

SCHEMA = 1
SEED = 1
_BUFFER = 64

Inputs = Sequence[str | Path]
OnError = Callable[[BadDocument], None]
OnProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What is compared, and how."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    """Label in the files -> label scored; the empty one leaves it out."""
    only: Sequence[str] | None = None
    """Labels scored; None for all: those of the student, or those met."""
    engine: str | None = None
    """`int8`, `fp32`, `openvino` or `auto`; None takes INT8 where the student was published with it, else fp32."""
    threads: int | None = None
    """None for all cores."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Least score of an entity, by label; `*` stands for every label not named."""
    calibrated: bool = False
    """Apply the thresholds that were fitted with the student; `thresholds` go before them."""
    document_ids: bool = False
    """Name the documents in `documents`; without it they are in the order of the gold, by number."""
    reading: ReadOptions = field(default_factory=ReadOptions)
    resamples: int = RESAMPLES
    names: Path | None = None
    """CSV file of the hospital's own names, put beside what the student finds (`carabin.names.name_list`)."""

    @property
    def rules(self) -> LabelRules:
        """Which labels are compared."""
        return LabelRules(self.renamed, None if self.only is None else frozenset(self.only))


def evaluate_model(
    gold: Inputs,
    model: Path | str | None = None,
    options: EvaluateOptions | None = None,
    on_progress: OnProgress | None = None,
    on_error: OnError | None = None,
) -> dict[str, Any]:
    """Score a student on annotated documents.

    Args:
        gold: Files or folders of a form that carries annotations.
        model: A student's folder or the name of a shipped one; None for the shipped default.
        options: How.
        on_progress: Called with the number of documents done.
        on_error: Called with each document set aside.

    Returns:
        `model`, `gold`, F1 with intervals, `by_label`, `ece` of the scores, `corrections` that the student's entities
        would have needed, `counts` (exact tp, predicted, gold of each document).

    Raises:
        InputError: the gold cannot be read, holds nothing to score, or has a label that the student lacks.
        ModelError: the student cannot be run.
        NamesError: the list of names cannot be used.
    """
    options = options or EvaluateOptions()
    check_inputs(gold, options.reading, entities=True)
    annotator, thresholds = _load(model, options)
    labels = _scored_labels(annotator, options)
    reader = GoldReader(str(gold[0]), options.rules, on_error=on_error)
    tally, corrections = NerTally(), CorrectionTally(options.document_ids)
    documents = reader.read(read_inputs(gold, options.reading, entities=True))
    for document, found in _annotated(documents, annotator, reader):
        check_known(document.entities, labels, reader.name)
        chosen = tuple(entity for entity in above_thresholds(found, thresholds) if entity.label in labels)
        tally.add(chosen, document.entities)
        corrections.add(document.id, chosen, document.entities)
        if on_progress:
            on_progress(len(tally))
    _check_scored(reader, len(tally))
    return {
        **_head("model", labels),
        "model": f"{annotator.model_id}@{annotator.model_version}",
        "temperature": annotator.temperature,
        "thresholds": dict(thresholds),
        "names": annotator.names and annotator.names.digest,
        "gold": reader.to_dict(),
        **_scores(tally, options),
        "ece": tally.confidence.report(),
        "corrections": corrections.to_dict(),
    }


def evaluate_corrections(
    before: Inputs,
    corrected: Inputs,
    options: EvaluateOptions | None = None,
    on_progress: OnProgress | None = None,
    on_error: OnError | None = None,
) -> dict[str, Any]:
    """Say what people changed in a pre-annotation. Nested entities are kept as they are.

    Args:
        before: The pre-annotated documents.
        corrected: The same documents, as they were left by the people who corrected them.
        options: How.
        on_progress: Called with the number of documents done.
        on_error: Called with each document set aside.

    Returns:
        `gold` and `other` (the pre-annotation), `pairing`, `corrections`.

    Raises:
        InputError: an input cannot be read, or the two have no document in common.
    """
    options = options or EvaluateOptions()
    pairs = GoldPairs(corrected, before, options.reading, options.rules, False, on_error)
    corrections = CorrectionTally(options.document_ids)
    for document, pre_annotated in pairs:
        corrections.add(document.id, pre_annotated, document.entities)
        if on_progress:
            on_progress(len(corrections.documents))
    return {**_head("corrections", sorted(pairs.labels)), **pairs.to_dict(), "corrections": corrections.to_dict()}


def evaluate_agreement(
    gold: Inputs,
    other: Inputs,
    options: EvaluateOptions | None = None,
    on_progress: OnProgress | None = None,
    on_error: OnError | None = None,
) -> dict[str, Any]:
    """Say how far two annotators agree. Nested entities are flattened to the outermost on both sides.

    Args:
        gold: One annotator's documents; F1 is the same whichever comes first, precision and recall change places.
        other: The other's.
        options: How.
        on_progress: Called with the number of documents done.
        on_error: Called with each document set aside.

    Returns:
        `gold`, `other`, `pairing`, F1 with intervals, `by_label`, `agreement` (kappa with its intervals), `counts`.

    Raises:
        InputError: an input cannot be read, or the two have no document in common.
    """
    options = options or EvaluateOptions()
    pairs = GoldPairs(gold, other, options.reading, options.rules, True, on_error)
    tally, words = NerTally(), WordAgreement()
    for document, theirs in pairs:
        tally.add(theirs, document.entities)
        words.add(document.text, document.entities, theirs)
        if on_progress:
            on_progress(len(tally))
    agreement = words.summary(SEED, options.resamples)
    return {
        **_head("agreement", sorted(pairs.labels)),
        **pairs.to_dict(),
        **_scores(tally, options),
        "agreement": agreement,
    }


def _load(model: Path | str | None, options: EvaluateOptions) -> tuple[Annotator, Mapping[str, float]]:
    from carabin.annotate import check_thresholds, fitted_thresholds
    from carabin.annotator import Annotator
    from carabin.student_folder import find_student

    annotator = Annotator.load(find_student(model), threads=options.threads, engine=options.engine, names=options.names)
    check_thresholds(options.thresholds, annotator.labels)
    for label in sorted({*(options.only or ()), *(to for to in options.renamed.values() if to)}):
        if label not in annotator.labels:
            raise InputError(f"label '{label}': not one of this student, which has {', '.join(annotator.labels)}")
    fitted = fitted_thresholds(annotator) if options.calibrated else {}
    return annotator, {**fitted, **options.thresholds}


def _scored_labels(annotator: Annotator, options: EvaluateOptions) -> tuple[str, ...]:
    """Return the student's labels that are scored: a label left out of the gold is left out of the student's answer."""
    left_out = {label for label, to in options.renamed.items() if not to} - set(options.renamed.values())
    wanted = set(annotator.labels if options.only is None else options.only) - left_out
    return tuple(label for label in annotator.labels if label in wanted)


def _annotated(
    documents: Iterator[Document], annotator: Annotator, reader: GoldReader
) -> Iterator[tuple[Document, tuple[Entity, ...]]]:
    """Yield each gold document with the student's entities; the ones the engine fails on are set aside."""
    from carabin.jobs.parts import PartMaker

    maker = PartMaker(annotator.annotate, lambda document: None)
    while batch := list(islice(documents, _BUFFER)):
        part = maker([replace(document, entities=()) for document in batch])
        found = {document.id: document.entities for document in part.documents}
        yield from ((document, found[document.id]) for document in batch if document.id in found)
        for problem in part.bad:
            reader.refuse(problem)


def _scores(tally: NerTally, options: EvaluateOptions) -> dict[str, Any]:
    summary = tally.summary(SEED, options.resamples)
    wanted = ("documents", "entities", "ner_exact_f1", "ner_overlap_f1", "counts")
    return {**{name: summary[name] for name in wanted}, "by_label": tally.label_scores(SEED, options.resamples)}


def _head(kind: str, labels: Sequence[str]) -> dict[str, Any]:
    from carabin import __version__

    return {"schema": SCHEMA, "kind": kind, "software": f"carabin {__version__}", "labels": list(labels)}


def _check_scored(reader: GoldReader, scored: int) -> None:
    if not scored:
        raise InputError(f"{reader.name}: no document that can be scored; {reader.set_aside} were set aside")
    if not reader.entities:
        raise InputError(f"{reader.name}: {reader.documents} documents and no annotation to score against")
