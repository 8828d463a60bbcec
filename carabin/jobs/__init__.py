"""Runs over many documents: in parts, journaled, resumed to the same bytes."""
