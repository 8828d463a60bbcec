"""Gold exercises of a synthetic report: what it determines, asked in the words of `stems.toml`, among wrong answers."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from carabin.documents import Document
from carabin.exercises.exercise import Kind, Question
from carabin.exercises.form import BLANK, Draft
from carabin.exercises.wording import fold, mentions
from carabin.generation.tasks import ANSWER_TYPES
from zoo.runs import fingerprint, hash_file
from zoo.synthesis.exercises.distractors import capitalise, draw_wrong
from zoo.synthesis.exercises.reading import Asked, Reading, list_questions
from zoo.synthesis.exercises.terms import list_terms
from zoo.synthesis.knowledge import KnowledgeError, read_toml

STEPS = (
    ("diagnosis", "antecedent", "allergy", "entry-treatment", "dose"),
    ("lab", "procedure", "germ"),
    ("treatment", "dose", "follow-up", "stopped", "implant"),
)
"""Of a progressive file: what brings the patient, what was looked for, what was decided."""
ALIKE = 3
"""Questions on one report that only differ in what they name: no more are drawn."""
PREFERRED = {"diagnosis": 4, "treatment": 2, "follow-up": 2}
"""How much more often a progressive file takes a type than another."""


@cache
def read_stems() -> Mapping[tuple[str, str, str, str], tuple[str, ...]]:
    """Read the stems, by kind, type, form and setting.

    Raises:
        KnowledgeError: a stem has not the blank that its form fills, or a type does not exist.
    """
    path = Path(__file__).with_name("stems.toml")
    stems = {}
    for kind, types in read_toml(path).items():
        for asks, forms in types.items():
            for form, settings in forms.items():
                for setting, texts in settings.items():
                    blanks = form != "plain" or asks in ("dose", "lab")
                    wrong = [text for text in texts if text.count(BLANK) != blanks]
                    if wrong or asks not in ANSWER_TYPES:
                        raise KnowledgeError(f"{path.name}: [{kind}.{asks}.{form}]: {wrong or asks}; one {{}} or none")
                    stems[kind, asks, form, setting] = tuple(texts)
    return stems


@cache
def list_stems() -> dict[str, dict[str, list[str]]]:
    """Return the stems by kind and type, as `exercises.json` has them."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for (kind, asks, _, _), texts in read_stems().items():
        found[kind][asks].update(texts)
    return _sort_stems(found)


def _sort_stems(stems: Mapping[str, Mapping[str, set[str]]]) -> dict[str, dict[str, list[str]]]:
    return {kind: {asks: sorted(types[asks]) for asks in sorted(types)} for kind, types in sorted(stems.items())}


def make_drafts(document: Document, split: str, seed: int) -> list[list[Draft]]:
    """Return exercises on a synthetic report: of each kind one for each type that it allows, and a progressive file.

    Args:
        document: A report of `zoo.synthesis`, its `kind`, `scenario`, `conclusion` and `facts` in its attributes.
        split: Whose knowledge the wrong answers are of.
        seed: With the document's id, all that the draws depend on.

    Returns:
        Lists of one draft, and where the report allows it one of three linked ones, last.
    """
    rng = random.Random(f"{document.id}|{seed}")
    reading = Reading(document)
    drafts = [draft for asked in _sample(reading, rng) for draft in _draft(asked, reading, split, rng)]
    found: dict[tuple[str, str], list[Draft]] = defaultdict(list)
    for draft in drafts:
        found[draft.question.kind, draft.question.asks].append(draft)
    chosen = [[_choose(same, reading, rng)] for same in found.values()]
    rng.shuffle(chosen)
    linked = _link(drafts, reading, rng)
    return [*chosen, linked] if linked else chosen


def _sample(reading: Reading, rng: random.Random) -> Iterator[Asked]:
    """Yield some of what may be asked: a list of ten drugs holds thirty questions."""
    alike: dict[tuple[str, str, bool], list[Asked]] = defaultdict(list)
    for asked in list_questions(reading):
        alike[asked.asks, asked.form, "qrm" in asked.kinds].append(asked)
    for same in alike.values():
        yield from same if same[0].asks == "diagnosis" else rng.sample(same, min(len(same), ALIKE))


def _choose(drafts: Sequence[Draft], reading: Reading, rng: random.Random) -> Draft:
    """Draw one; of diagnoses, the one that the conclusion states."""
    if drafts[0].question.asks == "diagnosis" and reading.conclusion:
        stated = [draft for draft in drafts if draft.question.start >= reading.conclusion["start"]]
        drafts = stated or drafts
    return rng.choice(drafts)


