"""Students that write, started from a pretrained encoder-decoder, and taught by corpora that tell but a part."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import T5ForConditionalGeneration

import training.pretraining
import training.writing_stages
from tests.training.tiny_writing_zoo import STUDENT, make_writing_zoo
from training.train_t5 import gold_lessons, train
from training.writing_start import share_words
from zoo.plan import Plan, make_plan, show_plan, write_plan
from zoo.registry import DeclarationError
from zoo.runs import RunError, hash_file, read_json

BODY = (
    "INTRODUCTION : {} Le recul moyen est de douze mois. MÉTHODES : étude rétrospective des dossiers du service. " * 3
)
CONCLUSION = "La prise en charge précoce améliore la survie des patients et leur qualité de vie."
ABSTRACT = BODY.format(*["La dyspnée est un motif fréquent."] * 4) + f"CONCLUSION : {CONCLUSION}"


def make_zoo(root: Path, profile: str) -> Any:
    """Return the tiny zoo with another profile of its student, of the same sections as `local`."""
    registry = make_writing_zoo(root)
    other = STUDENT[STUDENT.index("[profiles.local]") :].replace("profiles.local", "profiles.other")
    head = re.search(r"\[profiles\.other\]\n.*?\n\n", other, re.S)
    assert head
    text = STUDENT + other.replace(head[0], f"[profiles.other]\n{profile}\n")
    (root / "models" / "t5-test" / "student.toml").write_text(text, encoding="utf-8")
    return registry


STARTED = """
teacher = "writer-test"
encoder = "start-test"
methods = [{}]
gold = [{{ corpus = "synthetic-reports", split = "train", documents = 2 }}]
dev = [{{ corpus = "synthetic-reports", split = "dev", documents = 1 }}]
test = [{{ corpus = "synthetic-reports", split = "test", documents = 1 }}]
transfer = [{{ corpus = "synthetic-reports", split = "transfer", documents = 1 }}]
"""


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretraining shifts every weight, training leaves them: what a checkpoint holds is what it started from."""

    def stand_still(objective: nn.Module, batcher: Any, plan: Any, training: Any, folder: Path, *_: Any) -> dict:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "losses.jsonl").write_text("")
        return {"tokens_per_second": 1}

    def shift(objective: nn.Module, *arguments: Any) -> dict:
        with torch.no_grad():
            for weight in objective.parameters():
                weight.add_(0.01)
        return stand_still(objective, *arguments)

    monkeypatch.setattr(training.pretraining, "optimise", shift)
    monkeypatch.setattr(training.writing_stages, "optimise", stand_still)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return T5ForConditionalGeneration.from_pretrained(folder).state_dict()


@pytest.mark.parametrize("methods", ['"weights", "generated-text", "logits"', '"generated-text", "logits"'])
def test_teacher_student_and_twin_start_from_the_profiles_encoder(tmp_path: Path, untrained: None, methods: str):
    """A start that is declared, judged, and not taken would only show in the scores."""
    registry = make_zoo(tmp_path, STARTED.format(methods))
    plan = make_plan("t5-test", "other", registry=registry, runs=tmp_path / "runs")
    write_plan(plan)
    train(plan)
    (start,) = (tmp_path / "runs" / "encoders" / "start-test").iterdir()
    pretrained = weights(start)
    teacher = weights(Path(read_json(plan.folder / "teacher.json")["folder"]))
    assert all(torch.equal(teacher[name], weight) for name, weight in pretrained.items())
    for name in ("student", "twin"):
        ours = weights(plan.folder / name)
        assert {n for n, weight in ours.items() if not torch.equal(weight, pretrained[n])} == set(), name
        assert hash_file(plan.folder / name / "tokenizer.json") == hash_file(start / "tokenizer.json")
    assert "encoder start-test" in read_json(plan.folder / "energy.json")["stages"]


def test_a_plan_shows_its_start_and_what_that_has_read(tmp_path: Path):
    registry = make_zoo(tmp_path, STARTED.format('"generated-text", "logits"'))
    shown = json.loads(show_plan(make_plan("t5-test", "other", registry=registry, runs=tmp_path)))
    assert shown["profile"]["encoder"] == "start-test"
    assert [entry["split"] for entry in shown["corpora"] if entry["role"] == "pretraining"] == ["transfer"]


