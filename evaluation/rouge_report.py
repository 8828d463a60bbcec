"""ROUGE for French: Google's `rouge-score` over our own tokens, with document-bootstrap intervals.

`rouge-score` keeps only a-z and 0-9: to it, "été" and "ét" are both "t", and score 1.0. Here words keep their accents,
numbers their decimals (`0,5`, one token, equal to `0.5`), and units are tokens (`%`, `°C`, `µg`, apart from the number
before them whether a space stands there or not).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

from carabin.exercises.units import find_units
from carabin.scoring.bootstrap import RESAMPLES, bootstrap_ratio

ROUGES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
"""Unigrams, bigrams, longest common subsequence of the texts, union of those of their sentences (Lin, 2004)."""

_TOKEN = re.compile(r"aujourd'hui|[0-9]+(?:[.,][0-9]+)?|[^\W\d_]+|%|°[a-z]?")
_SHORTEST_STEMMED = 4
"""`rouge-score` stems words of more than three letters only; so do we."""


class FrenchTokenizer(Tokenizer):
    """Lower-case words with their accents, numbers with their decimals, units."""

    def __init__(self, stem: bool = False) -> None:
        """Prepare the tokenizer.

        Args:
            stem: Reduce words to their stems (Snowball's French stemmer): `traitements` counts as `traitement`.
        """
        self._stem = _load_stemmer() if stem else None

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text, in order."""
        # Composed, so that the two ways to type "é" are one; the micro sign and the Greek letter likewise.
        plain = unicodedata.normalize("NFC", text).lower().replace("\u00b5", "\u03bc").replace("’", "'")
        tokens = [_with_comma(token) for token in _TOKEN.findall(plain)]
        if self._stem is None:
            return tokens
        return [self._stem.stem(token) if len(token) >= _SHORTEST_STEMMED else token for token in tokens]


@cache
def _load_stemmer() -> Any:  # noqa: ANN401 - nltk has no types
    from nltk.stem import SnowballStemmer

    return SnowballStemmer("french")


def _with_comma(token: str) -> str:
    return token.replace(".", ",") if token[0].isdigit() else token


def split_sentences(text: str) -> str:
    """Return a text with one sentence a line, as ROUGE-Lsum wants it."""
    return "\n".join(text[start:end] for start, end in find_units(text))


def score_texts(predictions: Sequence[str], references: Sequence[str], stem: bool = False) -> dict[str, list[float]]:
    """Return each document's F-measures, by name of the metric.

    An empty text, predicted or expected, scores 0.

    Args:
        predictions: What was written, one text a document.
        references: What should have been.
        stem: See `FrenchTokenizer`.

    Raises:
        ValueError: the two lists differ in length.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} texts written for {len(references)} expected: give both lists whole")
    whole = RougeScorer(list(ROUGES[:-1]), tokenizer=FrenchTokenizer(stem))
    by_sentence = RougeScorer(list(ROUGES[-1:]), tokenizer=FrenchTokenizer(stem))
    found: dict[str, list[float]] = {name: [] for name in ROUGES}
    for written, expected in zip(predictions, references, strict=True):
        scores = whole.score(expected, written)
        scores.update(by_sentence.score(split_sentences(expected), split_sentences(written)))
        for name in ROUGES:
            found[name].append(float(scores[name].fmeasure))
    return found


def report_scores(scores: dict[str, list[float]], seed: int, resamples: int = RESAMPLES) -> dict[str, dict[str, Any]]:
    """Return the mean of each metric over documents, with its document-bootstrap interval.

    Raises:
        ValueError: no documents.
    """
    return {name: bootstrap_ratio(values, [1.0] * len(values), seed, resamples) for name, values in scores.items()}
