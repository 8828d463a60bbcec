"""A generative teacher that writes: what it makes up must never be learned, and what it cost must stay counted."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from carabin.documents import Document
from carabin.exercises.form import Draft, read_form, write_form
from carabin.generation.faithfulness import unsupported
from tests.training.endpoint_cases import DOCUMENTS, LICENCE, OPTIONS
from tests.training.local_endpoint import Oracle, Reply, Trouble, serve
from training.endpoint_teacher_ledger import LEDGER, Ledger
from training.endpoint_writer import (
    EndpointWriter,
    judge_exercise,
    read_texts,
    write_texts,
    write_with_endpoint,
    writer_key,
)
from training.endpoint_writer_prompt import build_writing_messages, read_prompt, writing_schema
from zoo.registry import Teacher
from zoo.runs import RunError
from zoo.synthesis import generate_reports
from zoo.synthesis.exercises import list_stems, make_drafts

REPORTS = [Document.from_dict(record, "here") for record in generate_reports("transfer", 6, 3)]
GOLD = {report.text: [exercise[0] for exercise in make_drafts(report, "transfer", 1)][:4] for report in REPORTS}
NOTE = Document(
    "note", "Patiente de 67 ans, pyélonéphrite à E. coli. Ceftriaxone 1 g par jour. Pas d'abcès au scanner."
)
SAYS = "Pyélonéphrite à E. coli, traitée par ceftriaxone 1 g par jour. Pas d'abcès."


def spell(draft: Draft) -> dict:
    question = draft.question
    return {
        "kind": question.kind, "asks": question.asks, "quote": question.quote, "right": list(question.right),
        "question": draft.template, "of": draft.hole, "wrong": list(question.wrong),
    }  # fmt: skip


def answer_gold(passage: str, _: int) -> Reply:
    return Reply(json.dumps({"exercises": [spell(draft) for draft in GOLD[passage]]}, ensure_ascii=False))


def make_writer(folder, monkeypatch, server, task, options=OPTIONS, **more) -> EndpointWriter:
    monkeypatch.setenv("TEST_URL", server.url)
    return EndpointWriter(Teacher("essai", "endpoint", "A test.", LICENCE, endpoint=options), task,
                          Ledger(folder / LEDGER), **more)  # fmt: skip


def write(folder, monkeypatch, brain, task, documents, **more):
    """Return the texts kept and the figures."""
    with serve(brain) as server:
        writer = make_writer(folder, monkeypatch, server, task, **more)
        return writer.write(documents), writer.report()


def test_exercises_are_kept_in_their_form(tmp_path, monkeypatch):
    """What comes back is letter for letter what the student's grammar can write."""
    texts, figures = write(tmp_path, monkeypatch, answer_gold, "exercises", REPORTS)
    assert texts == [[write_form([draft]) for draft in GOLD[report.text]] for report in REPORTS]
    assert sum(map(len, texts)) == figures["writing"]["texts_written"] > 12
    assert figures["writing"]["rejected"] == 0 and figures["answers"] == len(REPORTS)
    for written, report in zip(texts, REPORTS, strict=True):
        assert [read_form(text, report.text) for text in written] == [[draft] for draft in GOLD[report.text]]


@pytest.mark.parametrize(
    ("damage", "fate"),
    [
        ({"quote": "Une phrase que le compte rendu n'a pas."}, "ill_formed"),
        ({"right": ["999 mg"]}, "ill_formed"),
        ({"wrong": ["1 mg"]}, "ill_formed"),
        ({"wrong": ["1 mg", "1 mg", "2 mg", "3 mg"]}, "ill_formed"),
        ({"kind": "qrx"}, "ill_formed"),
        ({"asks": "mood"}, "ill_formed"),
        ({"question": "Combien ?<wrong>5 mg"}, "ill_formed"),
        ({"right": None}, "ill_formed"),
        ({"wrong": [1, 2, 3, 4]}, "ill_formed"),
        ({"question": "Dites-moi la dose, s'il vous plaît : {} ?"}, "unknown_questions"),
    ],
)
def test_a_damaged_exercise_is_counted_and_dropped(tmp_path, monkeypatch, damage, fate):
    """A rule that only the grammar holds would be broken by whoever writes without it."""
    drafts = [(report, draft) for report in REPORTS for draft in GOLD[report.text]]
    report, draft = next((one, draft) for one, draft in drafts if draft.hole and draft.question.kind == "qru")
    items = [spell(draft) | damage, spell(draft), spell(draft), "no object"]
    brain = lambda *_: Reply(json.dumps(items, ensure_ascii=False))  # noqa: E731
    texts, figures = write(tmp_path, monkeypatch, brain, "exercises", [report])
    assert texts == [[write_form([draft])]]
    kept = figures["writing"]
    assert kept["texts_written"] == kept["repeated"] == 1
    assert kept[fate] == 1 + (fate == "ill_formed") and kept["ill_formed"] >= 1
    assert kept["rejected"] == 0.75


@pytest.mark.parametrize(
    ("says", "fate"),
    [
        (SAYS, "texts_written"),
        (SAYS.replace("1 g", "2 g"), "unsupported_texts"),
        (SAYS.replace("abcès", "fièvre"), "unsupported_texts"),
        (SAYS.replace("ceftriaxone", "amoxicilline"), "unsupported_texts"),
        (SAYS + "<right>", "ill_formed"),
        ("  ", "ill_formed"),
    ],
)
def test_a_conclusion_says_what_its_report_says(tmp_path, monkeypatch, says, fate):
    """A dose or a drug that the teacher made up would be made up by the student."""
    brain = lambda *_: Reply(json.dumps({"conclusion": says}, ensure_ascii=False))  # noqa: E731
    drugs = frozenset(("ceftriaxone", "amoxicilline"))
    texts, figures = write(tmp_path, monkeypatch, brain, "conclusion", [NOTE], drugs=drugs)
    assert texts == [[SAYS] if fate == "texts_written" else []]
    assert figures["writing"][fate] == 1


