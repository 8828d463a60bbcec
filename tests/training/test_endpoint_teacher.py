"""A generative teacher in the teacher pass: resumed, keyed, and taught from, its key in no file."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from tests.training.endpoint_cases import (
    KEY,
    LICENCE,
    OPTIONS,
    UMLS,
    make_teacher,
    mark,
    plain_spans,
)
from tests.training.local_endpoint import Oracle, Trouble, serve
from tests.training.tiny_zoo import STUDENT, make_zoo
from training.endpoint_teacher import NOT_IN_KEY, check_recipe
from training.endpoint_teacher_ledger import LEDGER
from training.teacher_pass import read_targets, write_targets
from training.train_bert import train
from zoo.licences import LicenceRefused
from zoo.plan import make_plan, write_plan
from zoo.registry import DeclarationError, Registry, Teacher
from zoo.runs import RunError, read_json


def test_a_killed_pass_asks_again_for_its_unfinished_shard_only(tmp_path, monkeypatch):
    documents = [mark(str(number), f"Vu pour [toux|DISO] numéro {number}.") for number in range(10)]
    with serve(Oracle(documents)) as server:
        options = replace(OPTIONS, concurrency=1, attempts=1)
        teacher = make_teacher(tmp_path, monkeypatch, server, options)
        server.troubles = [Trouble()] * 7 + [Trouble(503)]  # the eighth request, in the second shard of four
        with pytest.raises(RunError):
            write_targets(teacher, documents, tmp_path, shard_documents=4)
        assert len(list(tmp_path.glob("shard-*.parquet"))) == 1
        with (tmp_path / LEDGER).open("a") as stream:
            stream.write('{"requests": 1, "ans')  # as a kill would leave it
        asked = len(server.passages)
        teacher = make_teacher(tmp_path, monkeypatch, server, options)
        figures = write_targets(teacher, documents, tmp_path, shard_documents=4)
        assert figures["shards_found"] == 1
        assert server.passages[asked:] == [document.text for document in documents[4:]]
    assert teacher.report()["requests"] == 8 + 6 and teacher.report()["answers"] == 7 + 6
    rows = read_targets(tmp_path, 1 + 2 * len(UMLS))
    assert [plain_spans(words, probs) for _, words, probs in rows] == [document.entities for document in documents]


ENDPOINT_TEACHER = f"""
id = "endpoint-test"
kind = "endpoint"
summary = "A generative teacher for tests."
hub_id = "org/essai-8b"
revision = "{"a" * 40}"

[licence]
spdx = "Apache-2.0"
clause = "a perpetual, worldwide, non-exclusive, no-charge, royalty-free, irrevocable copyright license"
read_at = "LICENSE, section 2"
read_on = 2026-11-24

