"""From a report to its body and its conclusion, apart: what the student reads, and what it should have written.

A report that carries its conclusion's offsets is cut there. In any other the conclusion is looked for under the words
that announce one in French reports and abstracts, and whatever leaves a doubt gives nothing: a body in which a
conclusion is left would teach to copy, a sentence that counts ("Au total, 113 enfants") would teach to miscount.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from carabin.documents import Document

SHORTEST_CONCLUSION = 40
SHORTEST_BODY = 300
LARGEST_RATIO = 0.6
"""Of the conclusion to the body: beyond, the document is a conclusion with a letterhead."""

# Accents may be missing (the capitals of many hospital systems), composed or combining. Offsets must hold, so the text
# is never normalised.
_E = "(?:[eéè][\u0300\u0301]?)"
_BLANK = r"[^\S\n]*"
_ANCHOR = rf"(?i:(?:en )?conclusions?|au total|(?:en )?synth{_E}se|en r{_E}sum{_E})\b"
_OF_WHAT = r"(?i: (?:m[eé]dicale|clinique|g[eé]n[eé]rale|finale|du s[eé]jour|de l['’]hospitalisation))*"
_ORNAMENT = rf"{_BLANK}(?:[*#=_•>–—-]+|(?:\d{{1,2}}|[IVX]{{1,4}}) ?[.)/-])?{_BLANK}"
_SENTENCE_END = rf"(?<=[.!?…»)\]]){_BLANK}"

_HEADINGS = (
    re.compile(rf"^{_ORNAMENT}{_ANCHOR}{_OF_WHAT}{_BLANK}:?{_BLANK}[*#=_–—-]*{_BLANK}$(?:\n[-=_*]{{3,}}$)?", re.M),
    re.compile(rf"^{_ORNAMENT}{_ANCHOR}{_OF_WHAT}{_BLANK}(?::|[.–—-](?=[^\S\n])){_BLANK}(?=\S)", re.M),
    re.compile(rf"{_SENTENCE_END}(?=[A-Z]){_ANCHOR}{_OF_WHAT}{_BLANK}:{_BLANK}(?=\S)"),
    re.compile(rf"{_SENTENCE_END}(?=C)(?i:conclusions?) (?=[A-ZÀ-Ý])"),
)  # fmt: skip
"""On a line of its own; before its text on one line; in the run-on structured abstracts, colon kept, colon lost."""
_PROSE = (
    re.compile(rf"^{_BLANK}(?={_ANCHOR}{_BLANK},(?!{_BLANK}\d))", re.M),
    re.compile(rf"{_SENTENCE_END}(?=E{_BLANK})(?={_ANCHOR}{_BLANK},)"),
)
"""Before a sentence that says that it concludes. Inside a paragraph, "Au total," sums up figures more often."""

_NEXT_SECTION = re.compile(
    rf"^{_ORNAMENT}(?:"
    rf"(?i:motifs?|ant{_E}c{_E}dents|atcd|allergies?|mode de vie|habitus|histoire|anamn{_E}se|examens?|biologie"
    rf"|imagerie|bilan|{_E}volution|traitements?|ttt|ordonnance|prescriptions?|modalit{_E}s|devenir|suivi|consignes"
    rf"|rendez-vous|points? de vigilance|{_E}v{_E}nements? ind{_E}sirables?|conduite [aà] tenir|mots[ -]cl{_E}s)"
    r"\b[^\n.:]{0,60}(?::|$)"
    rf"|(?i:(?:bien )?confraternellement|cordialement|avec mes salutations|sign{_E}|copie|destinataires?)\b"
    r"|(?:Dr|Docteur|Pr|Professeur)\b[ .]"
    r"|[^\n.]{2,60}:[^\S\n]*$"
    r"|[A-ZÀ-Ý][A-ZÀ-Ý'’ -]{3,60}$"
    r"|\w[\w'’ -]{3,60}\n[-=]{3,}$)",
    re.M,
)
"""Where a conclusion ends: a section that hospitals write, a line shaped as a heading, a greeting, a signature."""
_NEXT_INLINE = re.compile(rf"{_SENTENCE_END}(?:Mots?[ -]cl{_E}s?|[A-ZÀ-Ýéè][A-ZÀ-Ýéè'’ -]{{5,40}}){_BLANK}:")
"""The next heading of a run-on abstract, in capitals (of which some keep a small accented letter)."""


class Body(NamedTuple):
    """A report without its conclusion, and that conclusion."""

    text: str
    """Without the conclusion's heading either."""
    conclusion: str
    """A sentence that says that it concludes keeps its first words; a heading is left out."""


def split_conclusion(document: Document) -> Body | None:
    """Return a report's body and conclusion, or None where it has none that can be told from the rest.

    Args:
        document: Where its attributes hold `conclusion` ({start, end} or None), as `zoo.synthesis` writes it, that is
            followed and nothing is searched for.
    """
    text = document.text
    if "conclusion" in document.attributes:
        return _cut_gold(text, document.attributes["conclusion"])
    found = _find_conclusion(text)
    if found is None:
        return None
    heading, start, end = found
    body = Body(_join(text[:heading], text[end:]), text[start:end])
    return body if _is_sound(body) else None


def _cut_gold(text: str, span: Mapping[str, Any] | None) -> Body | None:
    if span is None:
        return None
    start, end = span["start"], span["end"]
    # The generator writes an empty line, the heading in one of its styles, then the conclusion.
    heading = text.rfind("\n\n", 0, start)
    return Body(_join(text[: max(heading, 0)], text[end:]), text[start:end])


def _join(before: str, after: str) -> str:
    return (before.rstrip() + after).strip()


def _find_conclusion(text: str) -> tuple[int, int, int] | None:
    """Return where heading and conclusion start, and where the conclusion ends."""
    headings = _list_anchors(text, _HEADINGS)
    if len(headings) > 1:
        return None
    if headings:
        heading, start = headings[0]
    else:
        prose = _list_anchors(text, _PROSE)
        if len(prose) != 1:
            return None
        heading, start = prose[0]
    # A heading on a line of its own may be followed by an empty line; what comes next belongs to it all the same.
    start += len(text[start:]) - len(text[start:].lstrip())
    ends = [found.start() for pattern in (_NEXT_SECTION, _NEXT_INLINE) if (found := pattern.search(text, start + 1))]
    return heading, start, start + len(text[start : min(ends, default=len(text))].rstrip())


def _list_anchors(text: str, patterns: tuple[re.Pattern[str], ...]) -> list[tuple[int, int]]:
    """Return the (start, end) of the anchors that do not lie in one another, in order."""
    spans = sorted(found.span() for pattern in patterns for found in pattern.finditer(text))
    kept: list[tuple[int, int]] = []
    for start, end in spans:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _is_sound(body: Body) -> bool:
    """Say whether both parts are long enough, and nothing of the conclusion is left in the body."""
    return (
        len(body.conclusion) >= SHORTEST_CONCLUSION
        and len(body.text) >= SHORTEST_BODY
        and len(body.conclusion) <= LARGEST_RATIO * len(body.text)
        and not _list_anchors(body.text, _HEADINGS + _PROSE)
        and body.conclusion.casefold() not in body.text.casefold()
    )
