"""What would go wrong on a GPU alone, as far as a machine without one can show it.

A tensor made without naming a device is made on the default one: with `meta` for a default, it is elsewhere than the
batch, as it would be on a GPU, and computing with the two fails.
"""

from __future__ import annotations

import pytest
import torch
from accelerate.state import AcceleratorState
from transformers import BertConfig, BertForMaskedLM, BertForTokenClassification

from training import optimise
from training.batches import Visit
from training.losses import TaggingObjective
from training.masked_language import MaskedObjective
from training.passages import NO_TAG
from zoo.registry.recipes import Distillation, Training

N_TAGS = 5


def config(**changes) -> BertConfig:
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return BertConfig(vocab_size=30, max_position_embeddings=16, num_labels=N_TAGS, **{**shape, **dropout, **changes})


def tagging_batch() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    ids, sample = torch.randint(3, 30, (2, 6)), torch.tensor([0, 0, 0, 1, 1])
    return {
        "input_ids": ids, "attention_mask": torch.ones_like(ids), "sample": sample,
        "position": torch.tensor([1, 2, 4, 1, 3]), "tags": torch.tensor([0, 1, NO_TAG, 2, NO_TAG]),
        "probabilities": torch.softmax(torch.randn(5, N_TAGS), -1), "clean_word": torch.tensor([0, 1, 2, 0, 1]),
        "teacher_ids": ids, "teacher_mask": torch.ones_like(ids), "teacher_position": torch.tensor([1, 2, -1, 1, 3]),
    }  # fmt: skip


def tagging_objective() -> TaggingObjective:
    torch.manual_seed(0)
    student, teacher = (BertForTokenClassification(config(hidden_size=width)) for width in (32, 64))
    return TaggingObjective(student, Distillation(relation_weight=0.5), teacher)


def masked_objective() -> tuple[MaskedObjective, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    ids = torch.randint(5, 30, (2, 6))
    return MaskedObjective(BertForMaskedLM(config())), {"input_ids": ids, "labels": torch.where(ids > 15, ids, -100)}


@pytest.mark.parametrize("name", ["tagging", "masked"])
def test_no_tensor_is_made_elsewhere_than_the_batch(name):
    objective, batch = masked_objective() if name == "masked" else (tagging_objective(), tagging_batch())
    with torch.device("meta"):
        losses = objective(batch)
        losses["loss"].backward()
    assert {value.device.type for value in losses.values()} == {"cpu"}
    assert all(torch.isfinite(value) for value in losses.values())


def test_the_trick_sees_a_tensor_that_is_left_behind():
    probabilities = tagging_batch()["probabilities"]
    with torch.device("meta"), pytest.raises(RuntimeError, match="not on the expected device"):
        torch.nn.functional.mse_loss(probabilities, torch.zeros(5, N_TAGS))


def test_the_losses_are_float32_under_bfloat16_and_near():
    """Summed in bfloat16, a loss has three digits: its small parts, and small steps, are lost."""
    objective, batch = tagging_objective(), tagging_batch()
    full = objective(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = objective(batch)
    half["loss"].backward()
    assert {value.dtype for value in half.values()} == {torch.float32}
    assert {name: value.item() for name, value in half.items()} == pytest.approx(
        {name: value.item() for name, value in full.items()}, rel=0.05, abs=0.02
    )
    assert any(half[name].item() != full[name].item() for name in full), "autocast changed nothing: not tested"
    gradients = [parameter.grad for parameter in objective.model.parameters() if parameter.grad is not None]
    assert all(gradient.dtype == torch.float32 and torch.isfinite(gradient).all() for gradient in gradients)


def test_a_training_in_bfloat16_keeps_float32_weights_and_learns_alike(tmp_path, monkeypatch):
    """What a GPU runs: accelerate's own mixed precision, here on the CPU. The frozen teacher is no part of it."""
    weights, batches = {}, [[Visit(0, number)] for number in range(6)]
    training = Training(tokens=1000, learning_rate=1e-2)
    for precision in ("no", "bf16"):
        AcceleratorState._reset_state(reset_partial_state=True)
        monkeypatch.setattr(optimise, "mixed_precision", lambda precision=precision: precision)
        objective = tagging_objective()
        before = [parameter.clone() for parameter in objective._teacher[0].parameters()]
        figures = optimise.optimise(
            objective, lambda _: tagging_batch(), batches, training, tmp_path / precision, 1, precision
        )
        assert (figures["precision"], figures["steps"]) == (precision, 6)
        assert all(torch.equal(a, b) for a, b in zip(before, objective._teacher[0].parameters(), strict=True))
        weights[precision] = [parameter.detach() for parameter in objective.model.parameters()]
        losses = objective(tagging_batch())
        assert losses["loss"] < tagging_objective()(tagging_batch())["loss"], "it learned"
    AcceleratorState._reset_state(reset_partial_state=True)
    assert {value.dtype for value in weights["bf16"]} == {torch.float32}
    assert not all(torch.equal(a, b) for a, b in zip(*weights.values(), strict=True)), "bfloat16 was not used"
