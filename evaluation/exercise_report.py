"""Written exercises in, their validity out: the rules of `carabin.exercises`, and what the gold of a report says.

The rules are counted one by one, on what a student wrote, though the grammar it wrote by should leave nothing to
count: a share below 1 is a fault of the grammar. What no grammar guarantees is whether the right answer is right
(`gold_agreement`) and whether the questions differ (`diversity`). How much the grammar does is seen from the same
student writing freely (`parsed_free`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from carabin.documents import Document
from carabin.exercises.exercise import OPTIONS, ExerciseError, Kind, Question, QuestionSet
from carabin.exercises.form import LINKED, Draft, parse_form, read_form, write_form
from carabin.exercises.wording import MEASURED, fold, has_shape, mentions
from carabin.generation.quantities import find_measures
from carabin.scoring.bootstrap import RESAMPLES, bootstrap_ratio

Terms = Mapping[str, frozenset[str]]
"""By type of answer, the folded words that are known to be of it."""

_RIGHTS = {"qru": range(1, 2), "qrm": range(2, OPTIONS), "qroc": range(1, 2)}


def score_exercises(
    reports: Sequence[Document],
    sets: Sequence[QuestionSet],
    asked: int,
    free: Mapping[Kind, Sequence[str]],
    terms: Terms,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Return the `exercises` part of a split's record (schema of `evaluation.score_writing`).

    Args:
        reports: As they were read; one at least.
        sets: Of each report, the questions written under the grammar.
        asked: How many questions each report was asked for, the progressive file's not counted.
        free: By kind, of each of the first reports one exercise written without the grammar, of as many for each kind.
        terms: Words by type; of types it does not have, only the shape of an answer is looked at.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
    """
    if len(reports) != len(sets) or any(len(texts) > len(reports) for texts in free.values()):
        raise ValueError(f"{len(sets)} sets of questions on {len(reports)} reports: give both lists whole")

    def share(hits: Sequence[int], trials: Sequence[int]) -> dict[str, Any]:
        return {**bootstrap_ratio(hits, trials, seed, resamples), "questions": int(sum(trials))}

    pairs = list(zip(reports, sets, strict=True))
    each = [_all(found) for found in sets]
    counts = [len(questions) for questions in each]
    record: dict[str, Any] = {
        "n": len(reports),
        "asked": asked * len(reports),
        "made": share([len(found.questions) for found in sets], [asked] * len(sets)),
        "progressive": share([bool(found.progressive) for found in sets], [1] * len(sets)),
        "progressive_in_order": share(
            [_in_order(found.progressive) for found in sets], [bool(found.progressive) for found in sets]
        ),
        **_score_free(reports, free, share),
    }
    for name, rule in _rules(terms).items():
        record[name] = share([sum(rule(each, report) for each in _all(found)) for report, found in pairs], counts)
    if all("facts" in report.attributes for report in reports):
        hits = [sum(_agrees(question, report) for question in _all(found)) for report, found in pairs]
        record["gold_agreement"] = share(hits, counts)
    return {**record, "diversity": _diversity(each, share)}


def _rules(terms: Terms) -> dict[str, Callable[[Question, Document], bool]]:
    return {
        "parsed": _parses,
        "right_count": lambda question, _: len(question.right) in _RIGHTS[question.kind],
        "quote_verbatim": lambda question, report: report.text[question.start : question.end] == question.quote,
        "supported": lambda question, report: all(
            answer in question.quote and answer in report.text for answer in question.right
        ),
        "distinct": lambda question, _: _are_distinct(question),
        "wrong_absent": lambda question, report: (
            not any(mentions(fold(report.text), fold(option)) for option in question.wrong)
        ),
        "same_type": lambda question, _: all(is_of_type(option, question.asks, terms) for option in question.wrong),
        "not_leaked": lambda question, _: (
            not any(mentions(fold(question.stem), fold(answer)) for answer in question.right)
        ),
    }


def _all(found: QuestionSet) -> list[Question]:
    return [*found.questions, *found.progressive]


def _parses(question: Question, report: Document) -> bool:
    """Tell whether a question, written in the form, is read again as it is."""
    try:
        (again,) = read_form(write_form([Draft(question, question.stem, "")]), report.text)
    except ExerciseError:
        return False
    return (again.question.right, again.question.wrong) == (question.right, question.wrong)


def _are_distinct(question: Question) -> bool:
    options = [fold(option) for option in (*question.right, *question.wrong)]
    return len(set(options)) == len(options)


def is_of_type(answer: str, asks: str, terms: Terms) -> bool:
    """Tell whether an answer is of a type: a dose and a value are measures, others are words known for it."""
    if asks in MEASURED:
        return any(measure.start == 0 for measure in find_measures(answer))
    return has_shape(answer, asks) and (asks not in terms or fold(answer) in terms[asks])


def _in_order(questions: Sequence[Question]) -> bool:
    """Tell whether the evidence of linked questions stands later and later, so that the report can be unfolded."""
    ordered = all(before.end <= after.start for before, after in zip(questions, questions[1:], strict=False))
    return len(questions) == LINKED and ordered


def _agrees(question: Question, report: Document) -> bool:
    """Tell whether each right answer is a fact of the report, of the type asked for, in the words quoted.

    A value is part of its fact: `CA 125 = 139 UI/mL` is asked as `139 UI/mL`.
    """
    types = {question.asks, f"entry-{question.asks}"}
    quote = fold(question.quote)
    facts = [fold(fact["value"]) for fact in report.attributes["facts"] if fact["type"] in types]
    facts = [fact for fact in facts if mentions(quote, fact)]
    whole = question.asks not in MEASURED
    return all(
        any(fold(answer) == fact or (not whole and mentions(fact, fold(answer))) for fact in facts)
        for answer in question.right
    )


def _score_free(
    reports: Sequence[Document], free: Mapping[Kind, Sequence[str]], share: Callable[..., dict[str, Any]]
) -> dict[str, Any]:
    """Return how much of what is written without the grammar is of the form, and keeps every rule besides."""
    if not free:
        return {}
    by_report = list(zip(*free.values(), strict=True))
    trials = [len(texts) for texts in by_report]
    formed = [sum(_is_formed(text) for text in texts) for texts in by_report]
    sound = [
        sum(_is_sound(text, report.text) for text in texts) for texts, report in zip(by_report, reports, strict=False)
    ]
    return {"parsed_free": share(formed, trials), "sound_free": share(sound, trials)}


def _is_formed(text: str) -> bool:
    try:
        parse_form(text)
    except ExerciseError:
        return False
    return True


def _is_sound(text: str, report: str) -> bool:
    try:
        read_form(text, report)
    except ExerciseError:
        return False
    return True


def _diversity(each: Sequence[Sequence[Question]], share: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Return how many questions of a report ask something else than the others, and how varied all of them are."""
    counts = [len(questions) for questions in each]
    questions = [question for of_report in each for question in of_report]
    return {
        "pairs": share([len(set(map(_meaning, of_report))) for of_report in each], counts),
        "stems": len({question.stem for question in questions}) / len(questions) if questions else None,
        "types": dict(Counter(question.asks for question in questions).most_common()),
        "kinds": dict(Counter(question.kind for question in questions).most_common()),
    }


def _meaning(question: Question) -> tuple[object, ...]:
    """Return what a question asks: two doses of 1 g are two questions where they are quoted from two lines."""
    return question.asks, question.start, frozenset(map(fold, question.right))


def list_types(terms: Mapping[str, Iterable[str]]) -> Terms:
    """Return words by type, folded."""
    return {asks: frozenset(map(fold, words)) for asks, words in terms.items()}
