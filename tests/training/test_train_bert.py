"""One family from recipe to twin on a tiny model: what must hold whatever the scores are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from carabin.student_folder import ModelError
from evaluation.score_ner import describe_model
from tests.training.tiny_zoo import make_zoo
from training.teachers import identify_teacher, make_teacher, teacher_folder
from training.texts import transfer_documents
from training.train_bert import train
from zoo.plan import make_plan, write_plan
from zoo.registry import REPOSITORY, Registry
from zoo.runs import RunError, hash_file, read_json
from zoo.torch_engine import load_annotator

RUN_TINY = """
import sys
from pathlib import Path
from zoo.plan import make_plan, write_plan
from zoo.registry import Registry
from training.texts import transfer_documents
from training.train_bert import train
import training.optimise as optimise
optimise.CHECKPOINT_SECONDS, optimise.LOG_EVERY = 0.0, 2
root = Path(sys.argv[1])
plan = make_plan("bert-test", "local", registry=Registry(root), runs=root / "runs")
write_plan(plan)
train(plan)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("zoo")
    plan = make_plan("bert-test", "local", registry=make_zoo(root), runs=root / "runs")
    write_plan(plan)
    train(plan)
    return plan


def test_every_model_loads_and_annotates_with_exact_offsets(trained):
    text = "Patiente de 67 ans, embolie pulmonaire traitée par apixaban. " * 20
    for folder in (teacher_folder(trained), trained.folder / "student", trained.folder / "twin"):
        annotator = load_annotator(folder)
        ((words, probabilities),) = annotator.word_probabilities([text])
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)
        assert all(text[start:end].strip() for start, end in words)
        assert all(0 <= entity.start < entity.end <= len(text) for entity in annotator(text))


def test_the_student_learned_from_its_teacher_and_the_twin_did_not(trained):
    """A distillation whose soft loss is silently dropped would leave a curve without `soft`."""
    curves = {
        name: [json.loads(line) for line in (trained.folder / name / "losses.jsonl").read_text().splitlines()]
        for name in ("student", "twin")
    }
    assert {"soft", "gold", "relation"} <= set(curves["student"][-1])
    assert set(curves["twin"][-1]) & {"soft", "relation"} == set()


def test_student_and_twin_start_from_the_same_weights_and_get_the_same_budget(trained):
    student, twin = (read_json(trained.folder / name / "run.json") for name in ("student", "twin"))
    assert student["inputs"]["training"] == twin["inputs"]["training"]
    assert student["inputs"]["tokenizer"] == twin["inputs"]["tokenizer"]
    assert student["seed"] == twin["seed"]
    assert abs(student["tokens_read"] - twin["tokens_read"]) < 1024


def test_frozen_embeddings_stay_where_they_began(trained):
    student, twin = (load_file(trained.folder / name / "model.safetensors") for name in ("student", "twin"))
    name = "bert.embeddings.word_embeddings.weight"
    assert (student[name] == twin[name]).all()
    assert all((student[other] != twin[other]).any() for other in student if "encoder.layer" in other)


def test_gold_is_read_as_often_as_the_recipe_says(trained):
    student, twin = (read_json(trained.folder / name / "run.json") for name in ("student", "twin"))
    transfer = sum(1 for _ in transfer_documents(trained))
    assert trained.profile.distillation.gold_repeats == 2
    # The twin reads gold alone; the student gold twice, and of each transfer report one passage at least.
    assert student["passages"] >= 2 * twin["passages"] + transfer


def test_a_second_call_trains_nothing(trained):
    files = sorted(trained.runs.rglob("*.safetensors"))
    before = [(path, path.stat().st_mtime_ns) for path in files]
    started = time.monotonic()
    train(trained)
    assert [(path, path.stat().st_mtime_ns) for path in files] == before
    assert time.monotonic() - started < 30


def test_another_seed_or_budget_is_another_run(trained):
    other = replace(trained, seed=trained.seed + 1)
    assert teacher_folder(other) != teacher_folder(trained)
    assert other.folder != trained.folder


def test_targets_of_another_teacher_are_not_reused(trained):
    """sentence-transformers' cache has no key: a changed teacher would go on teaching from the old one's answers."""
    record = read_json(trained.folder / "targets" / "run.json")
    assert record["inputs"]["teacher"] == hash_file(teacher_folder(trained) / "model.safetensors")
    assert [entry["revision"] for entry in record["inputs"]["corpora"]]


def test_the_plan_names_every_corpus_with_its_revision(trained):
    plan = read_json(trained.folder / "plan.json")
    assert {entry["role"] for entry in plan["corpora"]} == {"gold", "dev", "test", "transfer", "pretraining"}
    assert all(entry["revision"].startswith("generator-") for entry in plan["corpora"])
    assert read_json(trained.folder / "verdict.json")["level"] == "open"