def test_a_start_of_another_width_is_refused_before_anything_is_made(tmp_path: Path):
    registry = make_zoo(tmp_path, STARTED.format('"generated-text", "logits"'))
    path = tmp_path / "models" / "encoders" / "start-test.toml"
    path.write_text(path.read_text().replace("hidden = 32", "hidden = 48"))
    with pytest.raises(DeclarationError, match="'start-test' has another .architecture. than the student; make") as why:
        make_plan("t5-test", "other", registry=registry, runs=tmp_path)
    assert "\n" not in str(why.value)


ABSTRACTS = """
teacher = "writer-test"
methods = ["weights", "generated-text", "logits"]
accept = ["share-alike"]
gold = [{ corpus = "morfitt", split = "train" }, { corpus = "synthetic-reports", split = "train", documents = 2 }]
dev = [{ corpus = "synthetic-reports", split = "dev", documents = 1 }]
test = [{ corpus = "morfitt", split = "test" }]
transfer = [{ corpus = "synthetic-reports", split = "transfer", documents = 1 }]
"""


def plan_with_abstracts(root: Path, monkeypatch: pytest.MonkeyPatch, tasks: str = "") -> Plan:
    """Return a plan that learns from two abstracts, of which one has no conclusion that can be told from the rest."""
    registry = make_zoo(root, ABSTRACTS)
    student = root / "models" / "t5-test" / "student.toml"
    student.write_text(student.read_text().replace("[profiles.other.writing]", f"[profiles.other.writing]\n{tasks}"))
    folder = root / "data" / "morfitt"
    folder.mkdir(parents=True)
    rows = [{"id": "a1", "text": ABSTRACT, "labels": ["surgery"]}, {"id": "a2", "text": BODY, "labels": []}]
    for split in ("train", "dev", "test"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = root / "datasets_cards" / "morfitt.md"
    digest = hash_file(folder / "train.jsonl")
    card.write_text(re.sub(r"[0-9a-f]{64}", digest, card.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.setenv("CARABIN_DATA", str(root / "data"))
    return make_plan("t5-test", "other", registry=registry, runs=root / "runs")


def test_unmarked_entities_are_not_taught_to_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Abstracts of another label set, read as if they had been searched, would teach to write no entity at all."""
    plan = plan_with_abstracts(tmp_path, monkeypatch)
    lessons = list(gold_lessons(plan, plan.profile.gold))
    of_abstracts = [lesson for lesson in lessons if lesson.document in {"a1", "a2"}]
    taught = [(lesson.task, lesson.document, bool(lesson.quotes), lesson.marked) for lesson in of_abstracts]
    assert taught == [("conclusion", "a1", True, None)]
    assert {lesson.task for lesson in lessons} == {"conclusion", "exercises", "entities"}, "the reports teach all three"


def test_a_gold_corpus_that_teaches_nothing_leaves_nothing_to_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = plan_with_abstracts(tmp_path, monkeypatch, 'tasks = ["entities"]')
    assert list(gold_lessons(plan, plan.profile.gold[:1])) == []


def test_words_of_exercises_come_from_reports_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untrained: None):
    """Abstracts have no facts: they must neither break the words of exercises nor add to them."""
    plan = plan_with_abstracts(tmp_path, monkeypatch)
    shared = share_words(plan)
    assert shared.start is None and any(shared.words["terms"].values())


def test_an_encoder_of_another_family_is_no_start(tmp_path: Path):
    from training.starts import start_from

    registry = make_writing_zoo(tmp_path)
    plan = make_plan("t5-test", "local", registry=registry, runs=tmp_path)
    path = tmp_path / "models" / "encoders" / "open-tiny.toml"
    path.write_text((Path(__file__).parents[2] / "models/encoders/open-tiny.toml").read_text(encoding="utf-8"))
    with pytest.raises(RunError, match="encoder 'open-tiny' is of family 'bert', student 't5-test' of 't5'"):
        start_from(plan, "open-tiny")
