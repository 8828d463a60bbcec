"""A plan's texts, streamed: which documents each stage of training reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from carabin.documents import Document
from zoo.corpora import is_annotated, read_documents
from zoo.plan import Plan
from zoo.registry.recipes import CorpusUse, Writing
from zoo.terminologies import choose_documents, read_names


def gold_documents(plan: Plan) -> Iterator[Document]:
    """Yield the annotated documents of the plan's gold corpora."""
    for use in plan.profile.gold:
        yield from read_gold(plan, use)


def teacher_documents(plan: Plan) -> Iterator[Document]:
    """Yield the annotated documents the teacher learns from."""
    for use in teacher_gold(plan):
        yield from read_gold(plan, use)


def teacher_gold(plan: Plan) -> tuple[CorpusUse, ...]:
    """Return what the teacher learns from: corpora of its own, or else the recipe's gold."""
    return plan.profile.teacher_gold or plan.profile.gold


def read_gold(plan: Plan, use: CorpusUse) -> Iterator[Document]:
    """Yield the documents of one gold corpus.

    One of another label set has no entities for a student that writes, which may learn its conclusions all the same; a
    tagger's must be of its labels.
    """
    known = plan.student.task == "ner" or is_annotated(plan.registry.corpus(use.corpus), plan.student.labels)
    yield from read_documents(plan.registry, use, plan.student.labels if known else None, plan.profile.data_seed)


def taught_by(plan: Plan, use: CorpusUse) -> Writing | None:
    """Return what one gold corpus teaches to write, None where that is nothing.

    Where entities of the student's labels are not marked, their absence tells nothing: it is not learned.
    """
    writing = plan.profile.writing
    assert writing  # the registry has checked it
    marked = is_annotated(plan.registry.corpus(use.corpus), plan.student.labels)
    tasks = tuple(task for task in writing.tasks if marked or task != "entities")
    return replace(writing, tasks=tasks) if tasks else None


def transfer_documents(plan: Plan, only: CorpusUse | None = None) -> Iterator[Document]:
    """Yield the documents of the transfer corpora, or of one of them, without any annotation they may have."""
    choice = plan.profile.choice
    for use in plan.profile.transfer if only is None else (only,):
        if choice is None or use.corpus not in choice.corpora:
            yield from read_documents(plan.registry, use, None, plan.profile.data_seed)
            continue
        everything = read_documents(plan.registry, replace(use, documents=None), None, plan.profile.data_seed)
        names = [read_names(plan.registry, entry) for entry in plan.terminologies(choice.terminologies)]
        looked_at = islice(everything, 0, None, choice.every)
        yield from choose_documents(looked_at, names, choice.new_names, use.documents)
