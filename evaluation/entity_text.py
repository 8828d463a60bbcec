"""Entities that a student writes down, held against gold spans: the scores that taggers get, on the same spans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from carabin.documents import Document
from carabin.scoring.bootstrap import RESAMPLES
from carabin.scoring.ner_tally import NerTally
from evaluation.ner_report import Noise, ScoreError


class EntityWriter(Protocol):
    """What is asked of a writer: `carabin.generation.writer.Writer`."""

    def entities(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield each document with the entities that were found in it."""
        ...


def score_entities(
    writer: EntityWriter,
    documents: Sequence[Document],
    seed: int,
    noise: Noise | None = None,
    resamples: int = RESAMPLES,
    watch: Callable[[Iterable[Document], str], Iterable[Document]] = lambda documents, _: documents,
) -> dict[str, Any]:
    """Return NER scores of what a writer finds, as `evaluation.ner_report` gives them of a tagger.

    There is no confidence in what is written, so that `ece` has no value.

    Args:
        writer: The model.
        documents: With gold entities that do not overlap; one at least.
        seed: Of the noise and of the bootstrap.
        noise: Perturb each document first.
        resamples: Of the bootstrap.
        watch: Given documents and what is done with them: passes them on, showing progress.

    Raises:
        ScoreError: another text came back than was given, or fewer documents.
    """
    read = list(documents) if noise is None else [noise.apply(document, seed) for document in documents]
    tally = NerTally()
    asked = watch([Document(document.id, document.text) for document in read], "entities")
    for answered, gold in zip(writer.entities(asked), read, strict=True):
        if answered.text != gold.text:
            raise ScoreError(f"document '{gold.id}': its entities came back on another text")
        tally.add(answered.entities, gold.entities)
    lost = sum(len(before.entities) - len(after.entities) for before, after in zip(documents, read, strict=True))
    return {
        **tally.summary(seed, resamples),
        "nested_dropped": sum(int(document.attributes.get("nested_dropped", 0)) for document in documents),
        "entities_lost": lost,
    }
