"""Write with a student's ONNX files: the program that test_qemu.py runs natively and under an emulated processor.

    python run_writer.py INPUTS.npz WRITTEN.npz STUDENT…

Through carabin's own loop, so that the caches are fed as a hospital feeds them. Greedy texts end with their padding;
logits are those of given texts, so that one token written otherwise does not make all that follow another comparison.
"""

import sys
from pathlib import Path

import numpy as np

from carabin.generation.decoding import Limits, SpecialTokens, generate
from carabin.generation.onnx_seq2seq import OnnxSeq2Seq
from export.parity_seq2seq import forced_logits, frame


def main() -> None:
    """Write, for each student, its greedy texts and its logits of the given ones, by its place on the command line."""
    inputs_path, written_path, *students = sys.argv[1:]
    inputs, special, saved = dict(np.load(inputs_path)), SpecialTokens(), {}
    batch = inputs["input_ids"], inputs["attention_mask"]
    for number, student in enumerate(students):
        engine = OnnxSeq2Seq(Path(student) / "onnx", quantized=True, threads=1)
        limits = Limits(max_tokens=inputs["fed"].shape[1])
        found = generate(engine.read(*batch), np.arange(len(batch[0])), (), limits, special)
        saved[f"{number}/texts"] = frame([text.tokens for text in found], special)
        saved[f"{number}/logits"] = forced_logits(engine, batch, inputs["fed"])
    np.savez(written_path, **saved)


if __name__ == "__main__":
    main()
