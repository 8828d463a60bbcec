"""A student that writes and documents in, one split's scores out: conclusions, exercises, entities.

What hospitals run is what is measured: the writer's own windows, constraints and search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Protocol

from carabin.documents import Document
from carabin.exercises.exercise import Kind, QuestionSet
from carabin.scoring.bootstrap import RESAMPLES
from evaluation.baselines import BASELINES
from evaluation.conclusion_report import make_cases, score_conclusions, score_faithfulness
from evaluation.entity_text import EntityWriter, score_entities
from evaluation.exercise_report import Terms, list_types, score_exercises
from evaluation.ner_report import Noise, ScoreError
from zoo.drug_names import list_drugs
from zoo.synthesis.exercises import make_drafts
from zoo.synthesis.exercises.terms import list_terms
from zoo.synthesis.knowledge import SPLITS

KINDS: tuple[Kind, ...] = ("qru", "qrm", "qroc")
CHANCE = "chance"
"""The grammar of exercises with scores that are drawn: what it gives without a student."""
GOLD = "gold"
"""The carer's own conclusions and the generator's own exercises: what faithfulness and validity can reach."""

Watch = Callable[[Iterable[Document], str], Iterable[Document]]


class Summary(Protocol):
    """A conclusion, as `carabin.generation.writer.Summary`."""

    @property
    def text(self) -> str:
        """What was written."""
        ...

    @property
    def finished(self) -> bool:
        """Whether it ended, rather than being cut by the limit."""
        ...


class Writer(EntityWriter, Protocol):
    """What is asked of `carabin.generation.writer.Writer`, or of a fake in a test."""

    def summarise(self, documents: Iterable[Document]) -> Iterator[Summary]:
        """Yield each report's conclusion."""
        ...

    def exercises(
        self, documents: Iterable[Document], kinds: Sequence[Kind], count: int, progressive: bool, seed: int
    ) -> Iterator[QuestionSet]:
        """Yield the questions on each report."""
        ...

    def draft(self, documents: Sequence[Document], kind: Kind) -> list[str]:
        """Return one exercise of a kind on each report, written without constraint."""
        ...


@dataclass(frozen=True)
class Amount:
    """How much a student is let write."""

    exercises: int = 20
    """Reports on which exercises are written, the first ones; 0 for none."""
    entities: int = 20
    """Reports of which entities are written down, the first ones; 0 for none."""
    questions: int = 3
    """Asked for on each report, besides the progressive file."""
    drafts: int = 10
    """Reports on which exercises are also written without the grammar, clean text alone: what does not know where to
    stop is slow to write, and says little twice."""

    def to_dict(self) -> dict[str, int]:
        """Return the amounts as JSON."""
        return asdict(self)


def score_writer(
    writer: Writer,
    documents: Sequence[Document],
    seed: int,
    noise: Noise | None = None,
    annotated: bool = True,
    amount: Amount | None = None,
    drugs: frozenset[str] | None = None,
    resamples: int = RESAMPLES,
    watch: Watch = lambda documents, _: documents,
) -> dict[str, Any]:
    """Let a student write and return its scores: the parts of a split's record that do not depend on the corpus's name.

    Args:
        writer: The model.
        documents: Whole reports; gold conclusions are found in them (`zoo.conclusions`), facts in their attributes.
        seed: Of noise, bootstrap and exercises.
        noise: Perturb what the model reads; it is scored against the clean gold.
        annotated: Do the documents carry gold entities?
        amount: How much is written; `Amount()` by default.
        drugs: Names of drugs; those of `zoo.synthesis` by default.
        resamples: Of the bootstrap.
        watch: Given documents and what is done with them: passes them on, showing progress.

    Raises:
        ScoreError: there is nothing in the documents to score.
    """
    amount = amount or Amount()
    drugs = list_drugs() if drugs is None else drugs
    if not documents:
        raise ScoreError("no documents to score: is the split empty?")
    record: dict[str, Any] = {
        "documents": len(documents),
        "noise": noise and {"kind": noise.kind, "rate": noise.rate},
    }
    if cases := [
        replace(case, read=_noised(case.document.id, case.read, noise, seed)) for case in make_cases(documents)
    ]:
        bodies = [Document(case.document.id, case.read) for case in cases]
        written = list(writer.summarise(watch(bodies, "conclusions")))
        texts, finished = [summary.text for summary in written], [summary.finished for summary in written]
        record["conclusion"] = score_conclusions(cases, texts, finished, drugs, seed, resamples)
    if asked := documents[: amount.exercises]:
        read = [replace(each, text=_noised(each.id, each.text, noise, seed), entities=()) for each in asked]
        drafts = amount.drafts if noise is None else 0
        record["exercises"] = _score_exercises(writer, read, replace(amount, drafts=drafts), seed, resamples, watch)
    if annotated and (labelled := documents[: amount.entities]):
        record["entities"] = score_entities(writer, labelled, seed, noise, resamples, watch)
    if len(record) == 2:
        raise ScoreError("the split has no conclusions, and nothing else was asked for")
    return record


