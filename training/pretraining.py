"""Making an encoder, or an encoder-decoder, of the zoo's own: open text -> tokenizer, rows -> training -> checkpoint.

Kept apart from students and teachers, `runs/encoders/<encoder>/<key>/`, because many of them start from one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from carabin.documents import Document
from training.batches import Visit, plan_batches
from training.flops import matmul_peak
from training.open_text import OpenText
from training.optimise import Batcher, mixed_precision, optimise
from training.packing import ROWS, pack_rows
from training.pretraining_kinds import kind_of
from training.processes import Processes
from zoo.corpora import read_documents, revision_of
from zoo.energy import measure_energy
from zoo.registry import Encoder, Registry
from zoo.registry.recipes import CorpusUse, Training
from zoo.runs import fingerprint, read_json, run_step, write_json

CALIBRATION_STEPS = 8
_WRITERS = ("decoder", "corruption")
"""Sections that no encoder has: that there are such must not change its key."""


def make_encoder(registry: Registry, encoder: Encoder, runs: Path, minutes: float | None = None) -> Path:
    """Pretrain an encoder unless it is there; return its checkpoint, which holds its tokenizer too.

    Args:
        registry: Where its corpora are found.
        encoder: What to make.
        runs: `runs/` of the repository, or a folder in a test.
        minutes: Training stops after so many minutes of this machine, in place of the recipe's tokens. Such an encoder
            has a folder of its own: recipes start from the one their file describes.
    """
    key = _key(registry, encoder, minutes)
    folder = encoder_folder(registry, encoder, runs, minutes)
    group = Processes()
    run_step(folder, key, _Pretraining(registry, encoder, minutes, group).run, encoder.seed, group)
    return folder


def encoder_folder(registry: Registry, encoder: Encoder, runs: Path, minutes: float | None = None) -> Path:
    """Return where an encoder belongs: its key covers its recipe and its texts."""
    return runs / "encoders" / encoder.id / fingerprint(_key(registry, encoder, minutes))[:12]


def _key(registry: Registry, encoder: Encoder, minutes: float | None) -> dict[str, Any]:
    described = asdict(encoder) | {"summary": None, "upstream": None}  # words about it, not what it is
    if encoder.kind == "bert":
        described = {name: value for name, value in described.items() if name not in _WRITERS}
    return {"stage": "encoder", "encoder": described, "texts": _texts(registry, encoder), "minutes": minutes}


def _texts(registry: Registry, encoder: Encoder) -> dict[str, list[dict[str, Any]]]:
    return {
        role: [asdict(use) | {"revision": revision_of(registry.corpus(use.corpus), use.split)} for use in uses]
        for role, uses in (("corpora", encoder.corpora), ("held_out", encoder.held_out))
    }


class _Pretraining:
    """The steps of one encoder, in a working folder that a killed call may have left half done."""

    def __init__(self, registry: Registry, encoder: Encoder, minutes: float | None, group: Processes) -> None:
        self.registry, self.encoder, self.minutes, self.group = registry, encoder, minutes, group
        self.kind = kind_of(encoder)

    def run(self, into: Path) -> dict[str, Any]:
        """Do the steps; return the figures for the record."""
        spent: dict[str, Any] = {}
        with measure_energy(spent):
            figures = self._make(into)
        return figures | spent

    def _make(self, into: Path) -> dict[str, Any]:
        if self.group.leader and not (into / "text.json").is_file():
            self._read(into)
        self.group.wait()
        figures: dict[str, Any] = dict(read_json(into / "text.json"))
        tokenizer = PreTrainedTokenizerFast.from_pretrained(into)
        rows: NDArray[np.int32] = np.load(into / ROWS, mmap_mode="r")
        model = self.kind.new_model(rows, len(tokenizer), figures)
        figures["parameters"] = model.num_parameters()
        if self.kind.training is not None:
            figures |= self._train(model, rows, self.kind.training, self.kind.batcher(rows, tokenizer), into)
        if self.group.leader:
            model.save_pretrained(into)
            _tidy(into)
        return figures

    def _read(self, into: Path) -> None:
        """Write tokenizer and rows of token ids; `text.json`, last, says what was read and what was left out."""
        filtered = OpenText(document.text for document in self._documents(self.encoder.held_out))
        kept = self.kind.join(filtered.read(self._documents(self.encoder.corpora)))
        tokenizer = self.kind.new_tokenizer(chain.from_iterable(kept))
        tokenizer.save_pretrained(into)
        rows = pack_rows(kept, tokenizer.backend_tokenizer, self.kind.row_tokens, into, self.kind.frame)
        write_json(into / "text.json", {"text_words": dict(filtered.counts), "rows": len(rows), "tokens": rows.size})

    def _documents(self, uses: Iterable[CorpusUse]) -> Iterator[Document]:
        return chain.from_iterable(read_documents(self.registry, use, None) for use in uses)

    def _plan(self, rows: NDArray[np.int32], training: Training) -> list[list[Visit]]:
        lengths = np.full(len(rows), self.kind.read_tokens)
        return plan_batches(lengths, training.batch_tokens, training.tokens, self.encoder.seed)

    def _train(
        self, model: PreTrainedModel, rows: NDArray[np.int32], training: Training, batcher: Batcher, into: Path
    ) -> dict[str, Any]:
        if self.minutes is not None:
            training = replace(training, tokens=self._affordable(model, rows, training, batcher, self.minutes, into))
        plan = self._plan(rows, training)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.bfloat16 if mixed_precision() == "bf16" else torch.float32
        peak = matmul_peak(device, dtype)
        seed, title = self.encoder.seed, f"encoder {self.encoder.id}"
        figures = optimise(self.kind.objective(model), batcher, plan, training, into / "training", seed, title)
        flops = self.kind.flops(model) * figures["tokens_per_second"]
        figures["matmul_peak_tflops"] = round(peak / 1e12, 3)
        figures["model_flop_utilisation"] = round(flops / peak, 5)
        return figures

    def _affordable(
        self,
        model: PreTrainedModel,
        rows: NDArray[np.int32],
        training: Training,
        batcher: Batcher,
        minutes: float,
        into: Path,
    ) -> int:
        """Return the tokens that fit in the minutes, measured once: a resumed run keeps its first answer."""
        path, seed = into / "budget.json", self.encoder.seed
        known = path.is_file()
        self.group.wait()  # until all have looked, nobody writes
        if not known:
            few = replace(training, tokens=CALIBRATION_STEPS * training.batch_tokens)
            state = {name: value.clone() for name, value in model.state_dict().items()}
            objective, plan = self.kind.objective(model), self._plan(rows, few)
            measured = optimise(objective, batcher, plan, few, into / "calibration", seed, "calibration")
            model.load_state_dict(state)
            if self.group.leader:
                tokens = round(minutes * 60 * measured["tokens_per_second"])
                write_json(path, {"tokens": max(training.batch_tokens, tokens)})
        self.group.wait()
        return int(read_json(path)["tokens"])


def _tidy(into: Path) -> None:
    """Keep the loss curve; drop what only a resumption needed."""
    if (into / "training").exists():
        (into / "training" / "losses.jsonl").rename(into / "losses.jsonl")
    for name in ("training", "calibration"):
        shutil.rmtree(into / name, ignore_errors=True)
    for name in (ROWS, "budget.json"):
        (into / name).unlink(missing_ok=True)