def test_entities_are_lines_in_the_order_of_the_text(tmp_path, monkeypatch):
    documents = [document for document in DOCUMENTS if document.entities]
    texts, figures = write(tmp_path, monkeypatch, Oracle(documents), "entities", documents)
    for (text,), document in zip(texts, documents, strict=True):
        lines = [f"{document.text[one.start : one.end]} | {one.label}" for one in document.entities]
        assert text.split("\n") == lines
    assert figures["unaligned"] == 0 and figures["listed"] == sum(len(one.entities) for one in documents)


@pytest.mark.parametrize(
    ("reply", "count"),
    [
        (Reply("Je ne peux pas répondre à cette demande."), "refused"),
        (Reply("{", "length"), "truncated"),
        (Reply("{"), "malformed"),
        (Reply('{"exercises": {}}'), "malformed"),
        (Reply(None), "malformed"),
        (Reply("", "content_filter"), "refused"),
    ],
)
@pytest.mark.parametrize("task", ["conclusion", "exercises", "entities"])
def test_an_answer_that_cannot_be_read_teaches_nothing(tmp_path, monkeypatch, reply, count, task):
    texts, figures = write(tmp_path, monkeypatch, lambda *_: reply, task, [NOTE])
    assert texts == [[]] and figures[count] == 1
    assert figures["writing"]["texts_written"] == 0


def test_a_killed_pass_goes_on_from_its_finished_shards(tmp_path, monkeypatch):
    """What was answered was paid for."""
    options = replace(OPTIONS, concurrency=1, attempts=1)
    with serve(answer_gold) as server:
        writer = make_writer(tmp_path, monkeypatch, server, "exercises", options)
        server.troubles = [Trouble()] * 3 + [Trouble(503)]
        with pytest.raises(RunError, match="finished shards are kept"):
            write_texts(writer, REPORTS, tmp_path, 2)
        assert [path.name for path in tmp_path.glob("exercises-*")] == ["exercises-00000.jsonl"]
        asked = len(server.passages)
        writer = make_writer(tmp_path, monkeypatch, server, "exercises", options)
        figures = write_texts(writer, REPORTS, tmp_path, 2)
        assert server.passages[asked:] == [report.text for report in REPORTS[2:]]
        assert figures == {"documents": 6, "texts": sum(map(len, GOLD.values())), "shards": 3, "shards_found": 1}
        assert writer.report()["requests"] == 4 + 4
        with pytest.raises(RunError, match="other documents"):
            write_texts(writer, REPORTS[::-1], tmp_path, 2)
    assert list(read_texts(tmp_path, "exercises")) == [
        (report.id, [write_form([draft]) for draft in GOLD[report.text]]) for report in REPORTS
    ]


def test_a_plan_s_teacher_writes_for_its_student(tmp_path, monkeypatch):
    teacher = Teacher("essai", "endpoint", "A test.", LICENCE, endpoint=OPTIONS)
    profile = SimpleNamespace(writing=SimpleNamespace(exercises=7))
    plan = SimpleNamespace(teacher=teacher, student=SimpleNamespace(labels="umls"), profile=profile)
    with serve(answer_gold) as server:
        monkeypatch.setenv("TEST_URL", server.url)
        figures = write_with_endpoint(plan, REPORTS, "exercises", tmp_path)
    assert "Écris 7 questions" in server.bodies[0]["messages"][0]["content"]
    assert figures["documents"] == 6 and figures["endpoint"]["writing"]["texts_written"] == figures["texts"] > 0
    for line in (tmp_path / LEDGER).read_text().splitlines():
        assert all(isinstance(value, int | float) for value in json.loads(line).values()), "numbers only, never text"


def test_what_the_texts_depend_on_is_in_their_key(monkeypatch):
    teacher = Teacher("essai", "endpoint", "A test.", LICENCE, endpoint=OPTIONS)
    keys = [writer_key(teacher, task, "umls", 4) for task in ("conclusion", "exercises", "entities")]
    keys += [writer_key(teacher, "exercises", "umls", 5), writer_key(teacher, "entities", "pii", 4)]
    assert len({key["prompt_sha256"] for key in keys}) == 5
    assert "base_url_variable" not in keys[0]


def test_the_examples_keep_the_rules_they_show():
    """A model does as the example does."""
    prompt = read_prompt()
    example = prompt["conclusion"]["example"]
    assert unsupported(example["conclusion"], example["text"]) == []
    example = prompt["exercises"]["example"]
    for item in example["exercises"]:
        assert item["question"] in list_stems()[item["kind"]][item["asks"]]
    assert [judge_exercise(item, example["text"])[0] for item in example["exercises"]] == ["", ""]


@pytest.mark.parametrize("task", ["conclusion", "exercises", "entities"])
def test_a_server_that_holds_to_a_schema_is_given_it(tmp_path, monkeypatch, task):
    with serve(lambda *_: Reply(json.dumps({task: "" if task == "conclusion" else []}))) as server:
        writer = make_writer(tmp_path, monkeypatch, server, task, replace(OPTIONS, response_format="json_schema"))
        writer.write([NOTE])
    assert json.dumps(writing_schema(task, "umls"), sort_keys=True) in json.dumps(server.bodies[0], sort_keys=True)
    assert server.bodies[0]["messages"] == build_writing_messages(NOTE.text, task, "umls", 4)
