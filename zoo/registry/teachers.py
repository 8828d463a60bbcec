"""A teacher: `models/teachers/<teacher>.toml`. Its licence facts are read by the licence gate before anything else."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic.dataclasses import dataclass

from zoo.registry.recipes import (
    STRICT,
    Architecture,
    MaskedLanguageModelling,
    TokenizerRecipe,
    Training,
    require,
)


@dataclass(frozen=True, config=STRICT)
class LicenceEvidence:
    """What a licence says, where that was read, and when: a tag alone is never believed."""

    spdx: str
    """SPDX expression, or a `LicenseRef-…` declared in `zoo/licences`."""
    clause: str
    """The words relied upon, quoted; empty when nobody has read them yet (the gate then refuses)."""
    read_at: str
    """Where they were read: file or page and, for a repository, its revision."""
    read_on: date | None = None


@dataclass(frozen=True, config=STRICT)
class Teacher:
    """One teacher of the zoo."""

    id: str
    kind: Literal["trained", "hub-encoder", "hub-encoder-decoder", "endpoint"]
    """`trained`: made on the spot from the recipe's gold; `hub-*`: pinned weights; `endpoint`: OpenAI-compatible."""
    summary: str
    licence: LicenceEvidence | None = None
    """None for `trained` teachers only: their licence is that of the corpora they learn from."""
    output_terms: str = ""
    """What the licence says of models trained on outputs, quoted; empty means it says nothing of them."""
    hub_id: str | None = None
    revision: str | None = None
    """Full commit (40 hex digits); None when nobody could read it yet, and the gate then refuses."""
    parameters: int | None = None
    architecture: Architecture | None = None
    tokenizer: TokenizerRecipe | None = None
    pretraining: MaskedLanguageModelling | None = None
    training: Training | None = None
    """How it learns the task on the recipe's gold."""

    def __post_init__(self) -> None:
        if self.kind == "trained":
            require(self.architecture is not None and self.tokenizer is not None, "a trained teacher has a shape")
            require(self.training is not None, "a trained teacher has a [training] section")
            require(self.licence is None, "a trained teacher's licence is that of its corpora: leave [licence] out")
            outside = self.hub_id is not None or self.revision is not None or bool(self.output_terms)
            require(not outside, "a trained teacher comes from no one: leave hub_id, revision and output_terms out")
        else:
            require(self.licence is not None, "[licence] is missing")
            require(self.kind == "endpoint" or self.hub_id is not None, "hub_id is missing")
