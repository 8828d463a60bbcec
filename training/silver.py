"""Silver labels: what terminologies call the words of transfer text, and how that mixes with the teacher's answer.

    <run>/silver/shard-00000.parquet   as the teacher pass writes them; rows of zeros where no name matches
    <run>/silver/run.json              written last: which terminologies, gold and transfer texts; how much was labelled

A match says that its words carry its label, and is as sure as the terminology's `confidence`. That nothing matches is
no evidence, and those words keep the teacher's distribution untouched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Document
from carabin.names.matching import keep_longest, nested_in_longer
from carabin.tokens.tagging import bio_tags, constrained_tags
from carabin.tokens.words import Offsets, find_words
from training.processes import Processes
from training.teacher_pass import read_targets, write_targets
from training.texts import gold_documents, transfer_documents
from zoo.energy import measure_energy
from zoo.labels import LABEL_SETS
from zoo.plan import Plan
from zoo.registry import Terminology
from zoo.runs import RunError, read_json, run_step
from zoo.terminologies import Match, Name, Names, read_names


class SilverMatch(NamedTuple):
    """A name found by one of several terminologies: words `first` to `last`, half-open."""

    first: int
    last: int
    terminology: Terminology


class SilverLabeller:
    """Labels words by the names of terminologies, as a teacher does (`training.teacher_pass.Labeller`)."""

    def __init__(self, terminologies: Sequence[tuple[Terminology, Names]], labels: Sequence[str]) -> None:
        """Hold the names.

        Args:
            terminologies: With the names each is believed on; of equally long matches the first one's counts.
            labels: The student's label set.

        Raises:
            RunError: a terminology's label is not of the set.
        """
        for terminology, _ in terminologies:
            if terminology.label not in labels:
                known = ", ".join(labels)
                raise RunError(f"terminology '{terminology.id}': label '{terminology.label}' is not one of {known}")
        self.terminologies, self.labels = terminologies, tuple(labels)
        self.tags = bio_tags(labels)

    def word_probabilities(self, texts: Sequence[str]) -> list[tuple[Offsets, NDArray[np.float32]]]:
        """Return each text's words (n, 2) and rows (n, n_tags) that sum to the match's confidence, or to zero."""
        return [self._label(text) for text in texts]

    def _label(self, text: str) -> tuple[Offsets, NDArray[np.float32]]:
        words = find_words(text)
        rows = np.zeros((len(words), len(self.tags)), dtype=np.float32)
        for match in self.find(text, words):
            inside = 2 + 2 * self.labels.index(match.terminology.label)
            rows[match.first : match.last, inside] = match.terminology.confidence
            rows[match.first, [inside - 1, inside]] = match.terminology.confidence, 0.0
        return words, rows

    def find(self, text: str, words: Offsets) -> list[SilverMatch]:
        """Return the matches of all terminologies in a text, the longest where they overlap, in no special order."""
        found = [
            SilverMatch(match.first, match.last, terminology)
            for terminology, names in self.terminologies
            for match in names.find(text, words)
        ]
        return keep_longest(found, len(words))


def mix_with_teacher(taught: NDArray[np.floating], silver: NDArray[np.floating]) -> NDArray[np.float16]:
    """Return the teacher's distributions where no name matches, and the mixture of both where one does.

    With confidence c a match gives c to its own tag and leaves 1 - c to the teacher: c is the probability that the
    match is right, and the teacher answers for the rest. Inside a longer entity of the teacher's a match says nothing:
    gold keeps the outermost span ("carence en vitamine D" is a disease, and no vitamin).

    Args:
        taught: The teacher's rows, shape (n_words, n_tags), sum to one.
        silver: Of the same words, from `SilverLabeller`.

    Returns:
        Shape (n_words, n_tags), rows sum to one as nearly as half precision does.
    """
    believed = silver.astype(np.float32)
    for first, last in nested_in_longer(_entities_of(believed.argmax(axis=1)), _teachers_entities(taught)):
        believed[first:last] = 0.0
    mass = believed.sum(axis=1, keepdims=True)
    return (believed + (1.0 - mass) * taught.astype(np.float32)).astype(np.float16)


def _teachers_entities(taught: NDArray[np.floating]) -> list[tuple[int, int]]:
    floor = np.finfo(np.float32).tiny
    return _entities_of(constrained_tags(np.log(np.maximum(taught.astype(np.float64), floor)))) if len(taught) else []


def _entities_of(tags: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the half-open runs of words that begin at a B tag and go on with I tags."""
    firsts = np.flatnonzero(tags % 2 == 1)
    stops = np.append(np.flatnonzero((tags % 2 == 1) | (tags == 0)), len(tags))
    return [(int(first), int(stops[np.searchsorted(stops, first, side="right")])) for first in firsts]


