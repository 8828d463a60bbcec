"""What the gate answers: a level, the reasons for it, what it obliges to; and the refusal it raises."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from carabin.errors import CarabinError
from zoo.licences.policy import LEVELS, strictest
from zoo.registry.recipes import LicenceLevel


class LicenceRefused(CarabinError):  # noqa: N818 - the name says what happened, as the card does
    """A recipe that may not be made: who, what, the clause and the way out, on one line."""


@dataclass(frozen=True)
class Reason:
    """Why one teacher or corpus lets a student be this and no more."""

    subject: str
    """What was judged: `teacher 'x'`, `corpus 'y' (gold)`."""
    level: LicenceLevel
    spdx: str
    clause: str
    read_at: str
    why: str
    way_out: str = ""
    obligations: tuple[str, ...] = ()
    pin: bool = False
    """The fault is a missing or floating revision, which anyone with network can mend."""

    def __str__(self) -> str:
        quoted = textwrap.shorten(self.clause, 160, placeholder=" …")
        evidence = f" ({self.spdx}, {f'« {quoted} »' if quoted else 'no clause quoted'})" if self.spdx else ""
        return f"{self.subject} is {self.level}{evidence}: {self.why}"


@dataclass(frozen=True)
class Verdict:
    """What a student may be, strictest reason first."""

    subject: str
    level: LicenceLevel
    reasons: tuple[Reason, ...]
    obligations: tuple[str, ...]

    @classmethod
    def of(cls, subject: str, reasons: Iterable[Reason]) -> Verdict:
        """Return the verdict that the reasons make together: the strictest level. No reason at all is refused."""
        found = tuple(sorted(reasons, key=lambda reason: -LEVELS.index(reason.level)))
        if not found:
            found = (Reason(subject, "refused", "", "", "", "nothing was judged"),)
        level = strictest(*(reason.level for reason in found))
        return cls(subject, level, found, tuple(dict.fromkeys(o for reason in found for o in reason.obligations)))

    def once_pinned(self) -> Verdict:
        """Return what the verdict would be if every revision were pinned."""
        return Verdict.of(self.subject, (reason for reason in self.reasons if not reason.pin))

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain lists and strings, for `lineage.json` and the card."""
        return {
            "subject": self.subject,
            "level": self.level,
            "reasons": [asdict(reason) | {"obligations": list(reason.obligations)} for reason in self.reasons],
            "obligations": list(self.obligations),
        }