def _noised(identifier: str, text: str, noise: Noise | None, seed: int) -> str:
    return text if noise is None else noise.apply(Document(identifier, text), seed).text


def _score_exercises(
    writer: Writer, reports: Sequence[Document], amount: Amount, seed: int, resamples: int, watch: Watch
) -> dict[str, Any]:
    # The attributes hold the gold, which no writer may see.
    bare = [Document(report.id, report.text) for report in reports]
    free = {kind: writer.draft(bare[: amount.drafts], kind) for kind in KINDS} if amount.drafts else {}
    asked = watch(bare, "exercises")
    sets = list(writer.exercises(asked, kinds=KINDS, count=amount.questions, progressive=True, seed=seed))
    return score_exercises(reports, sets, amount.questions, free, known_terms(), seed, resamples)


def score_baselines(
    documents: Sequence[Document],
    split: str,
    seed: int,
    amount: Amount,
    chance: Writer | None = None,
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, Any]]:
    """Return the scores of what needs no model: `BASELINES`, exercises by chance, and the gold held to the same rules.

    Args:
        documents: Of the split.
        split: Its name; the gold exercises' wrong answers are of its knowledge.
        seed: Of bootstrap and exercises.
        amount: On how many reports exercises are scored, and how many questions are asked by chance.
        chance: A student's words over `evaluation.chance`; None where it writes no exercises.
        resamples: Of the bootstrap.
    """
    cases, drugs = make_cases(documents), list_drugs()
    writers: dict[str, dict[str, Any]] = {GOLD: {}}
    if cases:
        for name, write in BASELINES.items():
            texts = [write(case.document, case.body) for case in cases]
            conclusion = score_conclusions(cases, texts, [True] * len(cases), drugs, seed, resamples)
            writers[name] = {"conclusion": conclusion}
        gold = [case.body.conclusion for case in cases]
        sources = [case.source for case in cases]
        writers[GOLD]["conclusion"] = {
            "n": len(cases), "faithfulness": score_faithfulness(sources, gold, drugs, seed, resamples)
        }  # fmt: skip
    asked = documents[: amount.exercises]
    if chance is not None and asked:
        bare = [Document(report.id, report.text) for report in asked]
        sets = list(chance.exercises(bare, kinds=KINDS, count=amount.questions, progressive=True, seed=seed))
        exercises = score_exercises(asked, sets, amount.questions, {}, known_terms(), seed, resamples)
        writers[CHANCE] = {"exercises": exercises}
    synthetic = [document for document in asked if "facts" in document.attributes]
    if synthetic:
        sets = [_gold_questions(document, split, seed) for document in synthetic]
        writers[GOLD]["exercises"] = score_exercises(synthetic, sets, 0, {}, known_terms(), seed, resamples)
    return writers


def _gold_questions(document: Document, split: str, seed: int) -> QuestionSet:
    drafts = make_drafts(document, split, seed)
    alone = tuple(draft.question for group in drafts if len(group) == 1 for draft in group)
    linked = tuple(draft.question for group in drafts if len(group) > 1 for draft in group)
    return QuestionSet(document.id, alone, linked)


@cache
def known_terms() -> Terms:
    """Return the words that are known for each type of answer, by every split's knowledge."""
    types = {asks for split in SPLITS for asks in list_terms(split)}
    return list_types(
        {asks: [term.surface for split in SPLITS for term in list_terms(split).get(asks, ())] for asks in types}
    )
