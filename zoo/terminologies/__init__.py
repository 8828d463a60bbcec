"""Openly licensed terminologies as teachers: what a list calls a medicine or a disease, found again in a text.

A match is evidence *for* a label; that nothing matches says nothing. `models/terminologies/<id>.toml` declares one.
"""

from __future__ import annotations

from carabin.names.matching import Match, Name, Names, fold_word
from zoo.terminologies.choosing import choose_documents
from zoo.terminologies.names import read_names

__all__ = ["Match", "Name", "Names", "choose_documents", "fold_word", "read_names"]
