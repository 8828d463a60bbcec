"""A plan's texts, streamed: which documents each stage of training reads."""

from __future__ import annotations

from collections.abc import Iterator

from carabin.documents import Document
from zoo.corpora import read_documents
from zoo.plan import Plan


def gold_documents(plan: Plan) -> Iterator[Document]:
    """Yield the annotated documents of the plan's gold corpora."""
    for use in plan.profile.gold:
        yield from read_documents(plan.registry, use, plan.student.labels, plan.profile.data_seed)


def teacher_documents(plan: Plan) -> Iterator[Document]:
    """Yield the annotated documents the teacher learns from: its own, or else the recipe's gold."""
    for use in plan.profile.teacher_gold or plan.profile.gold:
        yield from read_documents(plan.registry, use, plan.student.labels, plan.profile.data_seed)


def transfer_documents(plan: Plan) -> Iterator[Document]:
    """Yield the documents of the transfer corpora, without any annotation they may have."""
    for use in plan.profile.transfer:
        yield from read_documents(plan.registry, use, None, plan.profile.data_seed)
