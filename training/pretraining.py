"""Making an encoder of the zoo's own: open text -> tokenizer, word vectors, masked-language modelling -> checkpoint.

Kept apart from students and teachers, `runs/encoders/<encoder>/<key>/`, because many of them start from one.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertForMaskedLM, PreTrainedTokenizerFast

from carabin.documents import Document
from training.batches import Visit, plan_batches
from training.encoders import bert_config
from training.flops import matmul_peak, training_flops
from training.masked_language import MaskedBatcher, MaskedObjective
from training.open_text import OpenText
from training.optimise import mixed_precision, optimise
from training.packing import ROWS, pack_rows
from training.processes import Processes
from training.tokenizer import train_tokenizer, wrap_tokenizer
from training.word_vectors import token_vectors
from zoo.corpora import read_documents, revision_of
from zoo.energy import measure_energy
from zoo.registry import Encoder, Registry
from zoo.registry.recipes import CorpusUse, Training
from zoo.runs import fingerprint, read_json, run_step, write_json

CALIBRATION_STEPS = 8


def make_encoder(registry: Registry, encoder: Encoder, runs: Path, minutes: float | None = None) -> Path:
    """Pretrain an encoder unless it is there; return its checkpoint, which holds its tokenizer too.

    Args:
        registry: Where its corpora are found.
        encoder: What to make.
        runs: `runs/` of the repository, or a folder in a test.
        minutes: Masking stops after so many minutes of this machine, in place of the recipe's tokens. Such an encoder
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

    def run(self, into: Path) -> dict[str, Any]:
        """Do the steps; return the figures for the record."""
        spent: dict[str, Any] = {}
        with measure_energy(spent):
            figures = self._make(into)
        return figures | spent

    def _make(self, into: Path) -> dict[str, Any]:
        encoder = self.encoder
        if self.group.leader and not (into / "text.json").is_file():
            self._read(into)
        self.group.wait()
        figures: dict[str, Any] = dict(read_json(into / "text.json"))
        tokenizer = PreTrainedTokenizerFast.from_pretrained(into)
        rows: NDArray[np.int32] = np.load(into / ROWS, mmap_mode="r")
        torch.manual_seed(encoder.seed)
        model = BertForMaskedLM(bert_config(encoder.architecture, len(tokenizer)))
        figures["parameters"] = model.num_parameters()
        if encoder.word_vectors is not None:
            started = time.monotonic()
            size = encoder.architecture.hidden
            vectors = token_vectors(np.asarray(rows), len(tokenizer), size, encoder.word_vectors, encoder.seed)
            model.bert.embeddings.word_embeddings.weight.data.copy_(torch.from_numpy(vectors))
            figures["word_vectors_seconds"] = round(time.monotonic() - started, 1)
        if encoder.masking is not None:
            figures |= self._mask(model, rows, tokenizer, into)
        if self.group.leader:
            model.save_pretrained(into)
            _tidy(into)
        return figures

    def _read(self, into: Path) -> None:
        """Write tokenizer and rows of token ids; `text.json`, last, says what was read and what was left out."""
        encoder = self.encoder
        filtered = OpenText(document.text for document in self._documents(encoder.held_out))
        kept = list(filtered.read(self._documents(encoder.corpora)))
        learned = train_tokenizer(chain.from_iterable(kept), encoder.tokenizer.vocabulary)
        wrap_tokenizer(learned, encoder.architecture.max_tokens).save_pretrained(into)
        rows = pack_rows(kept, learned, encoder.architecture.max_tokens, into)
        write_json(into / "text.json", {"text_words": dict(filtered.counts), "rows": len(rows), "tokens": rows.size})

    def _documents(self, uses: Iterable[CorpusUse]) -> Iterator[Document]:
        return chain.from_iterable(read_documents(self.registry, use, None) for use in uses)

    def _plan(self, rows: NDArray[np.int32], training: Training) -> list[list[Visit]]:
        lengths = np.full(len(rows), rows.shape[1])
        return plan_batches(lengths, training.batch_tokens, training.tokens, self.encoder.seed)

    def _mask(
        self, model: BertForMaskedLM, rows: NDArray[np.int32], tokenizer: PreTrainedTokenizerFast, into: Path
    ) -> dict[str, Any]:
        encoder, masking = self.encoder, self.encoder.masking
        assert masking is not None
        batcher = MaskedBatcher(rows, tokenizer.backend_tokenizer, masking.rate, encoder.seed)
        training = masking.training
        if self.minutes is not None:
            training = replace(training, tokens=self._affordable(model, batcher, rows, into))
        plan = self._plan(rows, training)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.bfloat16 if mixed_precision() == "bf16" else torch.float32
        peak = matmul_peak(device, dtype)
        title = f"encoder {encoder.id}"
        figures = optimise(MaskedObjective(model), batcher, plan, training, into / "training", encoder.seed, title)
        flops = training_flops(model.config, rows.shape[1], masking.rate) * figures["tokens_per_second"]
        figures["matmul_peak_tflops"] = round(peak / 1e12, 3)
        figures["model_flop_utilisation"] = round(flops / peak, 5)
        return figures

    def _affordable(self, model: BertForMaskedLM, batcher: MaskedBatcher, rows: NDArray[np.int32], into: Path) -> int:
        """Return the tokens that fit in the minutes, measured once: a resumed run keeps its first answer."""
        path = into / "budget.json"
        masking = self.encoder.masking
        assert masking is not None and self.minutes is not None
        known = path.is_file()
        self.group.wait()  # until all have looked, nobody writes
        if not known:
            training = replace(masking.training, tokens=CALIBRATION_STEPS * masking.training.batch_tokens)
            plan = self._plan(rows, training)
            state = {name: value.clone() for name, value in model.state_dict().items()}
            speed = optimise(
                MaskedObjective(model), batcher, plan, training, into / "calibration", self.encoder.seed, "calibration"
            )["tokens_per_second"]
            model.load_state_dict(state)
            if self.group.leader:
                write_json(path, {"tokens": max(training.batch_tokens, round(self.minutes * 60 * speed))})
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
