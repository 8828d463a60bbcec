"""A teacher: `models/teachers/<teacher>.toml`. Its licence facts are read by the licence gate before anything else."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic.dataclasses import dataclass

from zoo.registry.recipes import (
    STRICT,
    Architecture,
    Decoder,
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
class TokenPrices:
    """What a provider asks, per million tokens."""

    prompt: float
    completion: float
    currency: str
    read_at: str
    """Page and date of the price list."""

    def __post_init__(self) -> None:
        require(self.prompt >= 0 and self.completion >= 0, "prices must not be negative")
        require(bool(self.currency.strip()), "say the currency")
        require(bool(self.read_at.strip()), "say where the prices were read")


@dataclass(frozen=True, config=STRICT)
class Endpoint:
    """How a generative teacher is asked, over any OpenAI-compatible `/v1/chat/completions`.

    The address and the key are in the environment of who runs it, never in a file; only the variables' names are here.
    """

    model: str
    """The name that the endpoint knows the model by."""
    base_url_variable: str = "CARABIN_ENDPOINT_URL"
    """Environment variable that holds the address, up to `/v1`."""
    api_key_variable: str | None = None
    """Environment variable that holds the key; None for a server that asks for none."""
    snapshot: str = ""
    """Date or version of the served model, where the provider gives one: another snapshot is another teacher."""
    temperature: float = 0.0
    seed: int | None = None
    """Sent along where the server takes one."""
    max_output_tokens: int = 2048
    passage_characters: int = 3000
    """Longer documents are cut at paragraphs, sentences or lines, and asked piece by piece."""
    response_format: Literal["text", "json_object", "json_schema"] = "text"
    """`json_schema` reaches the server as TGI reads it: huggingface_hub rewrites it so for every address."""
    confidence: float = 1.0
    """Probability of the tag the teacher chose; the rest is shared among the others (label smoothing)."""
    concurrency: int = 4
    timeout_seconds: float = 120.0
    attempts: int = 6
    """Of one request, the first included, when the server is busy, broken or unreachable."""
    first_wait_seconds: float = 1.0
    """Before the second attempt; doubled before each further one, unless the server says how long (Retry-After)."""
    longest_wait_seconds: float = 60.0
    price_per_million_tokens: TokenPrices | None = None
    """None: the cost is not known, and the ledger says so."""
    watt_hours_per_1000_tokens: float | None = None
    """Of prompt and completion alike; None: nobody measured, and the ledger says so."""
    watt_hours_source: str = ""

    def __post_init__(self) -> None:
        require(bool(self.model.strip()), "model must not be empty")
        for name in (self.base_url_variable, self.api_key_variable):
            require(name is None or name.isidentifier(), f"'{name}' is no environment variable's name")
        require(self.temperature >= 0, "temperature must not be negative")
        require(self.max_output_tokens >= 16, "max_output_tokens must be at least 16")
        require(self.passage_characters >= 200, "passage_characters must be at least 200")
        require(0.5 < self.confidence <= 1, "confidence must lie in (0.5, 1]")
        require(1 <= self.concurrency <= 256 and 1 <= self.attempts <= 20, "1..256 concurrency and 1..20 attempts")
        waits = (self.timeout_seconds, self.first_wait_seconds, self.longest_wait_seconds)
        require(min(waits) > 0, "timeout and waits must be positive")
        energy = self.watt_hours_per_1000_tokens
        require(energy is None or energy >= 0, "watt_hours_per_1000_tokens must not be negative")
        require((energy is None) == (not self.watt_hours_source.strip()), "energy and watt_hours_source go together")


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
    decoder: Decoder | None = None
    """Of a `trained` teacher that writes."""
    encoder: str | None = None
    """Id of a file in `models/encoders/` that a `trained` teacher starts from, its shape and tokenizer with it."""
    training: Training | None = None
    """How it learns the task on the recipe's gold."""
    members: int = 1
    """Of a `trained` teacher: so many models that differ in their seeds alone and answer by their mean distribution."""
    endpoint: Endpoint | None = None
    """How it is asked, for `endpoint` teachers that can be; the others are there for the licence gate alone."""

    def __post_init__(self) -> None:
        require(self.endpoint is None or self.kind == "endpoint", "[endpoint] is for teachers of kind 'endpoint'")
        if self.kind == "trained":
            shaped = self.architecture is not None and self.tokenizer is not None
            bare = self.architecture is None and self.tokenizer is None
            why = "a trained teacher has [architecture] and [tokenizer], or an encoder that has both"
            require(shaped if self.encoder is None else bare, why)
            require(self.training is not None, "a trained teacher has a [training] section")
            require(1 <= self.members <= 16, "members must lie in 1..16")
            alone = self.encoder is None and self.members == 1
            require(self.decoder is None or alone, "a teacher that writes has neither an encoder's start nor members")
            require(self.licence is None, "a trained teacher's licence is that of its corpora: leave [licence] out")
            outside = self.hub_id is not None or self.revision is not None or bool(self.output_terms)
            require(not outside, "a trained teacher comes from no one: leave hub_id, revision and output_terms out")
        else:
            require(self.licence is not None, "[licence] is missing")
            require(self.decoder is None, "[decoder] is for trained teachers")
            require(self.encoder is None, "an encoder of models/encoders is for trained teachers")
            require(self.members == 1, "only a trained teacher may have several members")
            require(self.kind == "endpoint" or self.hub_id is not None, "hub_id is missing")
