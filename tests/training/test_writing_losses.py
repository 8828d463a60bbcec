"""The losses of a student that writes, against what transformers computes of the same batch."""

from __future__ import annotations

import torch
from torch.nn import functional

from training.writers import new_writer, t5_config
from training.writing_losses import NO_TOKEN, WritingObjective, token_divergence
from zoo.registry.recipes import Architecture, Decoder, Distillation, Writing


def make_model(seed: int = 1):
    shape = Architecture(layers=1, hidden=32, heads=2, intermediate=64)
    return new_writer(t5_config(shape, Decoder(layers=1), 400, ["DISO"], Writing(), 0.0), seed).eval()


def make_batch():
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 400, (2, 9), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    labels = torch.randint(3, 400, (3, 5), generator=generator)
    before = torch.cat((torch.zeros(3, 1, dtype=torch.long), labels[:, :-1]), dim=1)
    labels[2, 3:] = NO_TOKEN
    none = torch.empty(0, dtype=torch.long)
    return {"input_ids": ids, "attention_mask": mask, "clean_ids": ids, "clean_mask": mask,
            "source": torch.tensor([0, 1, 1]), "decoder_input_ids": before, "labels": labels,
            "weight": torch.tensor(1.0), "choice_places": none, "choice_tokens": none}  # fmt: skip


def test_the_loss_is_that_of_transformers_on_each_text_alone():
    """A source read once for two texts must give what reading it twice gives: a wrong row or mask would still train."""
    model, batch = make_model(), make_batch()
    with torch.no_grad():
        loss = WritingObjective(model, Distillation(soft_weight=0.0))(batch)["written"]
        output = model(
            input_ids=batch["input_ids"][batch["source"]], attention_mask=batch["attention_mask"][batch["source"]],
            decoder_input_ids=batch["decoder_input_ids"],
        )  # fmt: skip
    expected = functional.cross_entropy(output.logits.reshape(-1, 400), batch["labels"].reshape(-1))
    assert torch.allclose(loss, expected, atol=1e-5)


def test_gradients_are_those_of_reading_the_source_for_each_text():
    """Keys and values are projected once for each source: they must still teach the encoder through every text."""
    model, batch = make_model(), make_batch()
    WritingObjective(model, Distillation(soft_weight=0.0))(batch)["written"].backward()
    shared = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    model(
        input_ids=batch["input_ids"][batch["source"]], attention_mask=batch["attention_mask"][batch["source"]],
        decoder_input_ids=batch["decoder_input_ids"], labels=batch["labels"],
    ).loss.backward()  # fmt: skip
    for name, weight in model.named_parameters():
        assert torch.allclose(shared[name], weight.grad, atol=1e-5), name


def test_a_batch_that_writes_half_as_much_weighs_half():
    model, batch = make_model(), make_batch()
    losses = [
        WritingObjective(model, Distillation(soft_weight=0.0))(batch | {"weight": torch.tensor(weight)})["loss"].item()
        for weight in (1.0, 0.5)
    ]
    assert abs(losses[0] - 2 * losses[1]) < 1e-5


def test_only_choices_are_learned_where_a_grammar_chose():
    """Where one token alone may come there is nothing to learn, and what cannot come takes no part."""
    model, batch = make_model(), make_batch()
    first = int(batch["labels"][0, 0])
    forced = {"choice_places": torch.tensor([0]), "choice_tokens": torch.tensor([first])}
    pair = {"choice_places": torch.tensor([0, 0]), "choice_tokens": torch.tensor([first, 399])}
    written = (batch["labels"] != NO_TOKEN).sum()
    objective = WritingObjective(model, Distillation(soft_weight=0.0))
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"][:1], attention_mask=batch["attention_mask"][:1],
                       decoder_input_ids=batch["decoder_input_ids"][:1]).logits[0, 0]  # fmt: skip
        free, none, two = (float(objective(batch | some)["written"] * written) for some in ({}, forced, pair))
    whole = float(functional.cross_entropy(logits, torch.tensor(first)))
    between = float(functional.cross_entropy(logits[[first, 399]], torch.tensor(0)))
    assert abs(free - none - whole) < 1e-3 and abs(two - none - between) < 1e-3


def test_marks_are_learned_where_there_are_any():
    model, batch = make_model(), make_batch()
    objective = WritingObjective(model, Distillation(soft_weight=0.0), labels=2)
    marks = torch.full_like(batch["input_ids"], -100)
    objective(batch | {"marks": marks})["loss"].backward()
    assert float(objective.marker.weight.grad.abs().sum()) == 0.0
    marks[1, 2] = 1
    objective(batch | {"marks": marks})["loss"].backward()
    assert float(objective.marker.weight.grad.abs().sum()) > 0.0


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
