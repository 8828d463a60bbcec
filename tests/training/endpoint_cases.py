"""Gold, options and shorthands for the tests of generative teachers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from carabin.documents import Document, Entity
from carabin.tokens.tagging import decode_spans
from tests.training.local_endpoint import serve
from training.endpoint_teacher import EndpointTeacher
from training.endpoint_teacher_ledger import LEDGER, Ledger
from zoo.labels import LABEL_SETS
from zoo.registry import Teacher
from zoo.registry.teachers import Endpoint, LicenceEvidence

UMLS = LABEL_SETS["umls"]
KEY = "sk-secret-0123456789"
LICENCE = LicenceEvidence("Apache-2.0", "clause", "page")
OPTIONS = Endpoint(
    model="essai-8b",
    base_url_variable="TEST_URL",
    first_wait_seconds=0.02,
    longest_wait_seconds=0.1,
    timeout_seconds=30,
)


def mark(identifier: str, text: str) -> Document:
    """Return the document of a text whose entities are written `[surface|LABEL]`."""
    plain, entities = "", []
    for number, piece in enumerate(text.replace("]", "[").split("[")):
        surface, _, label = piece.partition("|")
        if number % 2:
            entities.append(Entity(len(plain), len(plain) + len(surface), label))
        plain += surface
    return Document(identifier, plain, tuple(entities))


DOCUMENTS = [
    mark("1", "[Patiente|LIVB] de 67 ans, [DNID|DISO], [dyspnée|DISO] d'effort. [TA|PHYS] 134/82.\n\nPas de "
              "[dyspnée|DISO] de repos. [Échographie cardiaque|PROC] : [épanchement|DISO]. "
              "TABAC sevré, [metformine|CHEM] 500mg."),
    mark("2", "Chute de sa hauteur. [Œdème|DISO] du [poignet|ANAT] [e\u0301paule|ANAT], [plâtre|DEVI]. Sortie."),
    mark("3", ""),
    mark("4", "Rien à signaler ce jour."),
]  # fmt: skip
N_GOLD = sum(len(document.entities) for document in DOCUMENTS)


def make_teacher(folder, monkeypatch, server, options=OPTIONS) -> EndpointTeacher:
    monkeypatch.setenv("TEST_URL", server.url)
    teacher = Teacher("essai", "endpoint", "A test.", LICENCE, endpoint=options)
    return EndpointTeacher(teacher, "umls", Ledger(folder / LEDGER))


def plain_spans(words, rows):
    found = decode_spans(words, rows.astype(np.float32), UMLS)
    return tuple(replace(one, score=None) for one in found)


def spans_of(teacher, documents):
    read = teacher.word_probabilities([document.text for document in documents])
    return [plain_spans(words, rows) for words, rows in read]


def ask(tmp_path, monkeypatch, brain, documents=DOCUMENTS, options=OPTIONS, **server_options):
    """Return the entities found and the ledger's figures."""
    with serve(brain, **server_options) as server:
        teacher = make_teacher(tmp_path, monkeypatch, server, options)
        return spans_of(teacher, documents), teacher.report()


GOLD = [document.entities for document in DOCUMENTS]
