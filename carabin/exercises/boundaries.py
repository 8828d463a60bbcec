"""Where a phrase of a French note begins and ends: an answer is one whole phrase, never its second half."""

from __future__ import annotations

import re

from carabin.exercises.wording import fold

FOUND = (
    r"(?:retrouv|(?:dé)?montr|objectiv|rév[èé]l|identifi|confirm|visualis|not)(?:e|ent|ant)|met(?:tent"
    r"|tant)? en évidence"
)
"""Verbs between an examination and what it found."""
NEAR = 60
"""Characters on either side of a phrase that are looked at: a unit may be long."""

_BEHIND_IT = frozenset(
    "associant associe avec ce cet cette chirurgical comporte dans est et l la le les leur medical ou par pour "
    "presentant sa ses son sous sur un une vers".split()
)
"""Words behind which a phrase may begin."""
_OF, _ARTICLES, _TO = (
    frozenset("d de des du".split()),
    frozenset("un une l la le les".split()),
    frozenset("a au aux".split()),
)
_BEFORE_PLURAL = frozenset("a est note ont par pour presente presentant retient sont".split())
"""Words behind which `des` is an article, not `of`."""
_INTRODUCES = re.compile(
    r"(?:agit|agit donc|ajout|antecedents?|arret|atcd|bilan|cadre|celui|charge|controle|decours|diagnostic"
    r"|distance|evolution|exploration|faveur|introduction|mise en place|notion|operee?|ordonnance|porteu\w+|pose"
    r"|poursuite|poussee|prescription|presence|prise|realisation|recidive|relais|reprise|resultats?|resume|retrait"
    r"|suites?|suspicion|tableau)\Z"
)
"""Words behind whose `de` a phrase begins; behind others it goes on: `de hanche` of `prothèse de hanche`."""
_AHEAD = frozenset(
    "a au avant avec apres bilateral bilaterale car chez connu connue dans depuis devant diagnostic donc dont "
    "droit droite durant elle en est et gauche il la le les lors mais ou par pas pendant pour prevu prevue puis "
    "qui resistant resistante sans sensible sera seront si soit sont sous suivi suivie y".split()
)
"""Words before which a phrase may end."""
_NEVER_INSIDE = frozenset(
    "car chez comporte depuis donc dont elle est il je mais nous on perfusion pour propose qui quitte realise "
    "realisee signale sont sortie traitement traitements".split()
)
"""Words of a sentence, not of a phrase."""
_DONE = re.compile(
    r"(?:réalis|diagnostiqu|trait|opér|associ|programm|prescrit|retir|pos[ée]|pris|stabilis|interromp|survenu|découver"
    rf"|suspend|arrêt)\w*|non|{FOUND}",
    re.I,
)
"""What was done with a thing, or what it did, before which its name ends."""
_COURSE = re.compile(r"d['’]évolution\b", re.I)
_VERB, _LAST_VERB = re.compile(rf"\b(?:{FOUND})\b", re.I), re.compile(rf"\b(?:{FOUND})\s*\Z", re.I)
_WORD = re.compile(r"[^\W\d_]+")
MARKS = " \t\u00a0\u202f\"'«»“”’()[]*_"
"""What may stand around a phrase and is no word."""
_STOPS = ",;:|.!?…•·▪◦●‣➢>=→~+()[]-–—/"


def is_phrase(text: str, start: int, end: int) -> bool:
    """Return whether words are one phrase, neither begun nor ended within."""
    return is_bare(text, start, end) and begins(text, start) and ends(text, end)


def is_bare(text: str, start: int, end: int) -> bool:
    """Return whether words hold none of a sentence around them: `traitement comporte Forlax` does."""
    words = (fold(word) for word in _WORD.findall(text, start, end))
    return _NEVER_INSIDE.isdisjoint(words) and not _VERB.search(text, start, end)


def begins(text: str, start: int) -> bool:
    """Return whether a phrase may begin at a word."""
    before = text[max(0, start - NEAR) : start].rstrip(MARKS)
    if not before or not before[-1].isalnum():
        return True
    words = fold(before).replace("'", " ").split()[-5:]
    if words[-1] in _ARTICLES and words[-2:-1] and words[-2] in _OF:
        words.pop()
    if words[-1] == "des" and (
        words[-2:-1] and words[-2] in _BEFORE_PLURAL or _LAST_VERB.search(before[: -len("des")])
    ):
        return True
    if words[-1] in _OF:
        return bool(_INTRODUCES.search(" ".join(words[:-1])))
    if words[-1] in _ARTICLES and words[-2:-1] == ["a"]:
        return False
    return words[-1] in _BEHIND_IT or bool(_LAST_VERB.search(before))


def follows_to(text: str, start: int) -> bool:
    """Return whether a word stands behind `à`, `au`, `aux`: what an allergy is to."""
    words = fold(text[max(0, start - NEAR) : start].rstrip(MARKS)).replace("'", " ").split()
    if words and words[-1] in _ARTICLES:
        words.pop()
    return bool(words) and words[-1] in _TO


def ends(text: str, end: int) -> bool:
    """Return whether a phrase may end with a word."""
    behind = text[end : end + NEAR].lstrip(" \t\u00a0\u202f»”")
    if not behind or behind[0] in _STOPS or behind[0].isdigit():
        return True
    word = _WORD.match(behind)
    if word is None:
        return False
    return fold(word[0]) in _AHEAD or bool(_DONE.fullmatch(word[0]) or _COURSE.match(behind))
