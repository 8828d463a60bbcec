"""The losses of a student that writes: the words to write, and how its teacher weighs the others at each place."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import T5ForConditionalGeneration

from zoo.registry.recipes import Distillation

NO_TOKEN = -100
"""In labels: nothing is written here."""


def token_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T² · KL(teacher_T ‖ student_T), mean over tokens (Hinton, Vinyals and Dean, 2015).

    Args:
        student: Logits, shape (tokens, vocabulary).
        teacher: Logits for the same places, same shape.
        temperature: T > 0.
    """
    softened = functional.log_softmax(teacher / temperature, dim=-1)
    ours = functional.log_softmax(student / temperature, dim=-1)
    return functional.kl_div(ours, softened, reduction="batchmean", log_target=True) * temperature**2


class WritingObjective(nn.Module):
    """An encoder-decoder and what it learns; `forward` takes a batch of `training.lesson_batches.LessonBatcher`."""

    def __init__(
        self,
        model: T5ForConditionalGeneration,
        weights: Distillation,
        teacher: T5ForConditionalGeneration | None = None,
    ) -> None:
        """Hold the student.

        Args:
            model: The student.
            weights: `gold_weight` of the words to write, gold or its teacher's; `soft_weight` and `temperature` of the
                divergence from a teacher of the same vocabulary.
            teacher: Runs beside the student where `soft_weight` > 0, on the clean source; never trained.
        """
        super().__init__()
        self.model = model
        self.weights = weights
        # In a tuple so that it is no submodule: neither its weights nor its gradients are anybody's business.
        self._teacher = (teacher,)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss` and its parts, each a scalar, mean over the tokens to write."""
        labels = batch["labels"]
        written = labels != NO_TOKEN
        logits = _score_written(self.model, batch["input_ids"], batch["attention_mask"], batch, written)
        losses = {"written": functional.cross_entropy(logits, labels[written])}
        total = self.weights.gold_weight * losses["written"]
        (teacher,) = self._teacher
        if self.weights.soft_weight > 0 and teacher is not None:
            teacher.to(logits.device).eval()  # type: ignore[arg-type]
            with torch.no_grad():
                theirs = _score_written(teacher, batch["clean_ids"], batch["clean_mask"], batch, written)
            losses["soft"] = token_divergence(logits, theirs, self.weights.temperature)
            total = total + self.weights.soft_weight * losses["soft"]
        return {"loss": total, **losses}


def _score_written(
    model: T5ForConditionalGeneration, ids: Tensor, mask: Tensor, batch: dict[str, Tensor], written: Tensor
) -> Tensor:
    """Return the logits where something is written, (tokens, vocabulary): a source is read once for all its texts.

    The vocabulary is scored at those places only; over every place of the padded texts it costs more than the decoder.
    """
    read = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    source = batch["source"]
    states = model.get_decoder()(
        input_ids=batch["decoder_input_ids"],
        encoder_hidden_states=read[source],
        encoder_attention_mask=mask[source],
        use_cache=False,
    ).last_hidden_state[written]
    if model.config.scale_decoder_outputs:
        states = states * model.config.d_model**-0.5
    return model.lm_head(states).float()