def label_by_names(plan: Plan) -> Path | None:
    """Write the silver labels of the plan's transfer texts unless they are there; None where no terminology teaches."""
    if not plan.profile.terminologies:
        return None
    folder, group = plan.folder / "silver", Processes()
    inputs = {
        "stage": "silver",
        "terminologies": plan.describe_terminologies(plan.profile.terminologies),
        "gold": plan.corpora("gold"),
        "corpora": plan.corpora("transfer"),
        "labels": plan.student.labels,
    }

    def work(into: Path) -> dict[str, Any]:
        figures: dict[str, Any] = {}
        with measure_energy(figures):
            labeller = make_labeller(plan)
            figures |= write_targets(labeller, transfer_documents(plan), into, title="silver labels", group=group)
            figures["silver"] = count_labelled(into, labeller.labels)
        return figures

    run_step(folder, inputs, work, group=group)
    return folder


def make_labeller(plan: Plan) -> SilverLabeller:
    """Return the labeller of a plan's terminologies, without the names that its gold contradicts."""
    labels = LABEL_SETS[plan.student.labels]
    gold = list(gold_documents(plan))
    believed = []
    for terminology in plan.terminologies(plan.profile.terminologies):
        names = read_names(plan.registry, terminology)
        believed.append((terminology, names.without(contradicted_names(terminology, names, gold))))
    return SilverLabeller(believed, labels)


def contradicted_names(terminology: Terminology, names: Names, gold: Iterable[Document]) -> set[Name]:
    """Return the names that annotators more often left unlabelled, or labelled otherwise, than with this label.

    Where gold and a terminology disagree, gold says what the label means ("fréquent" is a term of HPO, and no disease).
    """
    votes: Counter[Name] = Counter()
    for document in gold:
        words = find_words(document.text)
        for match in names.find(document.text, words):
            votes[match.name] += 1 if verdict_of(match, words, document, terminology.label) in AGREEING else -1
    return {name for name, vote in votes.items() if vote < 0}


AGREEING = ("exact", "inside")


def verdict_of(match: Match, words: Offsets, document: Document, label: str) -> str:
    """Return how a match stands to a document's gold, whose spans do not overlap.

    Returns:
        `exact`: this span and label; `inside`: within a longer span of this label; `nested`: within a longer one of
        another; `label`: this span, another label; `edges`: some overlap else; `nothing`: no gold there.
    """
    start, end = int(words[match.first, 0]), int(words[match.last - 1, 1])
    for entity in document.entities:
        if entity.start < end and start < entity.end:
            if (entity.start, entity.end) == (start, end):
                return "exact" if entity.label == label else "label"
            if entity.start <= start and end <= entity.end:
                return "inside" if entity.label == label else "nested"
            return "edges"
    return "nothing"


def count_labelled(folder: Path, labels: Sequence[str]) -> dict[str, int]:
    """Return how many words of the transfer text were read, and how many carry each silver label."""
    counts: Counter[str] = Counter(words=0)
    for _, words, rows in read_targets(folder, 1 + 2 * len(labels)):
        counts["words"] += len(words)
        tags = rows[rows.sum(axis=1) > 0].argmax(axis=1)
        counts.update(labels[(tag - 1) // 2] for tag in tags.tolist())
    return dict(counts)


def read_silver(folder: Path | None, n_tags: int) -> Iterator[NDArray[np.float16]] | Iterator[None]:
    """Return the silver rows of each transfer text, in order; without a folder, as many None as are asked for."""
    return repeat(None) if folder is None else (rows for _, _, rows in read_targets(folder, n_tags))


def describe_silver(folder: Path) -> str:
    """Return in one line how much of the transfer text carries silver labels."""
    counts = dict(read_json(folder / "run.json")["silver"])
    words = counts.pop("words")
    shares = ", ".join(f"{label} {count:,} ({count / max(words, 1):.1%})" for label, count in sorted(counts.items()))
    return f"silver  {words:,} words of transfer text: {shares or 'no name matches'}"