def test_energy_counts_the_teachers_labelling(trained):
    energy = read_json(trained.folder / "energy.json")
    assert set(energy["stages"]) == {"encoder encoder-test", "teacher", "targets", "student"}
    assert energy["kwh"] == pytest.approx(sum(stage["kwh"] for stage in energy["stages"].values()), abs=1e-5)


@pytest.mark.slow
def test_several_processes_share_one_training(tmp_path):
    """Two lone processes that each train everything would race for the same folders and learn half as fast."""
    make_zoo(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(RUN_TINY, encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*launch, str(program), str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    student = read_json(tmp_path / "runs" / "bert-test" / "local" / "seed-1" / "student" / "run.json")
    assert student["steps"] == 6, "12 batches over two processes"
    assert not list((tmp_path / "runs").rglob("*.partial"))


@pytest.mark.slow
def test_killed_anywhere_it_resumes_to_the_same_weights(trained, tmp_path):
    """Kill -9 at growing delays until it ends: the weights are those of the uninterrupted run."""
    make_zoo(tmp_path)
    command = [sys.executable, "-c", RUN_TINY, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    kills, delay = 0, 4.0
    while True:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, errors = process.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills, delay = kills + 1, delay + 0.8
            continue
        assert process.returncode == 0, errors.decode()[-2000:]
        break
    assert kills > 0
    ours = {path.relative_to(tmp_path / "runs").parts[-2:]: path for path in (tmp_path / "runs").rglob("*.safetensors")}
    theirs = {path.relative_to(trained.runs).parts[-2:]: path for path in trained.runs.rglob("*.safetensors")}
    assert ours.keys() == theirs.keys()
    for name, path in ours.items():
        left, right = load_file(path), load_file(theirs[name])
        assert all(np.array_equal(left[key], right[key]) for key in right), name


def test_a_changed_shard_is_an_error_not_a_lesson(trained, tmp_path):
    from training.teacher_pass import write_targets
    from training.texts import gold_documents

    documents = list(gold_documents(trained))
    annotator = load_annotator(teacher_folder(trained))
    write_targets(annotator, documents, tmp_path, shard_documents=2)
    with pytest.raises(RunError, match="holds other documents"):
        write_targets(annotator, list(reversed(documents)), tmp_path, shard_documents=2)
    assert not list(Path(tmp_path).glob("*.writing"))


def with_two_teachers(trained, root, relation=True):
    shutil.copytree(trained.registry.root / "models", root / "models")
    shutil.copytree(trained.registry.root / "datasets_cards", root / "datasets_cards")
    declared = root / "models/teachers/trained-test.toml"
    declared.write_text(declared.read_text(encoding="utf-8").replace("kind =", "members = 2\nkind ="), encoding="utf-8")
    if not relation:
        student = root / "models/bert-test/student.toml"
        student.write_text(student.read_text(encoding="utf-8").replace("relation_weight = 0.5", ""), encoding="utf-8")
    return make_plan("bert-test", "local", registry=Registry(root), runs=trained.runs)


def test_an_ensemble_answers_by_its_members_mean_and_notices_a_changed_one(trained, tmp_path):
    plan = with_two_teachers(trained, tmp_path, relation=False)
    folder = make_teacher(plan)
    first, second = members = [folder.with_name(f"{folder.name}-{number}") for number in (1, 2)]
    assert hash_file(first / "model.safetensors") != hash_file(second / "model.safetensors")
    text = ["Patiente de 67 ans, embolie pulmonaire traitée par apixaban."]
    ((_, together),) = load_annotator(folder).word_probabilities(text)
    alone = [load_annotator(member).word_probabilities(text)[0][1] for member in members]
    assert np.allclose(together, np.mean(alone, axis=0), atol=1e-6)
    record = read_json(folder / "run.json")
    assert record["energy"]["kwh"] == sum(read_json(member / "run.json")["energy"]["kwh"] for member in members)
    assert identify_teacher(plan, folder) == hash_file(folder / "ensemble.json")
    described = describe_model(folder, "torch")
    assert described["parameters"] == record["parameters"]
    assert described["sha256"] == hash_file(folder / "ensemble.json")
    (second / "model.safetensors").write_bytes((first / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="not the weights"):
        load_annotator(folder)


def test_an_ensemble_has_no_last_layer_to_relate_to(trained, tmp_path):
    with pytest.raises(RunError, match="relation_weight"):
        make_teacher(with_two_teachers(trained, tmp_path))
