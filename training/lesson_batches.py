"""Batches of lessons: each source once, perturbed or not, and the texts to write of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, Value
from datasets import Sequence as Repeated
from tokenizers import Tokenizer
from torch import Tensor

from carabin.generation.writer import pad_rows
from training.batches import Visit
from training.lesson_encoding import UNMARKED
from training.writing_losses import NO_TOKEN
from zoo.noise import perturb
from zoo.registry.recipes import NoiseRecipe

FEATURES = Features(
    {
        "prefix": Value("string"),
        "text": Value("string"),
        "targets": Repeated(Repeated(Value("int32"))),
        "choices": Repeated(Repeated(Repeated(Value("int32")))),
        "marks": Repeated(Value("int32")),
        "tokens": Value("int32"),
    }
)


class LessonBatcher:
    """Turns visits into tensors, perturbing sources on the way; the same visit always gives the same tensors."""

    def __init__(
        self,
        lessons: Dataset,
        tokenizer: Tokenizer,
        noise: NoiseRecipe,
        seed: int,
        longest: int,
        usual: float,
        beside: bool = False,
    ) -> None:
        """Hold what a batch is made of.

        Args:
            lessons: Rows of `FEATURES`.
            tokenizer: The student's.
            noise: What the student reads in place of the clean source. What it writes stays clean.
            seed: Of the noise.
            longest: Tokens of a source; a perturbed one may exceed it by a few, and is then read clean.
            usual: Tokens that a batch has to write, on average (`count_written`).
            beside: Give the clean sources too, for a teacher that runs beside the student.
        """
        self.lessons, self.tokenizer, self.noise, self.seed = lessons, tokenizer, noise, seed
        self.longest, self.usual, self.beside = longest, usual, beside

    def __call__(self, visits: Sequence[Visit]) -> dict[str, Tensor]:
        """Return a batch.

        Returns:
            `input_ids`, `attention_mask`: (sources, tokens), and `clean_ids`, `clean_mask` likewise where a teacher
            runs beside. One row per text: `source` (texts,) its source's number, `decoder_input_ids` and `labels`
            (texts, tokens), `NO_TOKEN` where nothing is written. `weight` (): how much is written, beside the usual.
            `choice_places` and `choice_tokens` (choices,): what each written token, counted through all texts, was
            chosen among; a place without any was chosen among all. `marks` (sources, tokens): labels of what is read.
        """
        rows = [self.lessons[visit.passage] for visit in visits]
        clean = [self._encode(row["prefix"] + row["text"]) for row in rows]
        read = [self._perturb(row, visit, ids) for row, visit, ids in zip(rows, visits, clean, strict=True)]
        batch = dict(zip(("input_ids", "attention_mask"), _pad(read), strict=True))
        if self.beside:
            batch |= dict(zip(("clean_ids", "clean_mask"), _pad(clean), strict=True))
        targets = [(number, ids) for number, row in enumerate(rows) for ids in row["targets"]]
        written, mask = _pad([ids for _, ids in targets])
        # The decoder is given what stands before each token: the pad that begins a text, then the text.
        before = torch.cat((torch.zeros_like(written[:, :1]), written[:, :-1]), dim=1)
        return {
            **batch,
            "source": torch.tensor([number for number, _ in targets]),
            "decoder_input_ids": before,
            "labels": written.masked_fill(mask == 0, NO_TOKEN),
            "weight": mask.sum() / self.usual,
            **_flatten([choices for row in rows for text in row["choices"] for choices in text]),
            "marks": self._marks(rows, read, clean, batch["input_ids"]),
        }

    @staticmethod
    def _marks(
        rows: Sequence[dict[str, Any]], read: Sequence[list[int]], clean: Sequence[list[int]], padded: Tensor
    ) -> Tensor:
        """Return the labels of the tokens that are read; a perturbed source has other tokens, so it has none."""
        marks = torch.full_like(padded, UNMARKED)
        for number, (row, seen, whole) in enumerate(zip(rows, read, clean, strict=True)):
            if seen is whole:
                marks[number, : len(seen)] = torch.tensor(row["marks"])
        return marks

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text).ids)

    def _perturb(self, row: dict[str, Any], visit: Visit, clean: list[int]) -> list[int]:
        rng = random.Random(f"{self.seed}/{visit.epoch}/{visit.passage}")
        if rng.random() >= self.noise.share:
            return clean
        noised = perturb(row["text"], rng.choice(self.noise.kinds), self.noise.rate, rng)
        ids = self._encode(row["prefix"] + noised.text)
        return ids if len(ids) <= self.longest else clean


def _flatten(choices: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """Return the place and the token of every choice."""
    counts = torch.tensor([len(some) for some in choices])
    tokens = [token for some in choices for token in some]
    places = torch.repeat_interleave(torch.arange(len(choices)), counts)
    return {"choice_places": places, "choice_tokens": torch.tensor(tokens, dtype=torch.long)}


def count_written(lessons: Dataset, plan: Sequence[Sequence[Visit]]) -> float:
    """Return how many tokens a batch of the plan has to write, on average.

    Batches hold sources of like length: one of them may be a single long report and its short conclusion, another
    dozens of lines of entities. Each token that is written counts the same only if the batches do not.
    """
    written = np.array([sum(map(len, targets)) for targets in lessons["targets"]])
    return float(sum(written[[visit.passage for visit in batch]].sum() for batch in plan) / len(plan))


def _pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return rows filled up with the pad (0), and where they are not it, each (rows, longest)."""
    ids, mask = pad_rows([np.asarray(row, dtype=np.int64) for row in rows], 0)
    return torch.from_numpy(ids), torch.from_numpy(mask)
