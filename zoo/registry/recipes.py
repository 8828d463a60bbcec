"""The parts a recipe is made of: what a student or a teacher trained on the spot is, and how it learns.

Every class is a frozen dataclass read strictly from TOML (`zoo.registry.reading`): unknown keys, wrong types and
values out of range are errors that name the file and the key.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from carabin.generation.writer_settings import ConclusionForm

STRICT = ConfigDict(extra="forbid")


def require(condition: bool, message: str) -> None:
    """Raise ValueError(message) unless condition holds; pydantic adds the key it happened at."""
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True, config=STRICT)
class CorpusUse:
    """One split of one corpus, as a recipe names it."""

    corpus: str
    """Id of a card in `datasets_cards/`."""
    split: str
    """Name of a split that the card declares."""
    documents: int | None = None
    """At most so many documents, taken from the start; None takes all."""

    def __post_init__(self) -> None:
        require(self.documents is None or self.documents > 0, "documents must be positive")

    def __str__(self) -> str:
        return f"{self.corpus}/{self.split}" + (f"[:{self.documents}]" if self.documents else "")


@dataclass(frozen=True, config=STRICT)
class Architecture:
    """A BERT encoder's shape, in the terms of transformers' BertConfig."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    max_tokens: int = 256
    """Longest window the model reads, in tokens, special tokens included; longer texts are read in windows."""

    def __post_init__(self) -> None:
        require(min(self.layers, self.hidden, self.heads, self.intermediate) > 0, "sizes must be positive")
        require(self.hidden % self.heads == 0, f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        require(32 <= self.max_tokens <= 8192, "max_tokens must lie in 32..8192")


@dataclass(frozen=True, config=STRICT)
class Decoder:
    """What an encoder-decoder has beside its encoder, whose width, heads and inner width it shares (T5Config)."""

    layers: int
    max_tokens: int = 320
    """Longest text it writes, in tokens."""

    def __post_init__(self) -> None:
        require(self.layers > 0, "layers must be positive")
        require(32 <= self.max_tokens <= 4096, "max_tokens must lie in 32..4096")


WritingTask = Literal["conclusion", "exercises", "entities"]


@dataclass(frozen=True, config=STRICT)
class Writing:
    """What a student that writes learns to write, and how much of each one report gives."""

    tasks: tuple[WritingTask, ...] = ("conclusion", "exercises", "entities")
    conclusion: ConclusionForm = "free"
    """In words of its own, or in sentences and lines of the report (`carabin.generation.quoted_conclusion`): a student
    too small to write can still choose."""
    conclusion_repeats: int = 1
    """Times that a conclusion is read for each time that the rest is: a report has one, and many exercises."""
    exercises: int = 4
    """Exercises learned from one window of a report at most, of as many kinds as it allows."""
    exercise_characters: int = 1200
    """Longest window of a report that exercises are written on: a short one is read faster, for as many questions."""
    linked_every: int = 3
    """One report in so many is read whole for its progressive file: three questions that follow one another."""
    passages: int = 3
    """Passages of one report whose entities are written, at most."""
    passage_characters: int = 300
    """Longest such passage; entities are written passage by passage, which keeps them in order and short."""

    def __post_init__(self) -> None:
        require(bool(self.tasks) and len(set(self.tasks)) == len(self.tasks), "tasks must name tasks, each once")
        counts = (self.conclusion_repeats, self.exercises, self.linked_every, self.passages)
        require(min(counts) > 0, "conclusion_repeats, exercises, linked_every and passages must be positive")
        require(self.passage_characters >= 80, "passage_characters must be at least 80")
        require(self.exercise_characters >= 200, "exercise_characters must be at least 200")


@dataclass(frozen=True, config=STRICT)
class TokenizerRecipe:
    """A tokenizer trained on the recipe's own texts, accents and case kept.

    WordPiece for encoders, byte-level BPE for students that write.
    """

    vocabulary: int
    """Number of entries, special tokens included."""

    def __post_init__(self) -> None:
        require(self.vocabulary >= 300, "vocabulary must be at least 300")


@dataclass(frozen=True, config=STRICT)
class Training:
    """One optimisation: how long, how fast, in which batches."""

    tokens: int
    """Budget in padded tokens that the model reads. Not minutes, so that the same recipe gives the same weights."""
    learning_rate: float
    batch_tokens: int = 4096
    """Padded tokens in one batch; windows of like length are batched together."""
    warmup: float = 0.1
    """Share of the steps over which the learning rate climbs; it then falls linearly to zero."""
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    frozen_embeddings: bool = False
    """Token embeddings stay as they began: words that the gold never shows keep their place among those it does."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon` turns the updates of the layers' matrices orthogonal (Jordan et al., 2024); the rest keeps AdamW."""
    dropout: float = 0.1
    """Of activations and attention; an encoder of the Hub keeps its own. On a CPU drawing it is a third of a step."""

    def __post_init__(self) -> None:
        require(self.tokens > 0 and self.batch_tokens > 0, "tokens and batch_tokens must be positive")
        require(0 < self.learning_rate < 1, "learning_rate must lie in (0, 1)")
        require(0 <= self.warmup < 1, "warmup must lie in [0, 1)")
        require(0 <= self.dropout < 1, "dropout must lie in [0, 1)")


@dataclass(frozen=True, config=STRICT)
class NoiseRecipe:
    """What the student reads in place of the clean text its teacher read."""

    share: float = 0.0
    """Share of windows that are perturbed."""
    rate: float = 0.1
    """Share of the words of a perturbed window that are changed."""
    kinds: tuple[str, ...] = ("typo", "accent", "case", "abbreviate")
    """Names of `zoo.noise` perturbations, one drawn per perturbed window."""

    def __post_init__(self) -> None:
        require(0 <= self.share <= 1 and 0 <= self.rate <= 1, "share and rate must lie in [0, 1]")


@dataclass(frozen=True, config=STRICT)
class Distillation:
    """Weights of the distillation losses (each documented in `training/losses.py`)."""

    temperature: float = 2.0
    soft_weight: float = 1.0
    """Word-level KL between the teacher's and the student's label distributions."""
    gold_weight: float = 1.0
    """Cross-entropy on gold labels, where there are any."""
    relation_weight: float = 0.0
    """MiniLM-style relation loss between last layers; needs a teacher run beside the student."""
    gold_repeats: int = 1
    """Times that gold is read for each time that transfer text is: little gold drowns in much transfer text."""
    noise: NoiseRecipe = field(default_factory=NoiseRecipe)

    def __post_init__(self) -> None:
        require(self.temperature > 0, "temperature must be positive")
        require(self.gold_repeats >= 1, "gold_repeats must be at least 1")
        require(min(self.soft_weight, self.gold_weight, self.relation_weight) >= 0, "weights must not be negative")


LicenceLevel = Literal["open", "share-alike", "attribution-bound", "research-only", "evaluation-only", "refused"]
Method = Literal["weights", "logits", "generated-text", "pseudo-labels"]
