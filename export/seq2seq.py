"""What the export of a student that writes is held to: the checkpoint's logits and texts, and ROUGE-L in INT8.

The conclusions of the dev split are what it is judged on; the other tasks share the same files, and are scored apart by
`evaluation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carabin.documents import Document
from carabin.engines.engine import open_session
from carabin.generation.decoding import SpecialTokens
from carabin.generation.onnx_seq2seq import OnnxSeq2Seq
from carabin.generation.tasks import CONCLUSION, ENTITIES, EXERCISES
from export.export_environment import run_merge
from export.merged_decoder import THREADS, MergedSeq2Seq
from export.onnx_files import FOLDER, SEQ2SEQ
from export.parity import TOLERANCE
from export.parity_seq2seq import Seq2SeqParity, compare_engines
from export.sensitivity import Probe
from zoo.conclusions import split_conclusion
from zoo.registry import REPOSITORY
from zoo.runs import RunError, read_json
from zoo.torch_seq2seq import TorchSeq2Seq, load_writer

PARITY_TEXTS, PROBED_TEXTS = 24, 12
ROUGE = REPOSITORY / "evaluation" / "metrics" / "rouge_fr"
"""An `evaluate` module: loaded by its path, as whoever has the file would."""
PREFIXES = (CONCLUSION, EXERCISES, ENTITIES)


@dataclass(frozen=True)
class Report:
    """A report without its conclusion, and the conclusion that a person wrote."""

    id: str
    body: str
    conclusion: str


@dataclass(frozen=True)
class Seq2SeqExport:
    """The family's part in `export.build_onnx`, over reports to choose on."""

    documents: Sequence[Report]
    names: tuple[str, ...] = SEQ2SEQ
    metric: str = "rougeL"

    @classmethod
    def over(cls, documents: Sequence[Document]) -> Seq2SeqExport:
        """Return the part over those of the documents that have a conclusion."""
        parts = [(document.id, split_conclusion(document)) for document in documents]
        return cls([Report(name, body.text, body.conclusion) for name, body in parts if body])

    def to_inputs(self) -> dict[str, Any]:
        """Return what the choice depends on."""
        return {"tolerance": TOLERANCE, "documents": list(self.documents)}

    def compare(self, student: Path) -> Seq2SeqParity:
        """Compare the checkpoint with the fp32 files."""
        onnx = OnnxSeq2Seq(student / FOLDER, quantized=False)
        return self.compare_engines(student, TorchSeq2Seq.load(student), onnx)

    def make_score(self, student: Path) -> Callable[[bool], float]:
        """Return the ROUGE-L of the conclusions that the fp32 or INT8 files write."""
        bodies = [Document(report.id, report.body) for report in self.documents]
        references = [report.conclusion for report in self.documents]

        def score(quantized: bool) -> float:
            writer = load_writer(student, "int8" if quantized else "onnx")
            written = [summary.text for summary in writer.summarise(bodies)]
            return rouge_l(written, references)

        return score

    def make_probe(self, student: Path) -> Probe:
        """Return the probe of the sensitivities: how each token of the dev conclusions is scored."""
        tokenizer, special, window = read_tokenizer(student)
        pairs = []
        for report in self.documents[:PROBED_TEXTS]:
            fed = np.append(special.start, encode(tokenizer, report.conclusion, window)[:-1])
            pairs.append((encode(tokenizer, CONCLUSION + report.body, window)[None], fed[None]))
        return make_probe(pairs)

    def finish(self, student: Path, python: Path, int8: bool) -> dict[str, Any]:
        """Merge the INT8 decoders, where there are any, and compare merged with unmerged.

        Raises:
            RunError: a merged decoder answers otherwise than the two it was made of.
        """
        if int8:
            run_merge(python, student)
        found = {}
        for quantized in (False, True) if int8 else (False,):
            apart = OnnxSeq2Seq(student / FOLDER, quantized=quantized)
            parity = self.compare_engines(student, apart, MergedSeq2Seq(student, quantized))
            if not parity.passed:
                raise RunError(f"{student / FOLDER}: the merged decoder is not the two: {parity.describe()}")
            found["int8" if quantized else "onnx"] = parity.to_dict()
        return {"merged_vs_unmerged": found}

    def compare_engines(self, student: Path, one: Any, other: Any) -> Seq2SeqParity:  # noqa: ANN401 - two of Seq2Seq
        """Compare two engines of the student on the reports, each read for one of its tasks."""
        tokenizer, special, window = read_tokenizer(student)
        bodies = [report.body for report in self.documents[:PARITY_TEXTS]]
        sources = [encode(tokenizer, PREFIXES[number % len(PREFIXES)] + body, window)
                   for number, body in enumerate(bodies)]  # fmt: skip
        return compare_engines(one, other, sources, special)


def rouge_l(written: Sequence[str], references: Sequence[str]) -> float:
    """Return ROUGE-L, in [0, 1], with the project's tokenizer, which keeps accents."""
    import evaluate

    metric = evaluate.load(str(ROUGE), keep_in_memory=True)
    return float(metric.compute(predictions=list(written), references=list(references))["rougeL"])


def read_tokenizer(student: Path) -> tuple[Any, SpecialTokens, int]:
    """Return a student's tokenizer, the tokens that frame its texts, and its window."""
    from tokenizers import Tokenizer

    settings, config = (read_json(student / name) for name in ("tokenizer_config.json", "generation_config.json"))
    special = SpecialTokens(config["decoder_start_token_id"], config["eos_token_id"], config["pad_token_id"])
    return Tokenizer.from_file(str(student / "tokenizer.json")), special, settings["model_max_length"]


def encode(tokenizer: Any, text: str, window: int) -> NDArray[np.int64]:  # noqa: ANN401
    """Return a text's tokens, its beginning alone where it is longer than the window: these are compared, not read."""
    ids = tokenizer.encode(text).ids
    return np.array(ids if len(ids) <= window else [*ids[: window - 1], ids[-1]], np.int64)


def make_probe(pairs: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> Probe:
    """Return the probe that runs encoder and decoder over pairs of (source, what the decoder is fed), one row each.

    The decoder with past is the decoder again, node for node: it needs no run of its own.
    """

    def probe(files: Mapping[str, Path]) -> NDArray[np.float32]:
        encoder, decoder = (open_session(files[name], THREADS) for name in SEQ2SEQ[:2])
        answers = []
        for source, fed in pairs:
            mask = np.ones_like(source)
            (hidden,) = encoder.run(["last_hidden_state"], {"input_ids": source, "attention_mask": mask})
            feeds = {"input_ids": fed, "encoder_attention_mask": mask, "encoder_hidden_states": hidden}
            (logits,) = decoder.run(["logits"], feeds)
            answers.append(logits[0])
        return np.concatenate(answers)

    return probe
