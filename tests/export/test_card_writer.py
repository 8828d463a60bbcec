"""What would go wrong silently: a writer's card that leaves out what it invents, or quotes another figure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from export.build_card import build_card
from export.card import CardInputs, render_card
from export.card_writer import CONCLUSIONS_ALONE
from export.eval_results import write_eval_results
from export.lineage import make_lineage, write_manifest
from export.onnx_files import MERGED, SEQ2SEQ
from export.push_checks import read_publishable
from export.push_files import PublishError
from export.ship import ship
from tests.export.run_fixture import ENERGY, FRUGALITY, OPEN
from tests.export.writer_run_fixture import (
    CORPUS,
    METRICS,
    PARITY,
    SPLIT,
    TARGETS,
    conclusion,
    make_plan,
    write_writer_run,
    written,
)
from zoo.registry import Registry, Student
from zoo.runs import RunError, read_json, write_json

pytest_plugins = ["tests.export.writer_run_fixture"]


@pytest.fixture
def inputs(writer: Student) -> CardInputs:
    lineage = make_lineage(make_plan(writer), OPEN, Registry(), "a" * 64, "c" * 64, TARGETS)
    return CardInputs(writer, lineage, METRICS, FRUGALITY, ENERGY, PARITY, {"onnx/encoder_model.onnx": 63_000_000})


def test_front_matter_follows_the_hub(inputs: CardInputs) -> None:
    data = ModelCard(render_card(inputs)).data.to_dict()
    assert (data["pipeline_tag"], data["library_name"]) == ("summarization", "transformers")
    assert {"text2text-generation", "distillation", "medical", "onnx", "synthetic-data-only"} <= set(data["tags"])
    assert data["metrics"] == ["rouge", "f1"]
    summaries, entities = data["model-index"][0]["results"]
    assert summaries["task"]["type"] == "summarization"
    values = {metric["name"].partition(",")[0]: metric["value"] for metric in summaries["metrics"]}
    assert values == {"ROUGE-1": 0.551, "ROUGE-2": 0.351, "ROUGE-L": 0.451, "ROUGE-Lsum": 0.501}
    assert [metric["type"] for metric in entities["metrics"]] == ["f1", "f1"]


@pytest.mark.parametrize(
    "fact",
    [
        "ROUGE-L : 45,1 (43,1-47,1) sur synthetic-reports/test",
        "| **this student** (checkpoint) | 55.1 (53.1-57.1) | 35.1 (33.1-37.1) | 45.1 (43.1-47.1) | 50.1 (48.1-52.1) |",
        "| lead-3 | 25.0",
        "| last-section | 54.0",
        "keeps 98.0 % of its teacher's ROUGE-L",
        "+7.1 points over the twin (disjoint intervals)",
        "| **this student** (checkpoint) | 95 % of 200 | 97 % of 100 | 100 % of 80 | - | 75 % of 400 |",
        "| the reports' own | 95 % of 200 | 100 % of 100 |",
        "41 words on average, where the author wrote 45; 99 % come to their end",
        "| typo:0.1 | 36.1 (34.1-38.1) | 80 % | 90 % of 100 |",
        "| parses | 100.0 % | 100.0 % | 100.0 % | 100.0 % | 100.0 % |",
        "| parses, when written without the constraint | 80.0 % | 80.0 % | 80.0 % | 80.0 % | - |",
        "97 % of a report's questions ask something else than its others, 88 % of all stems differ",
        "| **this student** (checkpoint) | 60.0 (58.0-62.0) | 60.0 | 50.0 |",
        "3.0 of 100 doses in its conclusions are not supported by the report (3 of 100)",
        "leaves out 25.0 of 100 key facts",
        "1.0 of 100 conclusions break off",
        "in 7.0 of 100 questions a right answer is not what the author recorded",
        "not shown to write better conclusions than last-section",
        "without carabin's constraint 20.0 of 100 exercises do not parse",
        "fewer than 30 gold entities of GEOG",
        "were generated** by synthetic-writer (revision `" + "c" * 64 + "`): 1234 texts kept, 8.1 % rejected",
        "**It can write what the report does not say**",
        "rule 11",
        "personal data under the GDPR until tests for extraction",
        "## ⚠ Learned from fictitious reports only",
        "files passed the quality gate: INT8 loses 0.27 points of ROUGE-L",
        "`decoder_model_merged`, which transformers.js wants. They write the same",
        "2 encoder and 2 decoder layers (T5), 32 wide",
        'decoder_with_past_file_name="decoder_with_past_model_quantized.onnx"',
    ],
)
def test_card_states(inputs: CardInputs, fact: str) -> None:
    assert fact in render_card(inputs)


def test_withheld_int8_is_said_and_not_used(inputs: CardInputs) -> None:
    int8 = {**PARITY["int8"], "published": False, "passed": False, "why": "no INT8 file: loses 3 points"}
    merged = {"onnx": PARITY["merged_vs_unmerged"]["onnx"]}
    metrics = {role: value for role, value in METRICS.items() if role != "int8"}
    parity = {**PARITY, "int8": int8, "merged_vs_unmerged": merged}
    card = render_card(replace(inputs, parity=parity, metrics=metrics))
    assert "The `onnx/*_quantized.onnx` files are not published: no INT8 file: loses 3 points" in card
    assert 'encoder_file_name="encoder_model.onnx"' in card and 'dtype: "fp32"' in card
    assert "INT8 is not published" in card.partition("## Known failures")[2]


def test_a_student_without_a_twin_or_baselines_has_a_card(inputs: CardInputs) -> None:
    """A teacher over HTTP has no figures, nor has a split without conclusions."""
    split = {**METRICS["student"]["splits"][SPLIT]}
    alone = {"student": {"splits": {SPLIT: split, f"{CORPUS}/dev": {**split, "conclusion": conclusion(0.5)}}}}
    del alone["student"]["splits"][SPLIT]["conclusion"]
    card = render_card(replace(inputs, metrics=alone))
    assert "ROUGE-L : 50,0 (48,0-52,0) sur synthetic-reports/dev" in card
    assert "lead-3 |" not in card


def test_a_student_of_conclusions_alone_promises_nothing_else(inputs: CardInputs) -> None:
    """A profile that learned no exercises (`morfitt`) would else be published as a trainer of carers."""
    alone = {
        role: {**record, "splits": {
            name: {key: part for key, part in split.items() if key not in ("exercises", "entities")}
            for name, split in record["splits"].items()
        }} if role != "baselines" else record
        for role, record in METRICS.items()
    }  # fmt: skip
    whole, card = render_card(inputs), render_card(replace(inputs, metrics=alone))
    for promise in ("des exercices (QRU", "writing exercises", "writing down the entities", "An exercise is right"):
        assert promise in whole and promise not in card, promise
    assert "la conclusion d'un compte rendu. Sur processeur" in card
    assert "Its exercises were not measured" in card and "not measured" not in whole
    assert CONCLUSIONS_ALONE in card and inputs.student.summary not in card
    promised = {"exercises", "medical-education", "ner"}
    assert promised < set(ModelCard(whole).data.tags) and not promised & set(ModelCard(card).data.tags)


def test_a_student_that_quotes_says_so_and_does_not_promise_it_of_other_libraries(inputs: CardInputs) -> None:
    """Who loads it with transformers would take what it makes up for the report's words."""
    spans = {"verbatim": 214, "total": 214, "share": 1.0}
    split = METRICS["student"]["splits"][SPLIT]
    quoting = {**split, "conclusion": {**split["conclusion"], "verbatim": spans}}
    student = {**METRICS["student"], "conclusions": "quoted", "splits": {SPLIT: quoting}}
    free, card = render_card(inputs), render_card(replace(inputs, metrics={**METRICS, "student": student}))
    for promise in (
        "faite de ses phrases citées mot pour mot", "In carabin its conclusions quote the report",
        "no quotation: do not", "print(summary.text, summary.quotes)", "only carabin makes quotations",
        "Word for word: 214 of 214 sentences",
    ):  # fmt: skip
        assert promise in card and promise not in free, promise
    assert "It can write what the report does not say" in free and "It can write what the report" not in card


