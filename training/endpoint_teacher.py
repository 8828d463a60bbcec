"""A generative teacher behind an OpenAI-compatible endpoint, asked for the entities of a text as text.

To the teacher pass it is what an annotator is: `tags` and `word_probabilities(texts)`. Its distributions are those of
the tags it chose (`confidence` on each, 1 by default). A passage whose answer cannot be read, even cut in smaller
pieces, gets rows of zeros, which teach nothing: taking it for a passage without entities would teach to miss them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Document, Entity
from carabin.tokens.tagging import bio_tags, encode_spans
from carabin.tokens.words import Offsets, find_words
from training.endpoint_teacher_answers import align, read_answer
from training.endpoint_teacher_client import EndpointClient
from training.endpoint_teacher_ledger import LEDGER, Ledger
from training.endpoint_teacher_prompt import answer_schema, build_messages, cut_text, hash_prompt
from training.teacher_pass import write_targets
from zoo.labels import LABEL_SETS
from zoo.plan import Plan
from zoo.registry import Teacher
from zoo.registry.teachers import Endpoint
from zoo.runs import RunError

SHARD_DOCUMENTS = 16
"""Fewer than of a local teacher: what a kill loses here was paid for."""
SPLITS = 3
"""How often a passage is halved when its answer does not fit into max_output_tokens."""
SHORTEST = 200
"""A passage no longer than so many code points is not halved."""
ALGORITHM = 1
"""Of reading and aligning answers; raise it when the same answers give other targets."""
NOT_IN_KEY = (
    "base_url_variable", "api_key_variable", "concurrency", "timeout_seconds", "attempts", "first_wait_seconds",
    "longest_wait_seconds", "price_per_million_tokens", "watt_hours_per_1000_tokens", "watt_hours_source",
)  # fmt: skip
"""Options that change when, where and for how much the teacher answers, and not what."""


class Passage(NamedTuple):
    """A piece of one of the texts asked about together."""

    text: int
    start: int
    end: int


class Labelled(NamedTuple):
    """What a passage's answers gave: entities with the document's offsets, and the ranges that nothing is known of."""

    entities: list[Entity]
    unknown: list[tuple[int, int]]


class EndpointTeacher:
    """Labels texts by asking an endpoint."""

    def __init__(self, teacher: Teacher, label_set: str, ledger: Ledger) -> None:
        """Get ready to ask.

        Args:
            teacher: Of kind `endpoint`, with an [endpoint] section.
            label_set: A label set that the prompt explains.
            ledger: Where it is counted what is asked and answered.

        Raises:
            RunError: no [endpoint] section, a variable that is not set, or a label set without explanation.
        """
        self.endpoint = require_endpoint(teacher)
        self.label_set, self.labels = label_set, LABEL_SETS[label_set]
        self.tags = bio_tags(self.labels)
        self.ledger = ledger
        build_messages("", label_set)
        self._client = EndpointClient(teacher.id, self.endpoint, answer_schema(self.labels), ledger)

    def word_probabilities(self, texts: Sequence[str]) -> list[tuple[Offsets, NDArray[np.float32]]]:
        """Return, for each text, its words (n, 2) and their tag distributions (n, n_tags); zeros where unknown.

        Raises:
            RunError: the endpoint refuses for good, or every attempt failed; the other requests are given up.
        """
        longest = self.endpoint.passage_characters
        passages = [Passage(number, *span) for number, text in enumerate(texts) for span in cut_text(text, longest)]
        labelled = self._client.ask_each(lambda passage: self._label(texts[passage.text], passage, SPLITS), passages)
        entities: list[list[Entity]] = [[] for _ in texts]
        unknown: list[list[tuple[int, int]]] = [[] for _ in texts]
        for passage, answer in zip(passages, labelled, strict=True):
            entities[passage.text] += answer.entities
            unknown[passage.text] += answer.unknown
        return [self._rows(*parts) for parts in zip(texts, entities, unknown, strict=True)]

    def report(self) -> dict[str, Any]:
        """Return the ledger's figures."""
        return self.ledger.report(self.endpoint)

    def _label(self, text: str, passage: Passage, splits: int) -> Labelled:
        """Ask about a passage; halve it while its answer is cut short."""
        piece = text[passage.start : passage.end]
        if len(find_words(piece)) == 0:
            return Labelled([], [])
        reply = self._client.ask(build_messages(piece, self.label_set))
        answer = read_answer(reply.content, reply.finish_reason, self.labels)
        counts = answer.counts
        if splits == SPLITS:
            counts["passages"] += 1
        if answer.entities is None:
            if counts["truncated"] and splits and len(piece) > SHORTEST:
                self.ledger.add(counts)
                return self._label_pieces(text, passage, splits - 1)
            counts["untaught_passages"] += 1
            self.ledger.add(counts)
            return Labelled([], [(passage.start, passage.end)])
        found, fate = align(answer.entities, piece)
        self.ledger.add(counts + fate)
        shift = passage.start
        return Labelled([Entity(one.start + shift, one.end + shift, one.label) for one in found], [])

    def _label_pieces(self, text: str, passage: Passage, splits: int) -> Labelled:
        whole = Labelled([], [])
        half = (passage.end - passage.start + 1) // 2
        for start, end in cut_text(text, max(half, 1), passage.start, passage.end):
            part = self._label(text, Passage(passage.text, start, end), splits)
            whole.entities.extend(part.entities)
            whole.unknown.extend(part.unknown)
        return whole

    def _rows(
        self, text: str, entities: list[Entity], unknown: list[tuple[int, int]]
    ) -> tuple[Offsets, NDArray[np.float32]]:
        words = find_words(text)
        rows = smooth_tags(encode_spans(words, entities, self.labels), len(self.tags), self.endpoint.confidence)
        for start, end in unknown:
            rows[(words[:, 0] < end) & (words[:, 1] > start)] = 0.0
        return words, rows


