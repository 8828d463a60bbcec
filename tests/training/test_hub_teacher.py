"""A teacher of the Hub, fetched from a loopback Hub at its commit: what would be learned wrongly without a word.

Everything that talks to the Hub runs in a subprocess: huggingface_hub reads `HF_ENDPOINT` when it is imported.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.hub.loopback import LoopbackHub
from tests.hub.server import LoopbackServer
from tests.training.tiny_zoo import make_zoo
from zoo.licences import LicenceRefused
from zoo.plan import make_plan
from zoo.registry import Registry

TEACHER = """
id = "trained-test"
kind = "hub-encoder"
summary = "An encoder of a loopback Hub."
hub_id = "{hub_id}"
{revision}

[licence]
spdx = "MIT"
clause = 'Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction'
read_at = "LICENSE text of MIT, first paragraph"
read_on = 2026-11-24

[training]
tokens = 3_000
batch_tokens = 512
learning_rate = 1e-3
"""  # noqa: E501
PLAN = """
import sys
from pathlib import Path
from zoo.plan import make_plan, write_plan
from zoo.registry import Registry
root = Path(sys.argv[1])
plan = make_plan("bert-test", "local", registry=Registry(root), runs=root / "runs")
"""
TRAIN = """
from training.teachers import make_teacher, teacher_folder
from training.train_bert import train
from zoo.runs import RunError
from zoo.torch_engine import load_annotator
from training.teacher_pass import read_targets
write_plan(plan)
try:
    train(plan)
except RunError as error:
    answer({"error": str(error)})
    raise SystemExit
import torch
from transformers import AutoModel
from training.hub_encoders import open_hub_tagger
from safetensors.numpy import load_file
teacher = teacher_folder(plan)
annotator = load_annotator(teacher)
hard = "Œdème  aigu,\\n\\n  À 10mg\\u00a0; e\\u0301tat   fébrile " * 40
((words, probabilities),) = annotator.word_probabilities([hard])
targets = list(read_targets(plan.folder / "targets", len(annotator.tags)))
weights = load_file(teacher / "model.safetensors")
heads = [open_hub_tagger(plan.teacher, annotator.tags, seed)[0].classifier.weight for seed in (1, 1, 2)]
answer({
    "window": annotator.reader.max_tokens, "surely_outside": int((probabilities[:, 0] == 1).sum()), "words": len(words),
    "sums": [float(probabilities.sum(1).min()), float(probabilities.sum(1).max())],
    "precisions": sorted({str(value.dtype) for value in weights.values()}),
    "targets": [sum(len(w) for _, w, _ in targets), sum(int((p[:, 0] == 1).sum()) for _, _, p in targets)],
    "accents": [annotator.reader.tokenizer.encode(word).ids for word in ("À", "à", "A")],
    "heads": [bool(torch.equal(heads[0], other)) for other in heads[1:]],
})
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    server = LoopbackServer(root / "store")
    server.start()
    yield LoopbackHub(server.state, root / "hf_home")
    server.stop()


@pytest.fixture(scope="module")
def commits(hub: LoopbackHub) -> dict[str, str]:
    """Publish the tiny encoders; return each family's commit."""
    result = hub.run("-m", "tests.training.tiny_encoders", "--organisation", "hospital")
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.partition("commits:")[2])


def declare(root: Path, hub_id: str, revision: str | None) -> Registry:
    registry = make_zoo(root)
    pin = "" if revision is None else f'revision = "{revision}"'
    (root / "models/teachers/trained-test.toml").write_text(TEACHER.format(hub_id=hub_id, revision=pin))
    return registry


def train_with(hub: LoopbackHub, root: Path, **environment: str):
    code = PLAN.replace("sys.argv[1]", repr(str(root))) + TRAIN
    return hub.run_python(code, **environment)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "roberta", "camembert"])
def test_from_the_gate_to_a_student_with_a_hub_teacher(hub: LoopbackHub, commits, tmp_path: Path, family: str):
    """The relation loss runs the teacher beside the student, with its own tokenizer."""
    declare(tmp_path, f"hospital/tiny-{family}", commits[family])
    seen = train_with(hub, tmp_path)
    assert seen["window"] == (66 if family == "bert" else 64), "RoBERTa's 66 positions read 64 tokens"
    assert seen["words"] == 40 * 9 and seen["surely_outside"] == 0, "every word has a token, the last one too"
    assert np.allclose(seen["sums"], 1, atol=1e-4)
    assert seen["precisions"] == ["float32"], "trained in half precision, small steps are lost"
    assert len({tuple(ids) for ids in seen["accents"]}) == 3, "case and accents reach the encoder"
    words, outside = seen["targets"]
    assert words > 1000 and outside == 0
    assert seen["heads"] == [True, False], "the head is the seed's, or a resumed run would start from another"
    assert not list((tmp_path / "runs").rglob("*.partial"))


@pytest.mark.parametrize("revision", [None, "main", "v1.0", "0123abc"])
def test_a_floating_revision_is_refused_before_anything_is_fetched(hub: LoopbackHub, tmp_path: Path, revision):
    asked = len(hub.requests)
    registry = declare(tmp_path, "hospital/tiny-bert", revision)
    with pytest.raises(LicenceRefused, match="revision not pinned"):
        make_plan("bert-test", "local", registry=registry, runs=tmp_path / "runs")
    assert len(hub.requests) == asked


def test_a_commit_that_the_hub_does_not_have_is_one_line(hub: LoopbackHub, commits, tmp_path: Path):
    assert commits["bert"] != "0" * 40
    declare(tmp_path, "hospital/tiny-bert", "0" * 40)
    error = train_with(hub, tmp_path)["error"]
    assert "\n" not in error
    assert f"teacher 'trained-test': hospital/tiny-bert at commit {'0' * 40} cannot be opened" in error
    assert "models/teachers/trained-test.toml" in error
    assert not list((tmp_path / "runs").rglob("*.safetensors"))


def test_without_a_network_the_hub_is_named(hub: LoopbackHub, tmp_path: Path):
    declare(tmp_path, "hospital/nobody-fetched-this", "1" * 40)
    error = train_with(hub, tmp_path, HF_HUB_OFFLINE="1")["error"]
    assert "\n" not in error and "hospital/nobody-fetched-this" in error and "HF_ENDPOINT" in error
