"""What calibration fits: one temperature, and a threshold for each label, from a student's answers on dev documents.

**The temperature** minimises the log loss of the *entities'* scores: at score s, is this entity exactly right? That is
what a hospital reads off a score. The log loss of words, which temperature scaling usually minimises, barely helps:
most words are plainly outside, and a student that is right about nearly all of them is still far too sure of where an
entity ends. What suits entities is too modest for words; both errors are reported. The set of entities does not depend
on the temperature, so it is decoded once.

**A label's threshold** is the score that maximises its exact F1, the metric that students are compared by. Of equal
cuts the lowest, which keeps most. The cut lies midway between two scores met, because dynamic INT8 moves a score's last
decimals with the batch. A label with fewer than `LEAST_SUPPORT` gold or found entities has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from carabin.documents import Document, Entity
from carabin.scoring.ner_scores import Counts
from carabin.scoring.reliability import Reliability
from carabin.tokens.tagging import decode_spans, encode_spans
from carabin.tokens.words import Offsets
from evaluation.ner_report import WordTagger

TEMPERATURES = (0.1, 20.0)
LEAST_SUPPORT = 30
LEAST_OUTCOMES = 15
"""Entities right, and entities wrong, below which a temperature would be fitted to chance."""
_BUFFER = 64
_SMALLEST = float(np.finfo(np.float32).tiny)
_SURE = 1e-6
"""Scores are held this far from 0 and 1 in the log loss, as one wrong entity at 1.0 would cost infinitely much."""


@dataclass(frozen=True)
class Answer:
    """What a student says of one document, at temperature 1."""

    words: Offsets
    probabilities: NDArray[np.float32]
    """Shape (n_words, n_tags)."""
    gold_tags: NDArray[np.int64]
    gold: tuple[Entity, ...]


def collect_answers(annotator: WordTagger, documents: Iterable[Document]) -> Iterator[Answer]:
    """Yield the student's answer for each document; gold must not overlap."""
    stream = iter(documents)
    while batch := list(islice(stream, _BUFFER)):
        scored = annotator.word_probabilities([document.text for document in batch])
        for document, (words, probabilities) in zip(batch, scored, strict=True):
            tags = encode_spans(words, document.entities, annotator.labels)
            yield Answer(words, probabilities, tags, document.entities)


