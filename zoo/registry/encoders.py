"""A pretrained model of the zoo's own: `models/encoders/<encoder>.toml`. Teachers and students start from it.

An encoder (BERT), or an encoder-decoder (T5) for students that write.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic.dataclasses import dataclass

from zoo.registry.recipes import (
    STRICT,
    Architecture,
    CorpusUse,
    Decoder,
    TokenizerRecipe,
    Training,
    require,
)

SENTINELS = 32
"""Tokens of a writing tokenizer that stand for what span corruption took out."""


@dataclass(frozen=True, config=STRICT)
class WordVectors:
    """Token embeddings that start from counts instead of noise: seconds of work that hours of masking redo.

    Positive pointwise mutual information of token pairs, factorised (Levy and Goldberg, 2014; the weighting of Levy,
    Goldberg and Dagan, 2015).
    """

    window: int = 5
    """Tokens on each side that count as neighbours, the nearest most."""
    smoothing: float = 0.75
    """Power of the neighbours' frequencies: below 1, rare neighbours weigh less."""
    scale: float = 0.05
    """Standard deviation of the embeddings' numbers; BERT's own random ones have 0.02."""

    def __post_init__(self) -> None:
        require(1 <= self.window <= 20, "window must lie in 1..20")
        require(0 < self.smoothing <= 1, "smoothing must lie in (0, 1]")
        require(0 < self.scale < 1, "scale must lie in (0, 1)")


@dataclass(frozen=True, config=STRICT)
class Masking:
    """Masked-language modelling: tokens are hidden and guessed (Devlin et al., 2019)."""

    training: Training
    rate: float = 0.2
    """Share of the tokens that are guessed."""

    def __post_init__(self) -> None:
        require(0 < self.rate < 1, "rate must lie in (0, 1)")


@dataclass(frozen=True, config=STRICT)
class Corruption:
    """Span corruption: runs of tokens are taken out of a row, and written (Raffel et al., 2020)."""

    training: Training
    rate: float = 0.15
    """Share of the tokens that are taken out."""
    span: float = 3.0
    """Mean length of a run, in tokens."""
    row_tokens: int = 512
    """Tokens of a row before anything is taken out. Sources may be longer: T5's positions are relative."""

    @property
    def taken(self) -> int:
        """Tokens that are taken out of a row."""
        return min(max(round(self.row_tokens * self.rate), 1), self.row_tokens - 1)

    @property
    def spans(self) -> int:
        """Runs that they are taken out in, each with a sentinel of its own."""
        return max(round(self.taken / self.span), 1)

    def __post_init__(self) -> None:
        require(0 < self.rate < 1 and self.span >= 1, "rate must lie in (0, 1), span must be at least 1")
        require(32 <= self.row_tokens <= 8192, "row_tokens must lie in 32..8192")
        require(self.spans <= self.row_tokens - self.taken, "rate leaves no token between two spans; lower it")
        needs = f"a row of {self.row_tokens} tokens needs {self.spans} sentinels, a tokenizer has {SENTINELS}"
        require(self.spans <= SENTINELS, f"{needs}; lower row_tokens or rate, or raise span")


@dataclass(frozen=True, config=STRICT)
class Encoder:
    """A model that has read open text and knows no task yet."""

    id: str
    summary: str
    architecture: Architecture
    tokenizer: TokenizerRecipe
    corpora: tuple[CorpusUse, ...]
    """What it reads, annotations ignored; sentences that bring little new are left out."""
    held_out: tuple[CorpusUse, ...] = ()
    """What it must not have read, because others are measured on it: sentences that share eight words in a row with
    these texts are left out."""
    word_vectors: WordVectors | None = None
    masking: Masking | None = None
    seed: int = 1
    """Fixed by the recipe: runs of several seeds share one encoder and differ in the task alone."""
    upstream: tuple[str, ...] = ()
    """As a profile's: corpora taken under their publisher's own clause."""
    kind: Literal["bert", "t5"] = "bert"
    """Of which family."""
    decoder: Decoder | None = None
    corruption: Corruption | None = None

    def __post_init__(self) -> None:
        require(bool(self.corpora), "corpora must name what it reads")
        encodes, writes = (self.word_vectors, self.masking), (self.decoder, self.corruption)
        if self.kind == "bert":
            require(any(encodes), "give [word_vectors], [masking] or both")
            require(not any(writes), "[decoder] and [corruption] are of kind = 't5'")
        else:
            require(all(writes), "kind 't5' has a [decoder] and a [corruption]")
            require(not any(encodes), "[word_vectors] and [masking] are of kind = 'bert'")
        read = {(use.corpus, use.split) for use in self.corpora}
        both = read & {(use.corpus, use.split) for use in self.held_out}
        require(not both, f"read and held out at once: {sorted(both)}")

    def find_misfit(self, family: str, shape: Architecture, decoder: Decoder | None) -> str | None:
        """Return what this model is that one of that shape cannot start from; None where it can.

        A writer may have fewer layers, which are then taken from among these.
        """
        if family != self.kind:
            return "is of another family"
        if self.decoder and decoder:
            if shape.layers > self.architecture.layers or decoder.layers > self.decoder.layers:
                return "has fewer layers"
            shape = replace(shape, layers=self.architecture.layers)
        return None if shape == self.architecture else "has another [architecture]"