def test_the_oracle_is_a_bound_and_no_failure(inputs: CardInputs) -> None:
    """Its author has read the conclusion: a student below it has not failed."""
    beside = METRICS["baselines"]["splits"][SPLIT]
    writers = {**beside["writers"], "oracle": {"conclusion": conclusion(0.6)}}
    metrics = {**METRICS, "baselines": {"splits": {SPLIT: {**beside, "writers": writers}}}}
    card = render_card(replace(inputs, metrics=metrics))
    assert "| oracle | 70.0 (68.0-72.0)" in card and "conclusions than oracle" not in card
    assert "better conclusions than last-section" in card


def test_repository_is_whole_and_fit_to_push(writer_run: Path, writer: Student) -> None:
    assert build_card(writer_run, writer, Registry())
    repository = writer_run / "repository"
    names = set(read_json(repository / "manifest.json")["files"])
    models = {f"onnx/{name}{suffix}.onnx" for suffix in ("", "_quantized") for name in (*SEQ2SEQ, MERGED)}
    assert names == models | {
        "README.md", "LICENSE", "config.json", "generation_config.json", "exercises.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json", "lineage.json", "metrics.json", "parity.json",
    }  # fmt: skip
    assert set(read_json(repository / "metrics.json")["beside"]) == {"teacher", "twin", "int8", "baselines"}
    assert read_json(repository / "lineage.json")["targets"]["generator"] == "synthetic-writer"
    assert read_publishable(repository).headline == "synthetic-reports/test rougeL 0.4510"
    assert not build_card(writer_run, writer, Registry())
    write_json(writer_run / "metrics" / "twin.json", written(0.30))
    assert build_card(writer_run, writer, Registry())