def temper(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return the distributions that the same logits give at another temperature. Shape (n_words, n_tags).

    The logarithm of a probability is its logit but for a constant of the row, which the softmax takes out again. A word
    for which the tokenizer made no token has no logits: it stays surely outside.
    """
    logits = np.log(np.maximum(probabilities, _SMALLEST), dtype=np.float64) / temperature
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    tempered = shifted / shifted.sum(axis=1, keepdims=True)
    unread = ~probabilities[:, 1:].any(axis=1)
    tempered[unread] = probabilities[unread]
    return tempered


class FoundEntities:
    """The entities that a student finds, with all that their scores at any temperature depend on."""

    def __init__(self, answers: Iterable[Answer], labels: tuple[str, ...]) -> None:
        """Decode each document once, and keep the distributions of the words inside entities."""
        self.names: list[str] = []
        self.gold: Counter[str] = Counter()
        self.documents = 0
        right: list[bool] = []
        rows, columns, lengths = [], [], []
        for answer in answers:
            self.documents += 1
            self.gold.update(entity.label for entity in answer.gold)
            places = {(entity.start, entity.end, entity.label) for entity in answer.gold}
            for entity in decode_spans(answer.words, answer.probabilities, labels):
                inside = (answer.words[:, 0] >= entity.start) & (answer.words[:, 1] <= entity.end)
                rows.append(answer.probabilities[inside])
                columns.append(np.full(len(rows[-1]), 1 + 2 * labels.index(entity.label)))
                lengths.append(len(rows[-1]))
                self.names.append(entity.label)
                right.append((entity.start, entity.end, entity.label) in places)
        self.right = np.asarray(right, dtype=bool)
        self._rows = np.concatenate(rows) if rows else np.zeros((0, 1 + 2 * len(labels)), dtype=np.float32)
        self._columns = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
        self._lengths = np.asarray(lengths, dtype=np.int64)

    def scores(self, temperature: float) -> NDArray[np.float64]:
        """Return the entities' scores at a temperature, as `decode_spans` defines them. Shape (n_entities,)."""
        if not len(self._lengths):
            return np.zeros(0)
        tempered = temper(self._rows, temperature)
        place = np.arange(len(tempered))
        share = tempered[place, self._columns] + tempered[place, self._columns + 1]
        firsts = np.cumsum(self._lengths) - self._lengths
        return np.clip(np.add.reduceat(share, firsts) / self._lengths, 0.0, 1.0)

    def log_loss(self, temperature: float) -> float:
        """Return the mean negative log likelihood of right and wrong under the scores."""
        scores = np.clip(self.scores(temperature), _SURE, 1 - _SURE)
        return float(-np.mean(np.where(self.right, np.log(scores), np.log(1 - scores))))

    def calibration_error(self, temperature: float) -> float | None:
        """Return the expected calibration error of the scores against exact correctness; None without entities."""
        reliability = Reliability()
        reliability.add(self.scores(temperature), self.right)
        return reliability.report()["value"]


def word_calibration_error(answers: Iterable[Answer], temperature: float) -> float | None:
    """Return the expected calibration error of words: most probable tag against gold tag."""
    reliability = Reliability()
    for answer in answers:
        if len(answer.words):
            tempered = temper(answer.probabilities, temperature)
            reliability.add(tempered.max(axis=1), tempered.argmax(axis=1) == answer.gold_tags)
    return reliability.report()["value"]


def fit_temperature(found: FoundEntities) -> tuple[float, str]:
    """Return the temperature of least log loss, and what it rests on, in words; 1.0 where that is too little."""
    right, wrong = int(found.right.sum()), int((~found.right).sum())
    basis = f"{right} entities found right and {wrong} wrong"
    if min(right, wrong) < LEAST_OUTCOMES:
        return 1.0, f"not fitted: {basis}, fewer than {LEAST_OUTCOMES} of one kind"
    bounds = tuple(np.log(TEMPERATURES))
    best = minimize_scalar(lambda t: found.log_loss(float(np.exp(t))), bounds=bounds, method="bounded")
    return round(float(np.exp(best.x)), 4), basis


def fit_thresholds(found: FoundEntities, temperature: float) -> tuple[dict[str, float], dict[str, str]]:
    """Return (label -> threshold, label without one -> why) at a temperature."""
    scores, names = found.scores(temperature), np.asarray(found.names)
    thresholds: dict[str, float] = {}
    without: dict[str, str] = {}
    for label in sorted({*found.gold, *found.names}):
        mine = names == label if len(names) else np.zeros(0, dtype=bool)
        gold, here = found.gold[label], int(mine.sum())
        if min(gold, here) < LEAST_SUPPORT:
            without[label] = f"{gold} gold and {here} found on dev, fewer than {LEAST_SUPPORT}"
        else:
            thresholds[label] = best_threshold(scores[mine], found.right[mine], gold)
    return thresholds, without


def best_threshold(scores: NDArray[np.float64], right: NDArray[np.bool_], gold: int) -> float:
    """Return the least score to keep for the largest F1; 0 where keeping all is best."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    tp, kept = np.cumsum(right[order]), np.arange(1, len(scores) + 1)
    f1 = 2 * tp / (kept + gold)
    # Equal scores are kept or left out together.
    f1[:-1][ranked[:-1] == ranked[1:]] = -1
    last = len(f1) - 1 - int(np.argmax(f1[::-1]))
    if last == len(f1) - 1:
        return 0.0
    middle = round(float(ranked[last] + ranked[last + 1]) / 2, 4)
    # Rounded for the reader, unless two scores are nearer to each other than that.
    return middle if ranked[last + 1] < middle <= ranked[last] else float(ranked[last])


def f1_with(found: FoundEntities, temperature: float, thresholds: dict[str, float]) -> dict[str, Any]:
    """Return exact F1, precision and recall of what the thresholds keep."""
    least = np.asarray([thresholds.get(name, 0.0) for name in found.names])
    kept = found.scores(temperature) >= least
    counts = Counts(int((found.right & kept).sum()), int(kept.sum()), sum(found.gold.values()))
    return {"f1": counts.f1, "precision": counts.precision, "recall": counts.recall}
