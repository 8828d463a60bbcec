"""A pretrained encoder of the zoo's own: `models/encoders/<encoder>.toml`. Teachers and students start from it."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from zoo.registry.recipes import STRICT, Architecture, CorpusUse, TokenizerRecipe, Training, require


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
class Encoder:
    """An encoder that has read open text and knows no task yet."""

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
    kind: Literal["bert"] = "bert"

    def __post_init__(self) -> None:
        require(bool(self.corpora), "corpora must name what it reads")
        require(self.word_vectors is not None or self.masking is not None, "give [word_vectors], [masking] or both")
        read = {(use.corpus, use.split) for use in self.corpora}
        both = read & {(use.corpus, use.split) for use in self.held_out}
        require(not both, f"read and held out at once: {sorted(both)}")
