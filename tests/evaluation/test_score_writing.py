"""A run's writers are scored once, from its plan alone, and its summary says what the files say."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import save_file

from carabin.documents import Document
from carabin.exercises.words import ExerciseWords
from carabin.generation.writer import Writer
from carabin.generation.writer_settings import WriterSettings
from evaluation import score_writing
from evaluation.score_writing import main
from evaluation.writing_report import Amount, score_writer
from evaluation.writing_summary import compare_roles, print_summary, read_metrics
from tests.carabin.tiny_writer import Dice, make_tokenizer
from tests.evaluation.writing_cases import Oracle
from zoo.corpora import read_documents
from zoo.labels import LABEL_SETS
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import read_json
from zoo.synthesis import generate_reports
from zoo.synthesis.exercises import exercise_words, list_stems, make_drafts

USE = {"corpus": "synthetic-reports", "split": "test", "documents": 8}
SPLIT = "synthetic-reports/test"


@pytest.fixture
def run(tmp_path):
    """A run whose checkpoints are there, with weights that nothing reads."""
    plan = {
        "student": {"labels": "umls"},
        "profile": {"test": [USE], "data_seed": 1, "writing": {"tasks": ["conclusion", "exercises", "entities"]}},
        "corpora": [{**USE, "role": "test", "revision": "generator"}],
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "teacher.json").write_text(json.dumps({"folder": str(tmp_path / "teacher")}))
    for number, role in enumerate(("teacher", "student", "twin")):
        (tmp_path / role).mkdir()
        save_file({"w": np.full((2, 3), number, np.float32)}, tmp_path / role / "model.safetensors")
    (tmp_path / "export").mkdir()
    words = exercise_words((), "test") | {"stems": list_stems()}
    (tmp_path / "student" / "exercises.json").write_text(json.dumps(words))
    make_tokenizer().save(str(tmp_path / "student" / "tokenizer.json"))
    (tmp_path / "student" / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 896}))
    config = {"max_written": 256, "passage_characters": 300, "exercise_characters": 1000, "entity_labels": ["DISO"]}
    (tmp_path / "student" / "config.json").write_text(json.dumps({"is_encoder_decoder": True, **config}))
    return tmp_path


@pytest.fixture
def writers(monkeypatch):
    """What each folder's model writes: the teacher all of the conclusion, the student half, the twin nothing."""
    reports = list(read_documents(Registry(), CorpusUse(**USE), "umls", 1))
    tells = {"teacher": None, "student": lambda text: text[: len(text) // 2], "twin": lambda text: ""}
    loaded = []

    def load(folder, which):
        loaded.append((folder.name, which))
        return Oracle(reports, tell=tells[folder.name], split="test")

    monkeypatch.setattr("zoo.torch_seq2seq.load_writer", load)
    return loaded


ROLES = ["teacher", "student", "twin"]


def test_a_run_is_scored_once_and_its_figures_are_those_of_its_models(run, writers, capsys):
    main(run, [*ROLES, "int8"], exercises=3, entities=2)
    assert capsys.readouterr().out.splitlines() == [
        "score   baselines: scored", "score   teacher: scored", "score   student: scored", "score   twin: scored",
        "score   int8: withheld by the quality gate",
    ]  # fmt: skip
    teacher, student, baselines = (
        read_json(run / "metrics" / f"{n}.json") for n in ("teacher", "student", "baselines")
    )
    assert list(teacher["splits"]) == [SPLIT]
    assert list(student["splits"]) == [SPLIT, f"{SPLIT}+typo:0.1", f"{SPLIT}+abbreviate:1"]
    assert teacher["splits"][SPLIT]["conclusion"]["rougeL"]["value"] == 1.0
    assert student["model"]["parameters"] == 6
    assert student["splits"][SPLIT]["corpus"] == "synthetic-reports"
    assert set(baselines["splits"][SPLIT]["writers"]) == {"chance", "gold", "lead-3", "last-section", "oracle"}

    writers.clear()
    main(run, ROLES, exercises=3, entities=2)
    assert capsys.readouterr().out.count("found done") == 4
    assert not writers


def test_other_weights_are_scored_again(run, writers, capsys):
    """Else a student trained anew would keep the figures of the one before."""
    main(run, ["student"], exercises=1, entities=0)
    save_file({"w": np.ones((5, 5), np.float32)}, run / "student" / "model.safetensors")
    main(run, ["student"], exercises=1, entities=0)
    assert capsys.readouterr().out.count("student: scored") == 2
    assert read_json(run / "metrics" / "student.json")["model"]["parameters"] == 25


def test_other_code_scores_again(run, writers, capsys, monkeypatch):
    main(run, ["student"], exercises=1, entities=0)
    monkeypatch.setattr(score_writing, "hash_writing_sources", lambda *_: {"carabin/generation/decoding.py": "new"})
    main(run, ["student"], exercises=1, entities=0)
    assert capsys.readouterr().out.count("student: scored") == 2


def test_a_teacher_over_http_has_no_checkpoint_to_score(run, writers, capsys):
    (run / "teacher.json").write_text("{}")
    main(run, ["teacher"], exercises=1, entities=0)
    assert "teacher: no checkpoint: answers over HTTP" in capsys.readouterr().out


def test_the_summary_says_what_the_files_say(run, writers):
    main(run, ROLES, exercises=2, entities=2)
    console = Console(width=220, record=True, file=StringIO())
    print_summary(run, console)
    shown = console.export_text()
    metrics = read_metrics(run)
    facts = compare_roles(metrics, SPLIT)
    rouge = metrics["student"]["splits"][SPLIT]["conclusion"]["rougeL"]["value"]
    assert facts["retention"] == pytest.approx(rouge)
    assert facts["gain"]["value"] == pytest.approx(rouge)
    assert f"student keeps {rouge:.1%} of its teacher's ROUGE-L" in shown
    for word in ("lead-3", "last-section", "gold", "exercises", "entities as text", "undistilled twin", "typo:0.1"):
        assert word in shown, word
    assert f"student: {run / 'repository'}" in shown


@pytest.fixture
def dice():
    """The hospital's writer over scores drawn at random, with the words that a student of twelve reports has."""
    reports = [Document.from_dict(record, "train") for record in generate_reports("train", 12, seed=1)]
    words = exercise_words(draft for report in reports for group in make_drafts(report, "train", 1) for draft in group)
    tokenizer, settings = make_tokenizer(), WriterSettings(2000, 200, 1200, tuple(sorted(LABEL_SETS["umls"])))
    engine = Dice(tokenizer.get_vocab_size())
    return Writer(tokenizer, 4096, engine, settings, "dice", ExerciseWords.from_dict(words))


def test_a_student_that_learned_nothing_writes_sound_exercises_and_scores_as_it_should(dice):
    """The constraint, not what was learned, is what makes every exercise parse; the scores must tell the two apart."""
    reports = list(read_documents(Registry(), CorpusUse("synthetic-reports", "test", 3), "umls", 1))
    record = score_writer(dice, reports, 1, amount=Amount(2, 1, 3), resamples=50)
    exercises = record["exercises"]
    assert exercises["parsed"]["questions"] >= 3
    sure = (
        "parsed",
        "right_count",
        "quote_verbatim",
        "supported",
        "distinct",
        "wrong_absent",
        "not_leaked",
        "same_type",
    )
    assert {name: exercises[name]["value"] for name in sure} == dict.fromkeys(sure, 1.0)
    assert exercises["parsed_free"]["value"] == 0.0
    assert record["conclusion"]["rougeL"]["value"] < 0.3
    assert record["entities"]["ner_exact_f1"]["value"] < 0.3