@pytest.mark.parametrize(
    "name", ["onnx/decoder_with_past_model_quantized.onnx", "onnx/encoder_model.onnx", "generation_config.json"]
)
def test_half_a_set_is_not_published(writer_run: Path, writer: Student, name: str) -> None:
    build_card(writer_run, writer, Registry())
    (writer_run / "repository" / name).unlink()
    write_manifest(writer_run / "repository")
    with pytest.raises(PublishError, match=f"{name} is missing"):
        read_publishable(writer_run / "repository")


def test_int8_that_lost_rouge_is_not_published(writer_run: Path, writer: Student) -> None:
    """The figures count, under whatever metric they are, not the word `passed`."""
    parity = {**PARITY, "int8": {**PARITY["int8"], "rougeL_int8": 0.44}}
    write_json(writer_run / "export" / "parity.json", parity)
    (writer_run / "export" / "run.json").unlink()
    build_card(write_writer_run(writer_run, writer), writer, Registry())
    with pytest.raises(PublishError, match="INT8 did not pass its gate"):
        read_publishable(writer_run / "repository")


def test_a_shipped_writer_holds_what_carabin_reads(writer_run: Path, writer: Student, tmp_path: Path) -> None:
    build_card(writer_run, writer, Registry())
    folder = ship(writer_run, tmp_path / "students").folder
    models = {path.name for path in (folder / "onnx").iterdir()}
    assert models == {
        f"{name}_quantized.onnx" for name in ("encoder_model", "decoder_model", "decoder_with_past_model")
    }
    assert {"exercises.json", "generation_config.json"} <= {path.name for path in folder.iterdir()}
    (writer_run / "repository" / "onnx" / "decoder_model_quantized.onnx").unlink()
    with pytest.raises(RunError, match="quality gate published no INT8"):
        ship(writer_run, tmp_path / "students")


def test_the_hub_is_told_rouge(inputs: CardInputs, tmp_path: Path) -> None:
    corpora: list[dict[str, Any]] = [{"id": CORPUS, "role": "test", "hub_id": "org/reports"}]
    write_eval_results(tmp_path, METRICS["student"], corpora, inputs.family)
    text = (tmp_path / ".eval_results" / f"{CORPUS}.yaml").read_text(encoding="utf-8")
    assert "0.451" in text and "ROUGE-L" in text
