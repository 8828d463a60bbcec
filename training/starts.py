"""What a model starts from: a pretrained encoder of the zoo's, or random weights and a tokenizer of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from training.encoders import bert_config, new_tagger
from training.pretraining import encoder_folder, make_encoder
from training.stages import Inputs, Tagger, make_tokenizer
from zoo.plan import Plan
from zoo.registry.recipes import Architecture, TokenizerRecipe
from zoo.runs import RunError, hash_file


@dataclass(frozen=True)
class Start:
    """A shape, a tokenizer and perhaps weights."""

    shape: Architecture
    tokenizer: Path
    encoder: Path | None

    @property
    def key(self) -> dict[str, Any]:
        """What tells this start from any other's."""
        key: dict[str, Any] = {"tokenizer": hash_file(self.tokenizer / "tokenizer.json"), "shape": asdict(self.shape)}
        if self.encoder is not None:
            key["encoder"] = hash_file(self.encoder / "model.safetensors")
        return key

    def build(self, tags: tuple[str, ...], seed: int, dropout: float) -> Tagger:
        """Return a BERT tagger that nobody has trained for its task, and its tokenizer."""
        tokenizer = PreTrainedTokenizerFast.from_pretrained(self.tokenizer)
        return new_tagger(bert_config(self.shape, len(tokenizer), dropout), tags, seed, self.encoder), tokenizer


def start_from(plan: Plan, encoder_id: str) -> Start:
    """Return the start that a pretrained encoder, or encoder-decoder, is; made now if it was not.

    Raises:
        RunError: it is of another family than the student.
    """
    encoder = plan.registry.encoder(encoder_id)
    if encoder.kind != plan.student.family:
        raise RunError(
            f"encoder '{encoder_id}' is of family '{encoder.kind}', student '{plan.student.id}' of "
            f"'{plan.student.family}'; name an encoder of its family"
        )
    folder = make_encoder(plan.registry, encoder, plan.runs)
    return Start(encoder.architecture, folder, folder)


def encoder_folders(plan: Plan) -> dict[str, Path]:
    """Return the pretrained encoders that the plan's teacher and student start from, by id."""
    ids = dict.fromkeys(filter(None, (plan.teacher.encoder, plan.profile.encoder)))
    folders = {}
    for encoder_id in ids:
        encoder = plan.registry.encoder(encoder_id)
        folders[f"encoder {encoder_id}"] = encoder_folder(plan.registry, encoder, plan.runs)
    return folders


def start_afresh(
    texts: Iterable[str], recipe: TokenizerRecipe, shape: Architecture, tokenizer: Path, inputs: Inputs
) -> Start:
    """Return a start from random weights, its tokenizer trained on the texts unless it is there."""
    make_tokenizer(texts, recipe, shape.max_tokens, tokenizer, inputs)
    return Start(shape, tokenizer, None)
