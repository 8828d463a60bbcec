"""Run ONNX files on saved inputs: the program that test_qemu.py runs natively and under an emulated processor.

    python run_onnx.py INPUTS.npz LOGITS.npz MODEL.onnx…

Of the packages it needs only numpy and onnxruntime, as a hospital has: emulated, every import takes its time.
"""

import sys

import numpy as np
import onnxruntime


def main() -> None:
    """Write the logits of each model, named by its place on the command line."""
    inputs_path, logits_path, *models = sys.argv[1:]
    inputs = dict(np.load(inputs_path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    logits = {}
    for number, model in enumerate(models):
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        (logits[str(number)],) = session.run(["logits"], inputs)
    np.savez(logits_path, **logits)


if __name__ == "__main__":
    main()
