"""Streams fictitious reports: document i depends only on (split, seed, i)."""

from __future__ import annotations

import random
from collections.abc import Iterator

from zoo.synthesis.case import Case
from zoo.synthesis.invented import NameInventor
from zoo.synthesis.kinds import KINDS
from zoo.synthesis.knowledge import SPLITS, load_knowledge
from zoo.synthesis.markup import PII, UMLS

LABEL_SETS = {"umls": UMLS, "pii": PII}


def generate_reports(split: str, count: int, seed: int, labels: str = "umls", start: int = 0) -> Iterator[dict]:
    """Yield `count` fictitious documents, from number `start` on.

    Args:
        split: "train", "dev", "test" or "transfer"; no scenario of dev or test serves another split.
        count: how many documents.
        seed: the data seed.
        labels: the label set of `entities`, "umls" or "pii".
        start: number of the first document, so that shards can be made apart.

    Yields:
        Documents: id, text, entities (start, end, label: code points, half-open, sorted, never overlapping), kind,
        specialty, scenario, conclusion (start, end) or None, facts, patient.

    Raises:
        ValueError: unknown split or label set, or a negative count.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} does not exist; choose one of {', '.join(SPLITS)}")
    if labels not in LABEL_SETS:
        raise ValueError(f"label set {labels!r} does not exist; choose one of {', '.join(LABEL_SETS)}")
    if count < 0 or start < 0:
        raise ValueError(f"count {count} and start {start} must not be negative")
    return (generate_report(split, seed, number, labels) for number in range(start, start + count))


def generate_report(split: str, seed: int, number: int, labels: str = "umls") -> dict:
    """Return one document; see `generate_reports`.

    For a student of identities, the names of people and places in train and transfer are invented one by one
    (`zoo.synthesis.invented`); in dev and test they are those of the lists, as in the same documents with UMLS labels.
    """
    # A string seed goes through SHA-512: neighbouring numbers share nothing, and no process-wide hash is involved.
    rng = random.Random(f"{split}|{seed}|{number}")
    knowledge = load_knowledge()
    scenario = rng.choice(knowledge.for_split(split))
    kind = rng.choices(tuple(KINDS), [share for _, share in KINDS.values()])[0]
    invents = labels == "pii" and split in ("train", "transfer")
    inventor = NameInventor(f"{split}|{seed}|{number}", knowledge.names) if invents else None
    case = Case(rng, scenario, split, knowledge, inventor)
    conclusion = KINDS[kind][0](case)
    writer = case.writer
    text = "".join(writer.parts)
    wanted = LABEL_SETS[labels]
    spans = sorted(span for span in writer.spans if span[2] in wanted)
    return {
        "id": f"synthetic-{split}-{seed}-{number:06d}",
        "text": text,
        "entities": [{"start": first, "end": last, "label": label} for first, last, label in spans],
        "kind": kind,
        "specialty": scenario.specialty,
        "scenario": scenario.id,
        "conclusion": {"start": conclusion[0], "end": conclusion[1]} if conclusion else None,
        "facts": list_facts(text, writer.facts, writer.sentences),
        "patient": number,
    }


def list_facts(
    text: str, facts: list[tuple[str, int, int, int]], sentences: list[tuple[int, int]]
) -> list[dict[str, object]]:
    """Return facts with their value and the sentence that supports each."""
    return [
        {
            "type": kind,
            "value": text[start:end],
            "start": start,
            "end": end,
            "supports": {"start": sentences[index][0], "end": sentences[index][1]},
        }
        for kind, start, end, index in facts
    ]
