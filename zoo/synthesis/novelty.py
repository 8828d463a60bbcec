"""How much of the test set was never seen in training: surfaces, mentions, sentences, word 4-grams."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

WORD = re.compile(r"\w+")
DIGITS = re.compile(r"\d+")


def list_surfaces(document: dict) -> list[tuple[str, str]]:
    """Return (label, case-folded surface) of every entity."""
    text = document["text"]
    return [(item["label"], text[item["start"] : item["end"]].casefold()) for item in document["entities"]]


def list_sentences(text: str) -> list[str]:
    """Return the sentences (and lines) of a text, numbers masked, so that a new number is not a new sentence."""
    pieces = re.split(r"(?<=[.!?])\s+|\n+", text)
    return [DIGITS.sub("0", piece).casefold().strip() for piece in pieces if len(piece.split()) > 2]


def list_four_grams(text: str) -> Iterable[tuple[str, ...]]:
    """Return word 4-grams, numbers masked."""
    words = WORD.findall(DIGITS.sub("0", text).casefold())
    return zip(words, words[1:], words[2:], words[3:], strict=False)


def measure_novelty(train: Iterable[dict], test: Iterable[dict]) -> dict:
    """Measure what the test documents hold that the training ones never showed.

    Args:
        train: training documents; read once, so they may be streamed.
        test: test documents.

    Returns:
        `surfaces` and `mentions`: share of new distinct surfaces and of mentions with a new surface, per label and
        "all"; `sentences` and `four_grams`: share of new ones; `scenarios_shared`: scenarios in both (should be none).
    """
    known: dict[str, set[str]] = defaultdict(set)
    sentences: set[str] = set()
    grams: set[tuple[str, ...]] = set()
    scenarios: set[str] = set()
    for document in train:
        for label, surface in list_surfaces(document):
            known[label].add(surface)
        sentences.update(list_sentences(document["text"]))
        grams.update(list_four_grams(document["text"]))
        scenarios.add(document.get("scenario", ""))
    mentions: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    new_sentences: list[bool] = []
    new_grams: list[bool] = []
    shared: set[str] = set()
    for document in test:
        for label, surface in list_surfaces(document):
            mentions[label].append((surface, surface not in known[label]))
        new_sentences += [sentence not in sentences for sentence in list_sentences(document["text"])]
        new_grams += [gram not in grams for gram in list_four_grams(document["text"])]
        shared |= {document.get("scenario", "")} & scenarios - {""}
    mentions["all"] = [(f"{label} {surface}", new) for label, found in mentions.items() for surface, new in found]
    return {
        "surfaces": {label: _share(dict(found).values()) for label, found in sorted(mentions.items())},
        "mentions": {label: _share(new for _, new in found) for label, found in sorted(mentions.items())},
        "sentences": _share(new_sentences),
        "four_grams": _share(new_grams),
        "scenarios_shared": sorted(shared),
    }


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return round(sum(values) / len(values), 4) if values else 0.0
