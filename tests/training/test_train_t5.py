"""The writing family from recipe to twin on a tiny model: what must hold whatever the scores are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import T5ForConditionalGeneration

from carabin.documents import Document
from carabin.exercises.form import read_form
from carabin.generation.quoted_conclusion import join_quotes
from tests.training.tiny_writing_zoo import make_writing_zoo
from training.endpoint_writer import read_texts
from training.texts import transfer_documents
from training.train_t5 import train
from training.writers import new_writer, shrink_writer, spread_layers, t5_config
from training.written_targets import read_targets
from zoo.plan import Plan, make_plan, write_plan
from zoo.registry.recipes import Architecture, Decoder, Writing
from zoo.runs import RunError, read_json
from zoo.torch_seq2seq import load_writer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    root = tmp_path_factory.mktemp("writing-zoo")
    plan = make_plan("t5-test", "local", registry=make_writing_zoo(root), runs=root / "runs")
    write_plan(plan)
    train(plan)
    return plan


def test_a_second_call_does_nothing(trained: Plan):
    before = {path: path.stat().st_mtime_ns for path in trained.runs.rglob("run.json")}
    train(trained)
    assert {path: path.stat().st_mtime_ns for path in trained.runs.rglob("run.json")} == before


def test_student_learned_beside_its_teacher_and_the_twin_did_not(trained: Plan):
    """A divergence that is silently dropped would leave a curve without `soft`."""
    curves = {
        name: [json.loads(line) for line in (trained.folder / name / "losses.jsonl").read_text().splitlines()]
        for name in ("student", "twin")
    }
    assert {"soft", "written"} <= set(curves["student"][-1])
    assert "soft" not in curves["twin"][-1]


def test_every_exercise_that_the_teacher_wrote_is_sound_and_of_its_report(trained: Plan):
    """Targets out of step with their reports would teach to quote what is not there."""
    reports = {document.id: document.text for document in transfer_documents(trained)}
    written = list(read_texts(trained.folder / "targets", "exercises"))
    assert [name for name, _ in written] == list(reports)
    forms = [(name, form) for name, texts in written for form in texts]
    assert forms
    for name, form in forms:
        for draft in read_form(form, reports[name]):
            assert draft.question.quote == reports[name][draft.question.start : draft.question.end]


def test_every_conclusion_that_the_teacher_wrote_quotes_its_body_and_is_taught_as_quotes(trained: Plan):
    """A teacher that wrote freely, or quotes read back as words, would teach a student what it can never write."""
    written = dict(read_texts(trained.folder / "targets", "conclusion"))
    taught = [text for text in read_targets(trained, trained.folder / "targets") if text.task == "conclusion"]
    assert taught and all(text.conclusion is None for text in taught)
    for text in taught:
        assert written[text.document] == [join_quotes(text.text, text.quotes)]
    assert read_json(trained.folder / "targets" / "run.json")["written"]["conclusion"]["writing"]["rejected"] <= 0.5


def test_what_was_rejected_is_counted(trained: Plan):
    written = read_json(trained.folder / "targets" / "run.json")["written"]
    for task, figures in written.items():
        assert figures["writing"]["texts_written"] == figures["texts"], task
        assert 0 <= figures["writing"]["rejected"] <= 1


def test_a_checkpoint_writes_all_three_tasks(trained: Plan):
    report = next(iter(transfer_documents(trained)))
    for name in ("student", "twin"):
        writer = load_writer(trained.folder / name, "torch")
        (found,) = writer.entities([Document("a", report.text)])
        assert found.text == report.text
        (asked,) = writer.exercises([Document("a", report.text)], count=3)
        assert asked.questions
        (summary,) = writer.summarise([Document("a", report.text)])
        assert summary.windows == 1
        assert summary.quotes and summary.text == join_quotes(report.text, summary.quotes)


def test_the_energy_counts_the_teacher_and_what_it_wrote(trained: Plan):
    assert set(read_json(trained.folder / "energy.json")["stages"]) == {"teacher", "targets", "student"}


@pytest.mark.parametrize(
    ("whole", "kept", "layers"), [(4, 2, [0, 3]), (6, 3, [0, 2, 5]), (4, 4, [0, 1, 2, 3]), (3, 1, [0])]
)
def test_kept_layers_lie_furthest_apart(whole: int, kept: int, layers: list[int]):
    assert spread_layers(whole, kept) == layers


def make_config(hidden: int = 32, decoder: int = 4):
    shape = Architecture(layers=2, hidden=hidden, heads=2, intermediate=64)
    return t5_config(shape, Decoder(layers=decoder), 400, ["DISO"], Writing(), 0.0)


def test_a_shallow_student_holds_its_teachers_layers():
    """Layers taken in another order, or left random, would train all the same, only worse."""
    teacher = new_writer(make_config(), seed=1)
    student = shrink_writer(teacher, make_config(decoder=2), seed=2)
    for mine, theirs in ((0, 0), (1, 3)):
        ours = student.decoder.block[mine].state_dict()
        for name, weight in teacher.decoder.block[theirs].state_dict().items():
            if name in ours:
                assert torch.equal(ours[name], weight), name
    assert torch.equal(student.shared.weight, teacher.shared.weight)
    with pytest.raises(RunError, match="the student's .* give both the same hidden"):
        shrink_writer(teacher, make_config(hidden=48), seed=2)


def test_an_untrained_writer_goes_on_with_a_quotation():
    """What `training.copying_start` is for: after a token of the source comes its successor there."""
    shape = Architecture(layers=1, hidden=256, heads=4, intermediate=64)
    model = new_writer(t5_config(shape, Decoder(layers=1), 2000, ["DISO"], Writing(), 0.0), seed=1).eval()
    generator = torch.Generator().manual_seed(3)
    source = torch.randperm(1900, generator=generator)[:200][None] + 50
    with torch.no_grad():
        places = range(20, 180, 8)
        logits = [
            model(input_ids=source, decoder_input_ids=torch.tensor([[0, source[0, place]]])).logits[0, -1]
            for place in places
        ]
    copied = 0
    for place, scores in zip(places, logits, strict=True):
        scores[source[0, place]] = -torch.inf  # a token's own embedding stands in the residual: training takes it out
        copied += int(scores.argmax() == source[0, place + 1])
    # Of 2,000 tokens; from heads left random, the successor came first in none of the twenty places.
    assert copied >= 0.6 * len(list(places))


def test_checkpoints_say_how_they_are_used(trained: Plan, tmp_path: Path):
    config = read_json(trained.folder / "student" / "config.json")
    assert config["max_written"] == 120 and config["passage_characters"] == 300 and "DISO" in config["entity_labels"]
    assert config["conclusion"] == "quoted"
    model = T5ForConditionalGeneration.from_pretrained(trained.folder / "student")
    assert model.generation_config.max_new_tokens == 120
