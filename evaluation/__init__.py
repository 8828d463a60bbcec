"""Evaluation: a checkpoint or an ONNX folder in, metrics.json out."""
