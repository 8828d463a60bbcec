"""Documents in, one split's scores out: F1 with intervals, each label's, calibration, all in one pass.

The annotator's own words, windows and decoding are used, so what is measured is what hospitals run. Documents are read
lazily; only their counts are kept.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Document
from carabin.errors import CarabinError
from carabin.names.name_list import NameList
from carabin.scoring.bootstrap import RESAMPLES
from carabin.scoring.ner_tally import NerTally
from carabin.scoring.reliability import Reliability
from carabin.tokens.tagging import decode_spans, encode_spans
from carabin.tokens.words import Offsets, find_words
from zoo.labels import LABEL_SETS
from zoo.noise import KINDS, carry_entities, perturb

_BUFFER = 256


class ScoreError(CarabinError):
    """Something that cannot be scored as it stands; the message names it, the cause and the way out."""


class WordTagger(Protocol):
    """What is asked of an annotator: `carabin.annotator.Annotator`, or an oracle in a test."""

    @property
    def labels(self) -> Sequence[str]:
        """The label set, in the order of the tags."""
        ...

    def word_probabilities(self, texts: Sequence[str]) -> list[tuple[Offsets, NDArray[np.float32]]]:
        """Return, for each text, its words (n, 2) and their tag distributions (n, n_tags)."""
        ...


@dataclass(frozen=True)
class Noise:
    """A perturbation of the test texts, written `typo:0.1`."""

    kind: str
    """A name of `zoo.noise.KINDS`."""
    rate: float
    """Share of the eligible words that are changed."""

    @classmethod
    def parse(cls, text: str) -> Noise:
        """Return the noise that `kind:rate` names. Raises ScoreError: it names none."""
        kind, _, rate = text.partition(":")
        try:
            noise = cls(kind, float(rate))
        except ValueError:
            raise ScoreError(f"noise '{text}' is not written kind:rate, as in typo:0.1") from None
        if kind not in KINDS or not 0 <= noise.rate <= 1:
            raise ScoreError(f"noise '{text}': the kind is one of {', '.join(KINDS)}, the rate lies in [0, 1]")
        return noise

    def __str__(self) -> str:
        return f"{self.kind}:{self.rate:g}"

    def apply(self, document: Document, seed: int) -> Document:
        """Return the document as it reads under this noise, its gold entities moved along.

        The noise depends on the seed and on the document's id only: not on the documents before it, nor on the process.
        Gold keeps its characters: where two words were glued and one of them was gold, no tagger of words can be exact,
        and that loss belongs to the score under `glue`, `pdf` and `ocr`.
        """
        words = find_words(document.text)
        noised = perturb(document.text, self.kind, self.rate, random.Random(f"{seed}/{self}/{document.id}"), words)
        return replace(document, text=noised.text, entities=carry_entities(document.entities, words, noised))


@dataclass
class _Tally:
    """What is kept of the documents read so far."""

    entities: NerTally = field(default_factory=NerTally)
    words: Reliability = field(default_factory=Reliability)
    nested_dropped: int = 0
    lost_to_noise: int = 0


def score_documents(
    annotator: WordTagger,
    documents: Iterable[Document],
    labels: str | Sequence[str],
    seed: int,
    noise: Noise | None = None,
    resamples: int = RESAMPLES,
    names: NameList | None = None,
) -> dict[str, Any]:
    """Annotate documents and score what was found against their gold entities.

    Args:
        annotator: The model.
        documents: With gold entities that do not overlap; `attributes["nested_dropped"]` says how many were dropped.
        labels: Name of a label set of `zoo.labels`, or the labels: those that are scored.
        seed: Of the noise and of the bootstrap.
        noise: Perturb each document first; None scores it as it is.
        resamples: Of the bootstrap.
        names: Put beside what the model finds, as `carabin.annotator` does.

    Returns:
        The part of a split's record that does not depend on where the documents came from (see `evaluation.score_ner`):
        `documents`, `entities`, `nested_dropped`, `noise`, `ner_exact_f1`, `ner_overlap_f1`, `by_label`, `ece`,
        `ece_words`, `counts`.

    Raises:
        ScoreError: no documents; the model does not know a label of the set; gold entities overlap or have a label
            outside the set.
    """
    wanted = _label_set(labels, annotator)
    tally = _Tally()
    stream = iter(documents)
    while batch := list(islice(stream, _BUFFER)):
        _add_batch(tally, annotator, list(_prepared(batch, tally, seed, noise)), wanted, names)
    if not len(tally.entities):
        raise ScoreError("no documents to score: is the split empty?")
    return _summary(tally, noise, seed, resamples)


def _label_set(labels: str | Sequence[str], annotator: WordTagger) -> frozenset[str]:
    if isinstance(labels, str) and labels not in LABEL_SETS:
        raise ScoreError(f"label set '{labels}' is not one of {', '.join(LABEL_SETS)}")
    wanted = frozenset(LABEL_SETS[labels] if isinstance(labels, str) else labels)
    if unknown := sorted(wanted - set(annotator.labels)):
        raise ScoreError(f"the model has no label {', '.join(unknown)}: score it on a corpus of its own label set")
    return wanted


def _prepared(batch: list[Document], tally: _Tally, seed: int, noise: Noise | None) -> Iterator[Document]:
    for document in batch:
        tally.nested_dropped += int(document.attributes.get("nested_dropped", 0))
        if noise is not None:
            entities = len(document.entities)
            document = noise.apply(document, seed)
            tally.lost_to_noise += entities - len(document.entities)
        yield document


def _add_batch(
    tally: _Tally, annotator: WordTagger, batch: list[Document], wanted: frozenset[str], names: NameList | None
) -> None:
    scored = annotator.word_probabilities([document.text for document in batch])
    for document, (words, probabilities) in zip(batch, scored, strict=True):
        if outside := sorted({entity.label for entity in document.entities} - wanted):
            raise ScoreError(
                f"document '{document.id}': gold label {', '.join(outside)} is not in the label set scored"
            )
        try:
            gold_tags = encode_spans(words, document.entities, annotator.labels)
        except ValueError as error:
            raise ScoreError(f"document '{document.id}': {error}; flatten nested gold to the outermost first") from None
        found = decode_spans(words, probabilities, annotator.labels)
        if names is not None:
            found = names.add_to(document.text, words, found)
        tally.entities.add([entity for entity in found if entity.label in wanted], document.entities)
        if len(words):
            tally.words.add(probabilities.max(axis=1), probabilities.argmax(axis=1) == gold_tags)


def _summary(tally: _Tally, noise: Noise | None, seed: int, resamples: int) -> dict[str, Any]:
    return {
        **tally.entities.summary(seed, resamples),
        "nested_dropped": tally.nested_dropped,
        "noise": noise and {"kind": noise.kind, "rate": noise.rate, "entities_lost": tally.lost_to_noise},
        "ece_words": tally.words.report(),
    }
