"""The last stage: a checkpoint in, a publishable repository out: ONNX, INT8 behind a quality gate, card, manifest."""
