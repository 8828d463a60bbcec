"""Do two annotators agree? Cohen's kappa over words.

kappa = (p_o - p_e) / (1 - p_e): p_o is the share of words to which both gave the same label (or none), p_e what two
annotators who label at random, each as often as they do, would reach (Cohen, "A coefficient of agreement for nominal
scales", 1960). A word has the label of the entity that it shares a character with.

Nearly all words of a note are outside any entity, for both: that raises p_o and p_e alike and says little. So kappa is
also given over the words that at least one of them labelled (as Deléger et al., "Building gold standard corpora for
medical natural language processing tasks", 2012, do), where it is a lower bound. For entities, F1 between the two is
the figure to read: it is what kappa tends to as the words outside grow (Hripcsak and Rothschild, 2005).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Entity
from carabin.scoring.bootstrap import RESAMPLES, bootstrap_statistic
from carabin.tokens.tagging import encode_spans
from carabin.tokens.words import find_words

OUTSIDE = ""


class WordAgreement:
    """Adds up documents; `summary` gives kappa with its interval."""

    def __init__(self) -> None:
        self.documents: list[Counter[tuple[str, str]]] = []

    def add(self, text: str, one: Sequence[Entity], other: Sequence[Entity]) -> None:
        """Add a document as two annotators saw it. Entities of one annotator must not overlap."""
        words = find_words(text)
        labels = tuple(sorted({entity.label for entity in (*one, *other)}))
        names = np.asarray([OUTSIDE, *labels], dtype=object)
        sides = (names[(encode_spans(words, spans, labels) + 1) // 2] for spans in (one, other))
        self.documents.append(Counter(zip(*sides, strict=True)))

    def summary(self, seed: int, resamples: int = RESAMPLES) -> dict[str, Any]:
        """Return `words`, `kappa_words`, `kappa_labelled_words`, each kappa with its document-bootstrap interval.

        A kappa is None where it is not defined: no words, or both gave one same label to all of them.
        """
        labels = sorted({label for document in self.documents for pair in document for label in pair} | {OUTSIDE})
        number = {label: place for place, label in enumerate(labels)}
        tables = np.zeros((len(self.documents), len(labels), len(labels)))
        for table, document in zip(tables, self.documents, strict=True):
            for (one, other), times in document.items():
                table[number[one], number[other]] = times
        labelled = tables.copy()
        labelled[:, number[OUTSIDE], number[OUTSIDE]] = 0
        return {
            "words": int(tables.sum()),
            "kappa_words": _with_interval(tables, seed, resamples),
            "kappa_labelled_words": _with_interval(labelled, seed, resamples),
        }


def _with_interval(tables: NDArray[np.float64], seed: int, resamples: int) -> dict[str, Any]:
    size = tables.shape[1]

    def statistic(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return kappa_of(rows.reshape(*rows.shape[:-1], size, size))

    return bootstrap_statistic(tables.reshape(len(tables), -1), statistic, seed, resamples)


def kappa_of(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Cohen's kappa of confusion matrices, NaN where it is not defined.

    Args:
        tables: Shape (..., n_labels, n_labels): how often one annotator's row met the other's column.
    """
    total = tables.sum(axis=(-2, -1))
    # One word at least, so that an empty table divides by something; it comes out undefined below.
    share = tables / np.maximum(total, 1)[..., None, None]
    observed = np.trace(share, axis1=-2, axis2=-1)
    expected = (share.sum(axis=-1) * share.sum(axis=-2)).sum(axis=-1)
    room = 1 - expected
    defined = (total > 0) & (room > 1e-12)
    return np.where(defined, (observed - expected) / np.where(defined, room, 1), np.nan)
