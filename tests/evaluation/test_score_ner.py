"""The scoring script: checkpoint in, metrics.json out, in the schema that cards and leaderboards read."""

import json

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from carabin.annotator import ModelError
from evaluation.ner_report import Noise, ScoreError
from evaluation.score_ner import main, parse_use, score_model
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import hash_file

CARD = """---
carabin:
  id: {id}
  summary: Fictitious.
  task: ner
  licence: {{spdx: CC0-1.0, clause: none, read_at: here}}
  source: archive
  revision: {revision}
  labels: umls
  splits: {{test: test.jsonl}}
  uses: [gold, test]
---
"""


@pytest.fixture
def registry(tmp_path) -> Registry:
    (tmp_path / "datasets_cards").mkdir()
    card = CARD.format(id="fictitious", revision="a" * 64)
    (tmp_path / "datasets_cards" / "fictitious.md").write_text(card, encoding="utf-8")
    return Registry(tmp_path)


def test_uses_are_written_as_recipes_print_them():
    assert parse_use("synthetic-reports/test[:150]") == CorpusUse("synthetic-reports", "test", 150)
    assert str(parse_use("quaero-emea/test")) == "quaero-emea/test"
    for text in ("quaero-emea", "a/b[:0]", "a/b[150]", "a/b/c", ""):
        with pytest.raises(ScoreError, match="is not written"):
            parse_use(text)


def test_a_checkpoint_is_scored_clean_and_noised_in_schema_1(checkpoint, registry, reports):
    record = score_model(
        checkpoint, [CorpusUse("fictitious", "test")], "auto", 1, [Noise("typo", 0.1)], registry,
        read=lambda *_: iter(reports),
    )  # fmt: skip
    assert record["schema"] == 1
    assert record["model"]["which"] == "torch"
    assert record["model"]["sha256"] == hash_file(checkpoint / "model.safetensors")
    assert record["model"]["bytes"] == (checkpoint / "model.safetensors").stat().st_size
    assert 1000 < record["model"]["parameters"] < 20_000
    assert record["model"]["path"] == checkpoint.name
    assert list(record["splits"]) == ["fictitious/test", "fictitious/test+typo:0.1"]
    for split in record["splits"].values():
        assert (split["corpus"], split["revision"]) == ("fictitious", "a" * 64)
        assert set(split) == {
            "corpus", "revision", "documents", "entities", "nested_dropped", "noise",
            "ner_exact_f1", "ner_overlap_f1", "by_label", "ece", "ece_words", "counts",
        }  # fmt: skip
        assert {"value", "low", "high", "precision", "recall", "n", "unit", "level", "resamples"} == set(
            split["ner_exact_f1"]
        )
    assert record["provenance"]["seed"] == 1
    json.dumps(record)


def test_an_onnx_repository_is_scored_by_the_same_way(onnx_repository, registry, reports):
    record = score_model(
        onnx_repository, [CorpusUse("fictitious", "test")], "auto", 1, [], registry, read=lambda *_: iter(reports)
    )
    assert record["model"]["which"] == "onnx"
    assert record["model"]["sha256"] == hash_file(onnx_repository / "onnx" / "model.onnx")
    assert record["splits"]["fictitious/test"]["documents"] == len(reports)


def test_a_split_named_twice_is_refused(checkpoint, registry):
    uses = [CorpusUse("fictitious", "test"), CorpusUse("fictitious", "test", 10)]
    with pytest.raises(ScoreError, match="named twice"):
        score_model(checkpoint, uses, "auto", 1, [], registry)


def test_a_folder_without_a_model_is_refused(tmp_path, registry):
    with pytest.raises(ModelError, match="train or export it first"):
        score_model(tmp_path, [CorpusUse("fictitious", "test")], "auto", 1, [], registry)


def run(*arguments: str) -> Result:
    """Run the script in this process: importing torch anew would take most of the test's time."""
    app = typer.Typer()
    app.command()(main)
    return CliRunner().invoke(app, arguments)


def test_the_script_writes_metrics_json(checkpoint, tmp_path):
    out = tmp_path / "metrics.json"
    corpus = "synthetic-reports/test[:3]"
    result = run("--model", str(checkpoint), "--corpus", corpus, "--noise", "accent:1", "--out", str(out))
    assert result.exit_code == 0, result.output
    record = json.loads(out.read_text(encoding="utf-8"))
    assert list(record["splits"]) == ["synthetic-reports/test", "synthetic-reports/test+accent:1"]
    assert record["splits"]["synthetic-reports/test"]["documents"] == 3
    assert "exact F1" in result.stdout and str(out) in result.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        ("--corpus", "synthetic-reports/test[:3]", "--which", "int8"),
        ("--corpus", "synthetic-reports/test[:3]", "--which", "tensorflow"),
        ("--corpus", "synthetic-reports"),
        ("--corpus", "synthetic-reports/test"),
        ("--corpus", "synthetic-reports/nowhere[:3]"),
        ("--corpus", "no-such-corpus/test"),
        ("--corpus", "synthetic-reports/test[:3]", "--noise", "typo"),
    ],
)
def test_the_script_ends_on_one_line_that_names_the_fault(wrong, checkpoint, tmp_path):
    result = run("--model", str(checkpoint), *wrong, "--out", str(tmp_path / "m.json"))
    assert result.exit_code == 2
    assert result.stderr.startswith("score: ") and len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "m.json").exists()
