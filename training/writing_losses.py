"""The losses of a student that writes: the words to write, and how its teacher weighs the others at each place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache, EncoderDecoderCache, T5ForConditionalGeneration

from training.lesson_encoding import UNMARKED
from zoo.registry.recipes import Distillation

NO_TOKEN = -100
"""In labels: nothing is written here."""
BARRED = -1e4
"""In place of the logit of a token that cannot come: finite, so that a divergence between two of them is none."""
FORM = 0.5
"""Weight of writing without a grammar beside choosing within it: `generate` of transformers knows no grammar."""
MARKED = 0.5
"""Weight of marking the entities of what is read, or what its conclusion quotes, which teaches the encoder what words
are while nothing is written well yet. The layer that marks is thrown away: it is a scaffold (Caruana, "Multitask
learning", 1997)."""


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


def mark_loss(scores: Tensor, marks: Tensor) -> Tensor:
    """Return the cross-entropy of the labels of what is read, 0 where nobody has marked anything.

    Args:
        scores: Logits, (sources, tokens, labels and none).
        marks: Numbers of labels, (sources, tokens); `UNMARKED` where it is not known.
    """
    if not (marks != UNMARKED).any():
        return scores.sum() * 0.0  # of the weights all the same: accelerate waits for a gradient of each
    return functional.cross_entropy(scores.flatten(0, 1).float(), marks.flatten(), ignore_index=UNMARKED)


def _bar_others(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Return where a token was none of the choices, (tokens, vocabulary)."""
    places, tokens = batch["choice_places"], batch["choice_tokens"]
    barred = torch.zeros_like(logits, dtype=torch.bool)
    barred[places.unique()] = True  # each place once: a row of the vocabulary is written for it
    barred[places, tokens] = False
    return barred


class WritingObjective(nn.Module):
    """An encoder-decoder and what it learns; `forward` takes a batch of `training.lesson_batches.LessonBatcher`."""

    def __init__(
        self,
        model: T5ForConditionalGeneration,
        weights: Distillation,
        teacher: T5ForConditionalGeneration | None = None,
        labels: int = 0,
    ) -> None:
        """Hold the student.

        Args:
            model: The student.
            weights: `gold_weight` of the words to write, gold or its teacher's; `soft_weight` and `temperature` of the
                divergence from a teacher of the same vocabulary.
            teacher: Runs beside the student where `soft_weight` > 0, on the clean source; never trained.
            labels: Marks that it learns to set on what it reads (`LessonEncoder.kinds_of_marks`); 0 sets none.
        """
        super().__init__()
        self.model = model
        self.marker = nn.Linear(model.config.d_model, labels + 1) if labels else None
        self.weights = weights
        # In a tuple so that it is no submodule: neither its weights nor its gradients are anybody's business.
        self._teacher = (teacher,)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss`, each token to write weighing the same in every batch, and its parts, means over the tokens."""
        labels = batch["labels"]
        written = labels != NO_TOKEN
        read, logits = _score_written(self.model, batch["input_ids"], batch["attention_mask"], batch, written)
        barred = _bar_others(logits, batch)
        free = functional.cross_entropy(logits, labels[written])
        logits = logits.masked_fill(barred, BARRED)
        losses = {"written": functional.cross_entropy(logits, labels[written])}
        total = self.weights.gold_weight * (losses["written"] + FORM * free)
        if self.marker is not None:
            losses["marked"] = mark_loss(self.marker(read), batch["marks"])
            total = total + MARKED * losses["marked"]
        (teacher,) = self._teacher
        if self.weights.soft_weight > 0 and teacher is not None:
            teacher.to(logits.device).eval()  # type: ignore[arg-type]
            with torch.no_grad():
                theirs = _score_written(teacher, batch["clean_ids"], batch["clean_mask"], batch, written)[1]
            theirs = theirs.masked_fill(barred, BARRED)
            losses["soft"] = token_divergence(logits, theirs, self.weights.temperature)
            total = total + self.weights.soft_weight * losses["soft"]
        return {"loss": total * batch["weight"], **losses}


def _score_written(
    model: T5ForConditionalGeneration, ids: Tensor, mask: Tensor, batch: dict[str, Tensor], written: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the states of what is read, (sources, tokens, width), and the logits of what is written of it.

    The logits are (tokens, vocabulary), where something is written alone: a source is read once for all its texts.

    The vocabulary is scored at those places only; over every place of the padded texts it costs more than the decoder.
    """
    read = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    source = batch["source"]
    states = model.get_decoder()(
        input_ids=batch["decoder_input_ids"],
        encoder_hidden_states=read[:1].expand(len(source), -1, -1),  # of their shape: what is attended to is cached
        encoder_attention_mask=mask[source],
        past_key_values=_cache_sources(model, read, source),
        use_cache=True,
    ).last_hidden_state[written]
    if model.config.scale_decoder_outputs:
        states = states * model.config.d_model**-0.5
    return read, model.lm_head(states).float()


def _cache_sources(model: T5ForConditionalGeneration, read: Tensor, source: Tensor) -> EncoderDecoderCache:
    """Return the keys and values that each text's cross-attention looks at, projected once for each source.

    Args:
        model: Whose decoder attends.
        read: States of the sources, (sources, tokens, width).
        source: The source of each text, (texts,).
    """
    cache = DynamicCache()
    network: Any = model.get_decoder()  # transformers does not type its layers
    for number, block in enumerate(network.block):
        attention = block.layer[1].EncDecAttention
        shape = (*read.shape[:2], attention.n_heads, attention.key_value_proj_dim)
        keys, values = (project(read).view(shape).transpose(1, 2)[source] for project in (attention.k, attention.v))
        cache.update(keys, values, number)
    return EncoderDecoderCache(DynamicCache(), cache)
