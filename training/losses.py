"""The losses of distillation, all over words: the unit that teacher and student share whatever their tokenizers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from training.passages import NO_TAG
from zoo.registry.recipes import Distillation

RELATION_HEADS = 8


def soft_label_loss(logits: Tensor, probabilities: Tensor, temperature: float) -> Tensor:
    """Return T² · KL(teacher_T ‖ student_T), mean over words (Hinton, Vinyals and Dean, 2015).

    The teacher's distribution is stored at temperature 1; at T it is p^(1/T), normalised again.

    Args:
        logits: The student's, shape (n_words, n_tags).
        probabilities: The teacher's, shape (n_words, n_tags), rows sum to one.
        temperature: T > 0.
    """
    softened = functional.softmax(probabilities.clamp_min(1e-6).log() / temperature, dim=-1)
    student = functional.log_softmax(logits / temperature, dim=-1)
    return functional.kl_div(student, softened, reduction="batchmean") * temperature**2


def gold_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """Return the cross-entropy with the gold tags, mean over the words that have one; 0 if none has."""
    if not bool((tags != NO_TAG).any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits, tags, ignore_index=NO_TAG)


def relation_loss(student: Tensor, teacher: Tensor, sample: Tensor) -> Tensor:
    """Return the divergence of how words relate to one another in the two last layers (MiniLMv2, Wang et al., 2021).

    Widths may differ: only the (words × words) relations are compared, head by head.

    Args:
        student: Last hidden states at each word, shape (n_words, student width).
        teacher: The same words' in the teacher, shape (n_words, teacher width).
        sample: Which passage each word belongs to, sorted. Shape (n_words,).
    """
    counts = torch.unique_consecutive(sample, return_counts=True)[1].tolist()
    padded = [pad_sequence(states.split(counts), batch_first=True) for states in (student, teacher)]
    present = pad_sequence(torch.ones_like(sample, dtype=torch.bool).split(counts), batch_first=True)
    ours, theirs = (_relations(states, present) for states in padded)
    divergence = functional.kl_div(ours, theirs, reduction="none", log_target=True)
    pairs = (present[:, :, None] & present[:, None, :])[:, None]
    return divergence.masked_fill(~pairs, 0.0).sum() / (present.sum() * RELATION_HEADS)


def _relations(states: Tensor, present: Tensor) -> Tensor:
    """Return log-softmaxed scaled products, shape (batch, heads, words, words)."""
    batch, words, width = states.shape
    heads = states.reshape(batch, words, RELATION_HEADS, width // RELATION_HEADS).transpose(1, 2).float()
    products = heads @ heads.transpose(-1, -2) / (width // RELATION_HEADS) ** 0.5
    # A finite floor: an absent word's row would otherwise be all -inf and turn the sum into NaN.
    return functional.log_softmax(products.masked_fill(~present[:, None, None, :], -1e4), dim=-1)


class TaggingObjective(nn.Module):
    """A tagger and what it is pulled towards; `forward` takes a batch of `training.batches.PassageBatcher`."""

    def __init__(self, model: PreTrainedModel, weights: Distillation, teacher: PreTrainedModel | None = None) -> None:
        """Hold the student.

        Args:
            model: A token classifier of transformers.
            weights: Of each loss. `soft_weight` counts where the batch carries a teacher's distributions.
            teacher: Runs beside the student when `relation_weight` > 0; never trained.
        """
        super().__init__()
        self.model = model
        self.weights = weights
        # In a tuple so that it is no submodule: neither its weights nor its gradients are anybody's business.
        self._teacher = (teacher,)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss` and its parts, each a scalar."""
        wants_relations = self.weights.relation_weight > 0
        output = self.model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], output_hidden_states=wants_relations
        )
        # Only the words' first tokens are asked anything: the loss is computed where it counts.
        logits = output.logits[batch["sample"], batch["position"]].float()
        losses = {"gold": gold_loss(logits, batch["tags"])}
        total = self.weights.gold_weight * losses["gold"]
        taught = batch["probabilities"].sum(dim=-1) > 0.5
        if self.weights.soft_weight > 0 and bool(taught.any()):
            losses["soft"] = soft_label_loss(logits[taught], batch["probabilities"][taught], self.weights.temperature)
            total = total + self.weights.soft_weight * losses["soft"]
        if wants_relations:
            words = output.hidden_states[-1][batch["sample"], batch["position"]]
            losses["relation"] = self._relation(words, batch)
            total = total + self.weights.relation_weight * losses["relation"]
        return {"loss": total, **losses}

    def _relation(self, words: Tensor, batch: dict[str, Tensor]) -> Tensor:
        (teacher,) = self._teacher
        if teacher is None:
            raise ValueError("relation_weight > 0 needs a teacher that runs beside the student")
        teacher.to(words.device).eval()  # type: ignore[arg-type]
        with torch.no_grad():
            states = teacher.base_model(
                input_ids=batch["teacher_ids"], attention_mask=batch["teacher_mask"]
            ).last_hidden_state
        both = batch["teacher_position"] >= 0
        theirs = states[batch["sample"][both], batch["teacher_position"][both]]
        return relation_loss(words[both], theirs, batch["sample"][both])
