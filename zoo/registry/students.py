"""A student's whole life in one file: `models/<student>/student.toml`."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pydantic.dataclasses import dataclass

from zoo.registry.recipes import (
    STRICT,
    Architecture,
    CorpusUse,
    Distillation,
    LicenceLevel,
    Method,
    TokenizerRecipe,
    Training,
    require,
)


@dataclass(frozen=True, config=STRICT)
class Profile:
    """One way to make the student: from which teacher and texts, with what budget."""

    teacher: str
    """Id of a file in `models/teachers/`."""
    methods: tuple[Method, ...]
    """What the student takes from its teacher; the licence gate judges each."""
    gold: tuple[CorpusUse, ...]
    """Annotated documents that student and undistilled twin learn from; the teacher too, unless it has its own."""
    dev: tuple[CorpusUse, ...]
    """Annotated documents for choosing (checkpoint, thresholds); never reported as a result."""
    test: tuple[CorpusUse, ...]
    """Annotated documents read once, at the end. Each is scored apart."""
    transfer: tuple[CorpusUse, ...]
    """Texts whose annotations, if any, are ignored: the teacher labels them."""
    training: Training
    """The student's own optimisation; its undistilled twin gets the same."""
    distillation: Distillation
    encoder: str | None = None
    """Id of a file in `models/encoders/` that student and twin alike start from, its tokenizer with it; None starts
    from random weights and a tokenizer of the recipe's own."""
    teacher_gold: tuple[CorpusUse, ...] = ()
    """Annotated documents that only the teacher learns from, in place of `gold`: what the site does not have."""
    accept: tuple[LicenceLevel, ...] = ()
    """Levels beyond `open` that this recipe knowingly accepts; marked on the card."""
    upstream: tuple[str, ...] = ()
    """Ids of corpora taken under their publisher's own clause (`upstream` on the card), not under the copy's stricter
    tag. The gate notes both facts; without this switch the copy's tag decides."""
    seed: int = 1
    """Of weights, order and noise, unless the command line gives another (`SEED=`)."""
    data_seed: int = 1
    """Of the synthetic documents: the same for every seed, so that seeds are compared on the same texts."""

    def __post_init__(self) -> None:
        require(bool(self.gold) and bool(self.dev) and bool(self.test), "gold, dev and test must each name a corpus")
        tested = {(use.corpus, use.split) for use in self.test}
        for name in ("gold", "teacher_gold", "dev", "transfer"):
            both = tested & {(use.corpus, use.split) for use in getattr(self, name)}
            require(not both, f"{name} reads a test split: {sorted(both)}")
        soft = {"logits", "pseudo-labels"} & set(self.methods)
        why = "soft labels need method 'logits', or 'pseudo-labels' where an endpoint's answers are the labels"
        require(bool(soft) or self.distillation.soft_weight == 0, why)


@dataclass(frozen=True, config=STRICT)
class Student:
    """One student of the zoo."""

    id: str
    family: Literal["bert"]
    task: Literal["ner"]
    labels: str
    """A label set of `zoo.labels`."""
    summary: str
    """One sentence for the card: what it does, for whom."""
    architecture: Architecture
    tokenizer: TokenizerRecipe
    profiles: dict[str, Profile] = field(default_factory=dict)
    widget: tuple[str, ...] = ()
    """Fictitious example texts for the Hub page."""