def _draft(asked: Asked, reading: Reading, split: str, rng: random.Random) -> Iterator[Draft]:
    """Yield a draft of each kind in which something may be asked."""
    for kind in asked.kinds:
        stems = read_stems()
        keys = [(kind, asked.asks, asked.form, setting) for setting in ("any", reading.setting)]
        templates = [template for key in keys for template in stems.get(key, ())]
        wrong = () if kind == "qroc" else draw_wrong(asked, reading, split, rng)
        if templates and wrong is not None:
            draft = _fill(asked, kind, rng.choice(templates), wrong, reading)
            if not _gives_away(draft):
                yield draft


def _fill(asked: Asked, kind: Kind, template: str, wrong: tuple[str, ...], reading: Reading) -> Draft:
    stem = template.replace(BLANK, asked.hole) if asked.hole else template
    quote = reading.text[asked.start : asked.end]
    question = Question(kind, asked.asks, stem, asked.right, wrong, asked.start, asked.end, quote)
    return Draft(question, template, asked.hole)


def _gives_away(draft: Draft) -> bool:
    """Return whether the stem names an answer, as where an examination's findings name the examination."""
    stem, question = fold(draft.question.stem), draft.question
    return any(mentions(stem, fold(answer)) for answer in (*question.right, *question.wrong))


def _link(drafts: Sequence[Draft], reading: Reading, rng: random.Random) -> list[Draft]:
    """Return three questions in clinical order, each on words that stand after those of the one before."""
    steps = [_draw_order([draft for draft in drafts if _is_step(draft, number)], rng) for number in range(len(STEPS))]
    for middle in steps[1]:
        before = next((one for one in steps[0] if one.question.end <= middle.question.start), None)
        later = (one for one in steps[2] if middle.question.end <= one.question.start)
        if before is None or not _is_new(middle, (before,), reading):
            continue
        for last in later:
            if _is_new(last, (before, middle), reading):
                return [before, middle, last]
    return []


def _is_step(draft: Draft, number: int) -> bool:
    asks = draft.question.asks
    if asks == "dose" and number != 1:
        at_entry = any(draft.template in stems for key, stems in read_stems().items() if key[1:3] == ("dose", "entry"))
        return at_entry == (number == 0)
    return asks in STEPS[number]


def _draw_order(drafts: Sequence[Draft], rng: random.Random) -> list[Draft]:
    """Return drafts in a random order in which no type comes first for being asked more often."""
    counts: dict[str, int] = defaultdict(int)
    for draft in drafts:
        counts[draft.question.asks] += 1
    weight = {asks: PREFERRED.get(asks, 1) / count for asks, count in counts.items()}
    return sorted(drafts, key=lambda draft: rng.random() ** (1 / weight[draft.question.asks]), reverse=True)


def _is_new(draft: Draft, before: Sequence[Draft], reading: Reading) -> bool:
    """Return whether neither what a carer has read so far nor an earlier stem tells the answer."""
    read = fold(reading.text[: draft.question.start]) + " | " + " | ".join(fold(one.question.stem) for one in before)
    return not any(mentions(read, fold(answer)) for answer in draft.question.right)


def exercise_words(drafts: Iterable[Draft], split: str = "train") -> dict[str, Any]:
    """Return what a student needs to ask again: the `exercises.json` of its folder.

    Args:
        drafts: Those it learned from; only their stems are kept, as it can rank no other.
        split: Whose terms it may offer as wrong answers, beside those of the drafts.

    Returns:
        `stems` by kind and type; `terms` by type, in each spelling in which a report may have the right answers.
    """
    stems: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    terms: dict[str, set[str]] = defaultdict(set)
    for draft in drafts:
        stems[draft.question.kind][draft.question.asks].add(draft.template)
        terms[draft.question.asks].update(draft.question.wrong)
    for asks, known in list_terms(split).items():
        terms[asks] |= {term.surface for term in known}
        if asks not in ("dose", "lab"):
            terms[asks] |= {capitalise(term.surface) for term in known}
        if asks in ("treatment", "entry-treatment", "stopped"):
            terms[asks] |= {term.surface.upper() for term in known}
    return {"stems": _sort_stems(stems), "terms": {asks: sorted(terms[asks]) for asks in sorted(terms)}}


def hash_exercises() -> str:
    """Return what pins the questions asked about a report: the hash of this folder."""
    folder = Path(__file__).parent
    return fingerprint({path.name: hash_file(path) for path in sorted(folder.glob("*.*")) if path.suffix != ".pyc"})
