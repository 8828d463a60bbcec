"""What may be written next: immutable states that a decoding loop walks through, one token at a time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Constraint(Protocol):
    """A place in a text being written. Immutable, so that beams may branch from it."""

    def allowed(self) -> NDArray[np.int64] | None:
        """Return the tokens that may come next, the end-of-text token among them where the text may stop; None for any.

        Never empty: a constraint that leads where nothing may follow is a fault of whoever built it.
        """
        ...

    def advance(self, token: int) -> Constraint:
        """Return the place after an allowed token."""
        ...
