"""Names found by a title or a field before them, told apart into first and family names, and met again elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from carabin.pseudonyms.lexicon import NAME_WORD, PARTICLES, folded, load_lexicon
from carabin.pseudonyms.places import _UPPER
from carabin.pseudonyms.spans import DATES, Proof, Span

_LETTER = r"(?:[^\W\d_]|[\u0300-\u036f])"
# Bounded and possessive (no backtracking): a line of ten thousand letters costs no more than its length.
_WORD = rf"[{_UPPER}]\u0301?(?:{_LETTER}|['’\-](?=[^\W\d_])|\.-?(?=[{_UPPER}]\.)){{0,40}}+\.?"
_PARTICLE = r"(?:d['’]|l['’]|(?:de|du|des|la|le|von|van|der|di|da|del|dos|el|al|ben)\s)"
_FULL_NAME = rf"(?:{_PARTICLE}){{0,2}}{_WORD}(?:[ \u00a0](?:{_PARTICLE}){{0,2}}{_WORD}){{0,3}}"
_ABBREVIATED = r"(?:[Dd]rs?|DRS?|[Pp]rs?|PR(?=[ .]{1,2}[A-Z]{2})|MM?|[Mm]r|MR|[Mm]mes?|MME|[Mm]lle|MLLE)"
_SPELLED = (
    r"(?:[Dd]octeure?s?|DOCTEUR|[Pp]rofesseure?s?|PROFESSEUR|[Mm]onsieur|MONSIEUR|[Mm]adame|MADAME|[Mm]ademoiselle"
    r"|MADEMOISELLE|[Mm]aître|[Ii]nternes?|[Cc]hef de clinique|[Ss]igné(?: par)?|[Pp]atiente?|[Ee]nfant|[Cc]oncerne)"
)
_TITLE = re.compile(
    rf"(?<![^\W_])(?:{_ABBREVIATED}(?:\s?:\s?|\.\s?|[ \u00a0])|{_SPELLED}(?:\s?:\s?|[ \u00a0]))"
    rf"(?:(?:le\s)?(?:Docteur|Professeur|Monsieur|Madame|Dr|Pr|M|Mr|Mme|Mlle)\.?\s)?(?P<name>{_FULL_NAME})"
)
_BIRTH = r"\s?[,(|-]?\s{0,2}(?:[Nn][ée]e?\(?e?\)?\s(?:le|en)\b|DDN|\|\s?[FHM]\s?\|)"
_BEFORE_BIRTH = re.compile(rf"(?P<name>{_WORD}(?:[ \u00a0](?:{_PARTICLE}){{0,2}}{_WORD}){{1,3}})(?={_BIRTH})")
_PAIR = re.compile(rf"(?<![^\W_]){_WORD}(?:[ \u00a0](?:{_PARTICLE}){{0,2}}{_WORD}){{1,2}}(?![^\W_])")
_EPONYM = re.compile(
    r"\b(?:maladie|syndrome|signe|score|échelle|classification|critères?|test|loi|man[œo]e?uvre|phénomène|opération"
    r"|intervention|technique|sonde|rue|avenue|boulevard|place|quai|square|h[ôo]pital|clinique|institut|fondation|lycée"
    r"|collège|université)\s(?:(?:de|du|des|la|le)\s|d['’]|l['’]){0,2}$",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"(?:^|[\n|;,]|[ \t]{2})[ \t]{0,8}(?P<field>Nom(?: de (?:naissance|famille|jeune fille)| usuel)?"
    r"|NOM(?: DE (?:NAISSANCE|FAMILLE))?|Pr[ée]nom\(?s?\)?|PR[ÉE]NOMS?)"
    rf"\s{{0,2}}:\s{{0,3}}(?P<name>{_FULL_NAME})"
)
# Words with a capital that follow a title without being a name.
_NOT_NAMES = frozenset(
    "le la les un une service urgences confrere consoeur collegue madame monsieur docteur professeur chirurgien medecin"
    " interne cher chere sans avec date nom prenom age adresse ipp nda ne nee patient patiente en au aux du de des pour"
    " connu connue hospitalise hospitalisee vu vue suivi suivie adresse adressee age agee allergique porteur chez sous"
    " il elle ce cette son sa qui que dont sera est a hdj had chu chr ehpad ssr rea usic samu smur tel telephone fax"
    " dossier rdv dr drs pr mme mlle mr mail president presidente directeur directrice maire juge ministre absence"
    " examen compte rendu motif conclusion traitement fait ete eu presente beneficie recu".split()
)
_INITIALS = re.compile(rf"(?<![^\W_])(?P<initials>[{_UPPER}]\.?(?:[ -]?[{_UPPER}]\.|-[{_UPPER}])?)[ \u00a0]?$")
_SHORTEST_REPEATED = 3


def name_spans(text: str) -> Iterator[Span]:
    """Yield the names after a title (`Dr`, `Mme`) or a field (`Nom :`)."""
    for pattern in (_TITLE, _BEFORE_BIRTH):
        for match in pattern.finditer(text):
            yield from split_name(text, *match.span("name"))
    yield from _pairs(text)
    for match in _FIELD.finditer(text):
        label = "PRENOM" if folded(match["field"]).startswith("prenom") else "NOM"
        start, end = match.span("name")
        words = [word for word in _words(text, start, end) if folded(word[0]) not in _NOT_NAMES - PARTICLES]
        if words:
            yield Span(words[0][1], words[-1][2], label, Proof.CONTEXT)


def _pairs(text: str) -> Iterator[Span]:
    """Yield a first name of the list beside a family name, where no eponym's word stands before: "Arnaud CADIEUZAC"."""
    lexicon = load_lexicon()
    for match in _PAIR.finditer(text):
        found = _words(text, *match.span())
        # "M." is a title here.
        found = found[1:] if found[0][0] in ("M", "M.") else found
        words = [surface for surface, _, _ in found if folded(surface) not in PARTICLES]
        known = [lexicon.gender(word.split("-")[0]) is not None for word in words]
        capitals = [len(word) > 3 and word.isupper() for word in words]
        # Two words in capitals are a heading as often as a name.
        telling = any(known) and (known[0] or any(capitals)) and not all(capitals) and len(words) > 1
        if telling and not _EPONYM.search(text, max(match.start() - 40, 0), match.start()):
            yield from split_name(text, found[0][1], match.end())


