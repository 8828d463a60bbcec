"""Each test names the silent failure it guards against."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training.losses import gold_loss, relation_loss, soft_label_loss
from training.passages import NO_TAG


def test_soft_loss_is_zero_only_when_the_student_agrees():
    """A loss against the student's own logits, or against the argmax, would still go down."""
    logits = torch.randn(7, 5)
    assert soft_label_loss(logits, functional.softmax(logits, dim=-1), 2.0).item() == pytest.approx(0, abs=1e-4)
    assert soft_label_loss(logits, functional.softmax(torch.randn(7, 5) * 3, dim=-1), 2.0).item() > 0.1


def test_soft_loss_matches_the_formula():
    logits, teacher, temperature = torch.randn(4, 3), torch.randn(4, 3), 3.0
    stored = functional.softmax(teacher, dim=-1)
    left = functional.softmax(teacher / temperature, dim=-1)
    expected = (left * (left.log() - functional.log_softmax(logits / temperature, dim=-1))).sum(
        -1
    ).mean() * temperature**2
    assert soft_label_loss(logits, stored, temperature).item() == pytest.approx(expected.item(), rel=1e-4)


def test_float16_zeros_in_the_cache_do_not_make_nan():
    loss = soft_label_loss(torch.randn(2, 3), torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]), 1.0)
    assert torch.isfinite(loss)


def test_words_without_gold_count_for_nothing():
    """-1 is also a valid index in torch: ignored wrongly, it would train towards the last tag."""
    logits = torch.randn(3, 4, requires_grad=True)
    gold_loss(logits, torch.tensor([2, NO_TAG, NO_TAG])).backward()
    assert logits.grad[1:].abs().sum() == 0
    assert logits.grad[0].abs().sum() > 0
    assert gold_loss(logits, torch.full((3,), NO_TAG)).item() == 0


def test_relations_ignore_padding_and_compare_different_widths():
    """Padding words in the softmax would pull short passages towards nothing."""
    teacher = torch.randn(5, 32)
    sample = torch.tensor([0, 0, 0, 1, 1])
    assert relation_loss(teacher, teacher, sample).item() == pytest.approx(0, abs=1e-5)
    whole = relation_loss(torch.randn(5, 16), teacher, sample)
    assert torch.isfinite(whole) and whole > 0
    student = torch.randn(5, 16)
    apart = [relation_loss(student[part], teacher[part], sample[part]) for part in (slice(0, 3), slice(3, 5))]
    together = relation_loss(student, teacher, sample)
    assert together.item() == pytest.approx((3 * apart[0] + 2 * apart[1]).item() / 5, rel=1e-4)