def smooth_tags(tags: NDArray[np.int64], n_tags: int, confidence: float) -> NDArray[np.float32]:
    """Return each word's distribution, shape (n_words, n_tags): `confidence` on its tag, the rest shared alike."""
    rows = np.full((len(tags), n_tags), (1.0 - confidence) / (n_tags - 1), dtype=np.float32)
    rows[np.arange(len(tags)), tags] = confidence
    return rows


def require_endpoint(teacher: Teacher) -> Endpoint:
    """Return how a teacher is asked. Raises RunError: its file does not say."""
    if teacher.endpoint is None:
        way_out = f"add one with at least `model` to models/teachers/{teacher.id}.toml, or take a trained teacher"
        raise RunError(f"teacher '{teacher.id}' is of kind endpoint and has no [endpoint] section; {way_out}")
    return teacher.endpoint


def check_recipe(plan: Plan) -> None:
    """Raise RunError where a recipe asks of a generative teacher what it cannot give."""
    who = f"student '{plan.student.id}', profile '{plan.profile_name}': teacher '{plan.teacher.id}' answers over HTTP"
    require_endpoint(plan.teacher)
    if plan.profile.distillation.relation_weight > 0:
        raise RunError(f"{who} and shows no hidden states; set relation_weight = 0")
    if "pseudo-labels" not in plan.profile.methods:
        raise RunError(f'{who}, its answers are pseudo-labels; put "pseudo-labels" into the profile\'s methods')


def endpoint_key(teacher: Teacher, label_set: str) -> dict[str, Any]:
    """Return what a generative teacher's targets depend on: model, revision, prompt, options; never the address."""
    options = {name: value for name, value in asdict(require_endpoint(teacher)).items() if name not in NOT_IN_KEY}
    return {
        "id": teacher.id, "hub_id": teacher.hub_id, "revision": teacher.revision, **options,
        "prompt_sha256": hash_prompt(label_set), "algorithm": ALGORITHM,
    }  # fmt: skip


def write_endpoint_targets(plan: Plan, documents: Iterable[Document], folder: Path) -> dict[str, Any]:
    """Have the plan's teacher label documents shard by shard, its ledger beside the shards.

    Returns:
        Figures of `write_targets`, and the ledger's under `endpoint`.
    """
    teacher = EndpointTeacher(plan.teacher, plan.student.labels, Ledger(folder / LEDGER))
    figures = write_targets(teacher, documents, folder, shard_documents=SHARD_DOCUMENTS, title="asking the teacher")
    return figures | {"endpoint": teacher.report()}
