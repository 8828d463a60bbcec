"""From a text to batches of token ids, and from logits back to spans: words, windows, tags."""
