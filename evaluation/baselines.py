"""What writes a conclusion without having learned anything: the figures a student must stand above, and one it cannot.

Lead-k is the baseline of news summaries (Nallapati, Zhai and Zhou, 2017); a report tells its end last, so the section
that stands before the conclusion is copied too. The oracle has read the conclusion: it is what quoting could reach.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile

from carabin.documents import Document
from carabin.exercises.units import find_units
from carabin.generation.quoted_conclusion import join_quotes
from zoo.conclusions import Body
from zoo.oracle_quotes import choose_quotes

LEAD = 3
_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")
_RULE = re.compile(r"\W+")
_LAST_OF_SENTENCE = tuple(".!?…»)")


def copy_lead(document: Document, body: Body) -> str:
    """Return the first `LEAD` sentences of the report, letterhead and all."""
    return "\n".join(body.text[start:end] for start, end in find_units(body.text)[:LEAD])


def copy_last_section(document: Document, body: Body) -> str:
    """Return the section before the conclusion, without its heading; a text without blank lines is one section."""
    before = body.text[: find_cut(document.text, body.text)].rstrip()
    sections = [section for section in _BLANK_LINES.split(before) if section.strip()]
    return _without_heading(sections[-1]) if sections else ""


def quote_nearest(document: Document, body: Body) -> str:
    """Return the sentences of the report that come nearest to its conclusion, which no student has seen."""
    return join_quotes(body.text, choose_quotes(body.text, body.conclusion))


def find_cut(text: str, body: str) -> int:
    """Return where in the body its conclusion was cut out: up to there, body and report are the same."""
    start = len(text) - len(text.lstrip())
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text[start:], body, strict=False)))


def _without_heading(section: str) -> str:
    first, *rest = section.strip().splitlines()
    lines = [line for line in rest if not _RULE.fullmatch(line)]
    return "\n".join(lines) if lines and not first.rstrip().endswith(_LAST_OF_SENTENCE) else section.strip()


ORACLE = "oracle"
BASELINES: dict[str, Callable[[Document, Body], str]] = {
    f"lead-{LEAD}": copy_lead, "last-section": copy_last_section, ORACLE: quote_nearest
}  # fmt: skip
"""Name -> what it writes of a report, given its body."""