def split_name(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the first and family names of a full name, in whichever order it has them."""
    words: list[tuple[str, int, int]] = []
    found = _words(text, start, end)
    for number, word in enumerate(found):
        if not words and word[0] == "M" and word[2] < end:
            # "M." before a name is a title; as an initial it would be replaced with the first name.
            continue
        dotted = text[word[1] : word[2]].endswith(".")
        first = all(_is_initial(before) for before, _, _ in words)
        initial = len(word[0]) == 1 and (dotted or (first and _is_before_name(word[0], found[number + 1 :])))
        not_a_name = not initial and folded(word[0]) in _NOT_NAMES and not _is_particle(word[0])
        if not_a_name or text[word[2] : word[2] + 1] in ("°", "º"):
            break
        words.append(word)
    while words and _is_particle(words[-1][0]):
        words.pop()
    labels = _labels([surface for surface, _, _ in words])
    for label, run in groupby(zip(labels, words, strict=True), key=lambda pair: pair[0]):
        places = [(first, last) for _, (_, first, last) in run]
        yield Span(places[0][0], places[-1][1], label, Proof.CONTEXT)


def _words(text: str, start: int, end: int) -> list[tuple[str, int, int]]:
    """Return the words of a name with their places; a hyphen or an apostrophe joins, an initial keeps its dot."""
    pattern = re.compile(rf"{NAME_WORD.pattern}(?:(?:\.-|['’\-.]){NAME_WORD.pattern})*\.?")
    found = [(match[0], match.start(), match.end()) for match in pattern.finditer(text, start, end)]
    return [(w.rstrip("."), s, e - (w.endswith(".") and not _is_initial(w))) for w, s, e in found]


def _is_initial(word: str) -> bool:
    return re.fullmatch(r"(?:[^\W\d_]\.?-?){1,2}", word) is not None


def _is_before_name(letter: str, following: list[tuple[str, int, int]]) -> bool:
    """Return whether a letter without a dot is an initial: `M. A Dupont`, where `Mme A été vue` has none."""
    if not letter.isupper() or not following:
        return False
    word = following[0][0]
    return _is_particle(word) or (word[0].isupper() and (len(word) == 1 or folded(word) not in _NOT_NAMES))


def _is_particle(word: str) -> bool:
    """Return whether a word of a name names nobody; `D` in `M. D Dupont` is an initial."""
    return folded(word) in PARTICLES and not (len(word) == 1 and word.isupper())


def _labels(words: list[str]) -> list[str]:
    """Return NOM or PRENOM for each word of a full name; a particle goes with the word behind it."""
    known = [load_lexicon().gender(re.split(r"[-’']", word)[0]) is not None for word in words]
    initials = [_is_initial(word) for word in words]
    capitals = [len(word) > 2 and word.isupper() and not _is_initial(word) for word in words]
    mixed = any(capitals) and not all(capitals)
    labels: list[str] = []
    for number in range(len(words)):
        if len(words) > 1 and initials[number]:
            labels.append("PRENOM")
        elif mixed:
            labels.append("NOM" if capitals[number] else "PRENOM")
        else:
            labels.append("PRENOM" if len(words) > 1 and known[number] else "NOM")
    if labels and "NOM" not in labels:
        # Two first names, as "Paul Martin": the last is the family's.
        labels[max((number for number, short in enumerate(initials) if not short), default=-1)] = "NOM"
    for number in reversed(range(len(words) - 1)):
        if _is_particle(words[number]):
            labels[number] = labels[number + 1]
    return labels


def repeated_spans(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Yield the other places where the document says an identity again.

    Of names each word of three letters or more counts, with its capital or exactly as first written; of numbers and
    addresses the whole. Dates and postcodes are numbers like others: only their own rules can tell them.
    """
    label_of: dict[str, str] = {}
    exact: set[str] = set()
    whole: set[str] = set()
    for span in spans:
        surface = text[span.start : span.end]
        if span.label in ("NOM", "PRENOM"):
            for word in NAME_WORD.findall(surface):
                if len(word) >= _SHORTEST_REPEATED and folded(word) not in PARTICLES:
                    label_of.setdefault(folded(word), span.label)
                    exact.add(word)
        elif span.label not in (*DATES, "ZIP") and len(surface) > _SHORTEST_REPEATED and surface not in whole:
            whole.add(surface)
            yield from _same_words(text, span)
    for match in NAME_WORD.finditer(text) if label_of else ():
        label = label_of.get(folded(match[0]))
        if label and (match[0][0].isupper() or match[0] in exact):
            yield Span(*match.span(), label, Proof.WEAK)
            initials = _INITIALS.search(text, max(match.start() - 8, 0), match.start())
            # "M." before a family name is a title.
            if label == "NOM" and initials and initials[0].strip() not in ("M", "M."):
                yield Span(*initials.span("initials"), "PRENOM", Proof.WEAK)


def _same_words(text: str, span: Span) -> Iterator[Span]:
    surface = text[span.start : span.end]
    at = text.find(surface)
    while at >= 0:
        end = at + len(surface)
        inside = (at and text[at - 1].isalnum() and surface[0].isalnum()) or (
            end < len(text) and text[end].isalnum() and surface[-1].isalnum()
        )
        if at != span.start and not inside:
            yield Span(at, end, span.label, Proof.WEAK)
        at = text.find(surface, at + 1)
