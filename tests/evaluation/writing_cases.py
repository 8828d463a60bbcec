"""A writer that knows the answers, to be scored, and to be made worse in one way at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from carabin.documents import Document
from carabin.exercises.exercise import QuestionSet
from carabin.exercises.form import Draft, write_form
from zoo.conclusions import split_conclusion
from zoo.synthesis import generate_reports
from zoo.synthesis.exercises import make_drafts

SPLIT = "dev"


class Told(NamedTuple):
    text: str
    finished: bool = True


def make_reports(count: int = 10) -> list[Document]:
    return [Document.from_dict(record, SPLIT) for record in generate_reports(SPLIT, count, seed=3)]


@dataclass
class Oracle:
    """Writes the gold of reports it knows by id; `spoil` changes each question, `tell` each conclusion."""

    reports: list[Document]
    tell: object = None
    spoil: object = None
    free: str | None = None
    split: str = SPLIT
    read: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.known = {report.id: report for report in self.reports}

    def summarise(self, documents):
        for document in documents:
            self.read.append(document.text)
            assert not document.attributes, "the gold was shown to the writer"
            conclusion = split_conclusion(self.known[document.id]).conclusion
            yield Told(self.tell(conclusion) if self.tell else conclusion)

    def drafts(self, identifier):
        return make_drafts(self.known[identifier], self.split, 1)

    def exercises(self, documents, kinds, count, progressive, seed):
        for document in documents:
            self.read.append(document.text)
            assert not document.attributes, "the gold was shown to the writer"
            groups = self.drafts(document.id)
            alone = [group[0].question for group in groups if len(group) == 1][:count]
            linked = [draft.question for group in groups if len(group) > 1 for draft in group]
            spoil = self.spoil or (lambda question, report: question)
            yield QuestionSet(
                document.id,
                tuple(spoil(question, document.text) for question in alone),
                tuple(linked) if progressive else (),
            )

    def draft(self, documents, kind):
        if self.free is not None:
            return [self.free] * len(documents)
        return [write_form([self.first(document.id, kind)]) for document in documents]

    def first(self, identifier, kind) -> Draft:
        groups = [group[0] for group in self.drafts(identifier) if len(group) == 1]
        return next((draft for draft in groups if draft.question.kind == kind), groups[0])

    def entities(self, documents):
        for document in documents:
            yield Document(document.id, document.text, self.known[document.id].entities)
