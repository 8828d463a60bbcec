"""Written conclusions in, their scores out: ROUGE against the carer's, faithfulness to the report, key facts kept.

Those that quote and those in words of their own are held against the same conclusion, the carer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carabin.documents import Document
from carabin.exercises.units import find_units
from carabin.exercises.wording import fold, mentions
from carabin.generation.faithfulness import Evidence
from carabin.scoring.bootstrap import RESAMPLES, bootstrap_ratio
from carabin.tokens.words import find_words
from evaluation.rouge_report import report_scores, score_texts
from zoo.conclusions import Body, split_conclusion

CLAIMS = {"numbers": "number", "doses": "dose", "drugs": "drug", "negations": "negation"}
"""Name in the record -> kind of claim (`carabin.generation.faithfulness`)."""


@dataclass(frozen=True, slots=True)
class Case:
    """A report whose conclusion is to be written.

    Attributes:
        document: The whole report, with its facts where it has them.
        body: The report without its conclusion, and the conclusion that its carer wrote.
        read: The body as the model reads it, noise included.
    """

    document: Document
    body: Body
    read: str

    @property
    def source(self) -> str:
        """What supports a claim: the body, clean and as it was read.

        A drug that was misspelt and is written right is no invention, nor is an abbreviation that is copied.
        """
        return self.body.text if self.read == self.body.text else f"{self.body.text}\n\n{self.read}"


def make_cases(documents: Sequence[Document]) -> list[Case]:
    """Return the reports that have a conclusion (`zoo.conclusions`)."""
    split = ((document, split_conclusion(document)) for document in documents)
    return [Case(document, body, body.text) for document, body in split if body is not None]


def score_conclusions(
    cases: Sequence[Case],
    written: Sequence[str],
    finished: Sequence[bool],
    drugs: frozenset[str],
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Return the `conclusion` part of a split's record (schema of `evaluation.score_writing`).

    Args:
        cases: The reports; one at least.
        written: What was written of each.
        finished: Whether each ended, rather than being cut by the limit.
        drugs: Names of drugs.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
    """
    if not len(cases) == len(written) == len(finished):
        raise ValueError(f"{len(written)} conclusions written of {len(cases)} reports")
    scores = score_texts(written, [case.body.conclusion for case in cases])
    ones = [1] * len(cases)
    return {
        "n": len(cases),
        **report_scores(scores, seed, resamples),
        "scores": {name: [round(value, 6) for value in values] for name, values in scores.items()},
        "faithfulness": score_faithfulness([case.source for case in cases], written, drugs, seed, resamples),
        "key_facts_kept": _score_facts(cases, written, seed, resamples),
        "verbatim": _count_verbatim(cases, written, seed, resamples),
        "length": {
            "words": bootstrap_ratio([_count_words(text) for text in written], ones, seed, resamples),
            "expected_words": sum(_count_words(case.body.conclusion) for case in cases) / len(cases),
            "finished": bootstrap_ratio(finished, ones, seed, resamples),
        },
    }


def score_faithfulness(
    sources: Sequence[str], written: Sequence[str], drugs: frozenset[str], seed: int, resamples: int = RESAMPLES
) -> dict[str, dict[str, Any]]:
    """Return, for each kind of claim, how many of those written their sources support."""
    judged = [
        [(claim.kind, supported) for claim, supported in Evidence(source, drugs).judge(text)]
        for source, text in zip(sources, written, strict=True)
    ]
    record = {}
    for name, kind in CLAIMS.items():
        made = [[supported for found, supported in document if found == kind] for document in judged]
        record[name] = _share([sum(claims) for claims in made], [len(claims) for claims in made], seed, resamples)
    return record


def _score_facts(cases: Sequence[Case], written: Sequence[str], seed: int, resamples: int) -> dict[str, Any]:
    """Return how many of the report's facts that the carer's conclusion tells, the written one tells too."""
    kept, told = [], []
    for case, text in zip(cases, written, strict=True):
        values = {fold(fact["value"]) for fact in case.document.attributes.get("facts", ())}
        expected, found = fold(case.body.conclusion), fold(text)
        values = {value for value in values if mentions(expected, value)}
        told.append(len(values))
        kept.append(sum(mentions(found, value) for value in values))
    record = _share(kept, told, seed, resamples)
    record["kept"] = record.pop("supported")
    return record


def _count_verbatim(cases: Sequence[Case], written: Sequence[str], seed: int, resamples: int) -> dict[str, Any]:
    """Return how many sentences and lines of what was written are, to the letter, some of what was read."""
    hits, trials = [], []
    for case, text in zip(cases, written, strict=True):
        known = {case.read[start:end] for start, end in find_units(case.read)}
        # A quote is a line of its own; alone, it might be cut where it is not beside its neighbours.
        lines = text.splitlines()
        quoted, others = [line for line in lines if line in known], [line for line in lines if line not in known]
        units = [line[start:end] for line in others for start, end in find_units(line)]
        hits.append(len(quoted) + sum(unit in known for unit in units))
        trials.append(len(quoted) + len(units))
    record = _share(hits, trials, seed, resamples)
    record["verbatim"] = record.pop("supported")
    return record


def _share(hits: Sequence[int], trials: Sequence[int], seed: int, resamples: int) -> dict[str, Any]:
    found = bootstrap_ratio(hits, trials, seed, resamples)
    rest = {name: value for name, value in found.items() if name != "value"}
    return {"supported": sum(hits), "total": sum(trials), "share": found["value"], **rest}


def _count_words(text: str) -> int:
    return len(find_words(text))
