"""Carabin: small French medical models on CPU, with no network.

>>> from carabin import Annotator
>>> Annotator.load("bert-small")("Douleur thoracique depuis deux heures.")
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carabin.annotator import Annotator, ModelError
    from carabin.documents import Document, DocumentError, Entity

# onnxruntime since 1.29 writes an identifier of the machine to the home folder and reports every session to its maker,
# unless it is told not to before it is first imported. A hospital's machine reports to nobody, whatever was set.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = ["Annotator", "Document", "DocumentError", "Entity", "ModelError"]

_HOMES = {"Annotator": "annotator", "ModelError": "annotator"}


def __getattr__(name: str) -> object:
    # onnxruntime and tokenizers take most of a second to import: only who uses them waits for them.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(f"carabin.{_HOMES.get(name, 'documents')}"), name)
    raise AttributeError(f"module 'carabin' has no attribute '{name}'")