[endpoint]
model = "essai-8b"
base_url_variable = "TEST_URL"
api_key_variable = "TEST_KEY"
confidence = 0.95
passage_characters = 1500
watt_hours_per_1000_tokens = 0.4
watt_hours_source = "a test"
"""
RECIPE = (
    STUDENT.replace('"trained-test"', '"endpoint-test"').replace('["logits"]', '["pseudo-labels"]')
    .replace("relation_weight = 0.5", "relation_weight = 0.0").replace("documents = 6", "documents = 3")
    .replace("tokens = 6_000", "tokens = 5_000")
)  # fmt: skip


def make_endpoint_zoo(root, recipe=RECIPE) -> Registry:
    registry = make_zoo(root)
    (root / "models" / "teachers" / "endpoint-test.toml").write_text(ENDPOINT_TEACHER, encoding="utf-8")
    (root / "models" / "bert-test" / "student.toml").write_text(recipe, encoding="utf-8")
    return registry


def test_from_an_endpoint_to_a_student_and_the_key_is_in_no_file(tmp_path, monkeypatch):
    from evaluation.run_roles import find_model
    from zoo.corpora import read_documents

    plan = make_plan("bert-test", "local", registry=make_endpoint_zoo(tmp_path), runs=tmp_path / "runs")
    uses = (*plan.profile.gold, *plan.profile.transfer)
    known = [one for use in uses for one in read_documents(plan.registry, use, "umls", plan.profile.data_seed)]
    monkeypatch.setenv("TEST_KEY", KEY)
    with serve(Oracle(known), key=KEY) as server:
        monkeypatch.setenv("TEST_URL", server.url)
        write_plan(plan)
        train(plan)
        asked = len(server.passages)
        train(plan)
        assert len(server.passages) == asked > 0
    losses = [json.loads(line) for line in (plan.folder / "student" / "losses.jsonl").read_text().splitlines()]
    assert "soft" in losses[-1] and losses[-1]["step"] >= 9
    assert read_json(plan.folder / "teacher.json")["endpoint"]["model"] == "essai-8b"
    assert find_model(plan.folder, "teacher")[0] is None
    energy, record = read_json(plan.folder / "energy.json"), read_json(plan.folder / "targets" / "run.json")
    assert set(energy["stages"]) == {"targets", "student", "endpoint"}
    assert energy["kwh"] >= energy["stages"]["endpoint"]["kwh"] > 0
    assert record["endpoint"]["unaligned"] == 0 and record["endpoint"]["listed"] > 20
    for path in tmp_path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert KEY.encode() not in content and server.url.encode() not in content, path
    surfaces = {document.text[one.start : one.end] for document in known for one in document.entities}
    assert not any(len(surface) > 4 and surface in json.dumps(record["endpoint"]) for surface in surfaces)
    for line in (plan.folder / "targets" / LEDGER).read_text().splitlines():
        assert all(isinstance(value, int | float) for value in json.loads(line).values())


def test_recipes_that_an_endpoint_cannot_serve_are_refused(tmp_path):
    def plan_of(recipe):
        registry = make_endpoint_zoo(tmp_path / str(abs(hash(recipe))), recipe)
        return make_plan("bert-test", "local", registry=registry, runs=tmp_path)

    with pytest.raises(RunError, match="hidden states; set relation_weight = 0"):
        check_recipe(plan_of(RECIPE.replace("relation_weight = 0.0", "relation_weight = 0.5")))
    with pytest.raises(RunError, match='put "pseudo-labels" into'):
        check_recipe(plan_of(RECIPE.replace('["pseudo-labels"]', '["logits"]')))
    bare = Teacher("essai", "endpoint", "", LICENCE)
    with pytest.raises(RunError, match=r"models/teachers/essai.toml"):
        check_recipe(replace(plan_of(RECIPE), teacher=bare))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("temperature = -1.0", "temperature must not be negative"),
        ("confidence = 0.2", "confidence must lie"),
        ('api_key = "sk-1"', "(?i)unexpected"),
        ("passage_characters = 10", "at least 200"),
        ("watt_hours_per_1000_tokens = 0.4", "watt_hours_source go together"),
    ],
)
def test_a_malformed_endpoint_section_is_an_error_that_names_the_file(tmp_path, line, message):
    registry = make_endpoint_zoo(tmp_path)
    head = ENDPOINT_TEACHER.partition("[endpoint]")[0]
    path = tmp_path / "models" / "teachers" / "endpoint-test.toml"
    path.write_text(f'{head}[endpoint]\nmodel = "m"\n{line}\n', encoding="utf-8")
    with pytest.raises(DeclarationError, match=message) as error:
        registry.teacher("endpoint-test")
    assert str(path) in str(error.value)


def test_every_option_is_either_in_the_key_or_declared_not_to_be():

    assert set(NOT_IN_KEY) <= set(asdict(OPTIONS))


def test_the_gate_judges_an_endpoints_answers(tmp_path):
    """Relabelling what is taken must not open the gate to a provider that forbids it."""
    registry = make_endpoint_zoo(tmp_path)
    path = tmp_path / "models" / "teachers" / "endpoint-test.toml"
    path.write_text(ENDPOINT_TEACHER.replace('"Apache-2.0"', '"LicenseRef-OpenAI-Terms"'), encoding="utf-8")
    with pytest.raises(LicenceRefused, match="endpoint-test"):
        make_plan("bert-test", "local", registry=registry, runs=tmp_path)
