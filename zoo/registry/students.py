"""A student's whole life in one file: `models/<student>/student.toml`."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pydantic.dataclasses import dataclass

from zoo.registry.recipes import (
    STRICT,
    Architecture,
    CorpusUse,
    Decoder,
    Distillation,
    LicenceLevel,
    Method,
    TokenizerRecipe,
    Training,
    Writing,
    require,
)
from zoo.registry.terminologies import TransferChoice


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
    from random weights and a tokenizer of the recipe's own. Of a student that writes, a teacher trained on the spot
    starts from it too, for they share a tokenizer; the student then starts from its teacher if `methods` has
    'weights'."""
    teacher_gold: tuple[CorpusUse, ...] = ()
    """Annotated documents that only the teacher learns from, in place of `gold`: what the site does not have."""
    accept: tuple[LicenceLevel, ...] = ()
    """Levels beyond `open` that this recipe knowingly accepts; marked on the card."""
    upstream: tuple[str, ...] = ()
    """Ids of corpora taken under their publisher's own clause (`upstream` on the card), not under the copy's stricter
    tag. The gate notes both facts; without this switch the copy's tag decides."""
    writing: Writing | None = None
    """What is learned from each report; for students that write."""
    terminologies: tuple[str, ...] = ()
    """Ids of files in `models/terminologies/` that teach beside the teacher: where a name of theirs stands in transfer
    text, it is believed as far as the terminology's `confidence` goes; elsewhere the teacher alone is."""
    choice: TransferChoice | None = None
    """Which transfer documents are read; None takes those that come first."""
    seed: int = 1
    """Of weights, order and noise, unless the command line gives another (`SEED=`)."""
    data_seed: int = 1
    """Of the synthetic documents: the same for every seed, so that seeds are compared on the same texts."""

    @property
    def all_terminologies(self) -> tuple[str, ...]:
        """Ids of the terminologies that teach or choose, each once."""
        chooses = self.choice.terminologies if self.choice else ()
        return tuple(dict.fromkeys((*self.terminologies, *chooses)))

    def __post_init__(self) -> None:
        require(bool(self.gold) and bool(self.dev) and bool(self.test), "gold, dev and test must each name a corpus")
        tested = {(use.corpus, use.split) for use in self.test}
        for name in ("gold", "teacher_gold", "dev", "transfer"):
            both = tested & {(use.corpus, use.split) for use in getattr(self, name)}
            require(not both, f"{name} reads a test split: {sorted(both)}")
        soft = {"logits", "pseudo-labels"} & set(self.methods)
        why = "soft labels need method 'logits', or 'pseudo-labels' where an endpoint's answers are the labels"
        require(bool(soft) or self.distillation.soft_weight == 0, why)
        labels = self.distillation.soft_weight > 0 and self.writing is None
        require(labels or not self.terminologies, "terminologies teach taggers, and need soft_weight > 0")
        strange = sorted(set(self.choice.corpora) - {use.corpus for use in self.transfer}) if self.choice else []
        require(not strange, f"choice names corpora that transfer does not read: {', '.join(strange)}")
        taken = self.writing is None or "generated-text" in self.methods
        require(taken, "a student that writes learns what its teacher wrote: name the method 'generated-text'")


@dataclass(frozen=True, config=STRICT)
class Student:
    """One student of the zoo."""

    id: str
    family: Literal["bert", "t5"]
    """`bert`: an encoder that labels words; `t5`: an encoder-decoder that writes."""
    task: Literal["ner", "writing"]
    labels: str
    """A label set of `zoo.labels`; of the entities that a student that writes writes down."""
    summary: str
    """One sentence for the card: what it does, for whom."""
    architecture: Architecture
    tokenizer: TokenizerRecipe
    profiles: dict[str, Profile] = field(default_factory=dict)
    widget: tuple[str, ...] = ()
    """Fictitious example texts for the Hub page."""
    decoder: Decoder | None = None

    def __post_init__(self) -> None:
        writes = self.family == "t5"
        require((self.task == "writing") == writes, f"family '{self.family}' does not do the task '{self.task}'")
        require((self.decoder is not None) == writes, "a student of family 't5' has a [decoder], and no other does")
        for name, profile in self.profiles.items():
            why = f"profile '{name}': a student that writes has a [writing] section, and no other does"
            require((profile.writing is not None) == writes, why)
