"""The loop: a killed training goes on from its checkpoint to the weights it would have had; shares are fair."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training import optimise as loop
from training.batches import Visit
from training.optimise import optimise, share_of
from zoo.registry.recipes import Training
from zoo.runs import RunError

PLAN = [[Visit(0, number)] for number in range(12)]


class Line(nn.Module):
    """A model of two weights, with dropout, so that the random state matters."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.encoder = nn.Linear(8, 8)
        self.drop = nn.Dropout(0.5)

    def forward(self, batch):
        return {"loss": (self.drop(self.encoder(batch["input_ids"].float())) - 1).square().mean()}


def read(visits):
    return {"input_ids": torch.arange(8)[None] + visits[0].passage}


def train(folder, batcher=read):
    model = Line()
    figures = optimise(model, batcher, PLAN, Training(tokens=1, learning_rate=1e-2), folder, seed=3, title="test")
    return figures, model.encoder.weight.detach().clone()


def test_a_training_cut_short_goes_on_from_its_checkpoint_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
    whole, expected = train(tmp_path / "whole")
    assert whole["resumed_at_step"] == 0

    def cut(visits):
        if visits[0].passage == 7:
            raise KeyboardInterrupt
        return read(visits)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", cut)
    resumed, weights = train(tmp_path / "cut")
    assert resumed["resumed_at_step"] == 7, "it began anew, or left a batch out"
    assert torch.equal(weights, expected)
    curves = [(tmp_path / name / "losses.jsonl").read_text().splitlines() for name in ("whole", "cut")]
    assert [line.split(', "tokens_per')[0] for line in curves[0]] == [
        line.split(', "tokens_per')[0] for line in curves[1]
    ]


def test_a_kill_between_the_renames_of_a_checkpoint_loses_none(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
    _, expected = train(tmp_path / "whole")
    (tmp_path / "whole" / "checkpoint").rename(tmp_path / "whole" / "checkpoint.fresh")
    resumed, weights = train(tmp_path / "whole")
    assert resumed["resumed_at_step"] == 11
    assert torch.equal(weights, expected)


def test_every_process_gets_as_many_batches_and_none_twice():
    shares = [share_of(PLAN, number, 5) for number in range(5)]
    assert [len(share) for share in shares] == [2] * 5
    assert len({visit.passage for share in shares for batch in share for visit in batch}) == 10
    with pytest.raises(RunError, match="12 batches for 13 processes"):
        share_of(PLAN, 0, 13)
