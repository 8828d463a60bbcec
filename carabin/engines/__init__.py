"""What turns token ids into logits, and which of them is fastest on this machine."""
