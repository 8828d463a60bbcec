"""The losses of a student that writes, against what transformers computes of the same batch."""

from __future__ import annotations

import torch
from torch.nn import functional

from training.writers import new_writer, t5_config
from training.writing_losses import NO_TOKEN, WritingObjective, token_divergence
from zoo.registry.recipes import Architecture, Decoder, Distillation


def make_model(seed: int = 1):
    shape = Architecture(layers=1, hidden=32, heads=2, intermediate=64, dropout=0.0)
    return new_writer(t5_config(shape, Decoder(layers=1), 400, ["DISO"], 300), seed).eval()


def make_batch():
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 400, (2, 9), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    labels = torch.randint(3, 400, (3, 5), generator=generator)
    before = torch.cat((torch.zeros(3, 1, dtype=torch.long), labels[:, :-1]), dim=1)
    labels[2, 3:] = NO_TOKEN
    return {"input_ids": ids, "attention_mask": mask, "clean_ids": ids, "clean_mask": mask,
            "source": torch.tensor([0, 1, 1]), "decoder_input_ids": before, "labels": labels}  # fmt: skip


def test_the_loss_is_that_of_transformers_on_each_text_alone():
    """A source read once for two texts must give what reading it twice gives: a wrong row or mask would still train."""
    model, batch = make_model(), make_batch()
    with torch.no_grad():
        loss = WritingObjective(model, Distillation(soft_weight=0.0))(batch)["loss"]
        output = model(
            input_ids=batch["input_ids"][batch["source"]], attention_mask=batch["attention_mask"][batch["source"]],
            decoder_input_ids=batch["decoder_input_ids"],
        )  # fmt: skip
    expected = functional.cross_entropy(output.logits.reshape(-1, 400), batch["labels"].reshape(-1))
    assert torch.allclose(loss, expected, atol=1e-5)


def test_a_student_that_is_its_teacher_diverges_by_nothing():
    batch = make_batch()
    same = WritingObjective(make_model(), Distillation(), make_model())(batch)
    other = WritingObjective(make_model(), Distillation(), make_model(seed=2))(batch)
    assert abs(float(same["soft"])) < 1e-5 < float(other["soft"])


def test_the_divergence_is_kl_at_the_temperature():
    student, teacher = torch.randn(4, 7), torch.randn(4, 7)
    p, q = (functional.softmax(logits / 2.0, dim=-1) for logits in (teacher, student))
    expected = 4.0 * (p * (p / q).log()).sum(-1).mean()
    assert torch.allclose(token_divergence(student, teacher, 2.0), expected, atol=1e-5)
