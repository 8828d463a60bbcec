"""Places found by the words around them: streets, postcodes with their town, hospitals, towns after a postcode."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from carabin.pseudonyms.spans import Proof, Span

_UPPER = "A-ZÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸŒ"
_LETTER = r"[^\W\d_]"
_NAME = rf"[{_UPPER}](?:{_LETTER}|['’.\-](?={_LETTER})){{0,40}}+"
_LINK = r"(?:d['’]|l['’]|(?:de|du|des|la|le|les|sur|sous|en|et|aux?|lès)[ \u00a0])"
_JOINED = rf"{_NAME}(?:[ \-](?:{_LINK}){{0,2}}{_NAME}){{0,5}}"

_STREET = (
    r"rue|avenue|av\.?|avn|boulevard|bd\.?|bld|boul\.?|impasse|imp\.|chemin|allées?|place|pl\.|quai|cours|route|rte|passage"
    r"|square|villa|cité|résidence|lotissement|sentier|faubourg|fbg|ruelle|esplanade|promenade|rond-point|lieu-dit|hameau"
    r"|montée|traverse|venelle|mail|clos"
)
_ORDER = r"(?:\s?(?:bis|ter|quater|[A-D])\b)?"
_ADDRESS = re.compile(
    rf"(?<![0-9A-Za-z/.,])[0-9]{{1,4}}(?:\s?-\s?[0-9]{{1,4}})?{_ORDER}\s?,?\s{{1,2}}(?:{_STREET})\s[^\n,;:()|0-9]{{2,60}}?"
    r"(?:,?\s(?:appt?|appartement|studio|b[âa]t(?:iment)?|esc(?:alier)?|[ée]tage)\.?\s?[0-9A-Z]{1,4})?"
    r"(?=\s*(?:[,;:()|\n]|\s[-–]\s|\.(?:\s|$)|[0-9]{2}\s?[0-9]{3}\b|[àÀ]\s|$|\s(?:tél|tel|fax)\b))",
    re.IGNORECASE,
)
# "3 cours", "2 passages": words that stand in notes too make a street only before a name.
_STREET_OR_WORD = re.compile(
    r"[0-9\-\s,]+(?:bis|ter)?\s?,?\s*(?:cours|passage|places?|pl\.|route|rte|villa|cité|résidence|mail|clos|traverse|montée)\s",
    re.IGNORECASE,
)
_COUNTED = frozenset("ui u gb gr g l leucocytes plaquettes hématies pnn copies neutrophiles lymphocytes".split())
_POSTCODE = re.compile(
    r"(?<![0-9A-Za-z.,])(?P<zip>(?:F-)?[0-9]{2}[ ]?[0-9]{3})(?:\s{1,2}|,\s?|\s?\[)"
    rf"(?P<town>{_JOINED}(?:(?<=[Cc][Ee][Dd][Ee][Xx])\s[0-9]{{1,2}}\b)?)"
)
_BRACKETED_POSTCODE = re.compile(rf"(?P<town>{_JOINED})\s\((?P<zip>[0-9]{{5}})\)")
_POSTCODE_CUE = re.compile(r"(?:\bcode postal|\bCP)\s?:?\s?$", re.IGNORECASE)
_LONE_POSTCODE = re.compile(r"(?<![0-9A-Za-z.,])[0-9]{5}(?![0-9A-Za-z]|[.,][0-9])")
_UNITS = re.compile(r"\s?(?:mg|g|UI|U|ml|mL|L|G|cp|kcal|copies|mmol|%)\b|/")

HOSPITAL_KIND = (
    r"(?:CH(?:R?U|R|I|S|G)?|GHU?|GHT|HIA|EHPAD|SSR|(?i:h[ôo]pita(?:l|ux)(?: d['’]instruction(?: des armées)?)?"
    r"|centre hospitalier(?: (?:universitaire|r[ée]gional|intercommunal|sp[ée]cialis[ée]|g[ée]n[ée]ral))*"
    r"|centre de (?:sant[ée]|r[ée][ée]ducation|soins)|groupe hospitalier|institut(?: hospitalier)?|maternit[ée])"
    # "EXAMEN CLINIQUE" is no hospital.
    r"|(?<![A-ZÉ] )(?:POLY)?CLINIQUE"
    r"|(?:(?:[Pp]olyc|C)|(?<=la )c|(?<=de )c)linique(?: (?:mutualiste|chirurgicale|privée))?)"
)
_HOSPITAL = re.compile(rf"\b{HOSPITAL_KIND}[ \u00a0](?:{_LINK}){{0,2}}{_JOINED}")
_NAMED_AFTER = re.compile(
    rf"{HOSPITAL_KIND}[ \u00a0](?P<link>(?:{_LINK}|D[EU'’]S?[ \u00a0]?){{0,2}})(?P<name>{_JOINED})$"
)
_TOWN_BESIDE = re.compile(rf",\s(?P<town>{_JOINED})(?=\s*\n|\s*$)")
_HOME = re.compile(
    r"\b(?:[Dd]emeurant|[Hh]abite|[Dd]omicilié[e]?|[Rr]ésid(?:e|ant)|[Nn]ati(?:f|ve))\s(?:à|de|sur)\s"
    rf"(?P<town>{_JOINED})"
)
_DATELINE = re.compile(
    rf"(?:^|\n)[ \t]{{0,20}}(?P<town>{_JOINED}),\s?le\s(?=[0-9]|1er|lundi|mardi|mercredi|jeudi|vendredi)"
)
_DONE_AT = re.compile(rf"(?:\b[Ff]ait|\b[Ll]e [^\n,]{{6,22}}),?\sà\s(?P<town>{_JOINED})(?=\s*\n|\s*$|,?\sle\s)")
_ADDRESSEE = re.compile(rf"(?:^|\n)(?:Destinataires?|Copie)\b[^\n]{{0,200}},\s(?P<town>{_JOINED})(?=\s*\n|\s*$)")


def place_spans(text: str) -> Iterator[Span]:
    """Yield every span that a rule of this module finds; they may overlap."""
    for match in _ADDRESS.finditer(text):
        word = _STREET_OR_WORD.match(match[0])
        if word and not any(character.isupper() for character in match[0][word.end() :]):
            continue
        yield Span(*match.span(), "ADRESSE", Proof.CONTEXT)
    for pattern in (_POSTCODE, _BRACKETED_POSTCODE):
        for match in pattern.finditer(text):
            if _is_postcode(match["zip"]) and match["town"].split()[0].casefold() not in _COUNTED:
                yield Span(*match.span("zip"), "ZIP", Proof.CONTEXT)
                yield Span(*match.span("town"), "VILLE", Proof.CONTEXT)
    for match in _LONE_POSTCODE.finditer(text):
        if _is_postcode(match[0]) and _lone_postcode_fits(text, match):
            yield Span(*match.span(), "ZIP", Proof.CONTEXT)
    for match in _HOSPITAL.finditer(text):
        yield Span(*match.span(), "HOPITAL", Proof.CONTEXT)
        if beside := _TOWN_BESIDE.match(text, match.end()):
            yield Span(*beside.span("town"), "VILLE", Proof.CONTEXT)
    for pattern in (_HOME, _DATELINE, _DONE_AT, _ADDRESSEE):
        for match in pattern.finditer(text):
            yield Span(*match.span("town"), "VILLE", Proof.CONTEXT)


def hospital_names(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Yield the proper name in each hospital's ("CHU de X"): where it stands alone, it still tells the hospital."""
    for span in spans:
        found = _NAMED_AFTER.search(text, span.start, span.end) if span.label == "HOPITAL" else None
        if found:
            of_a_town = found["link"].casefold().strip() in ("de", "d'", "d’")
            yield Span(*found.span("name"), "VILLE" if of_a_town else "HOPITAL", Proof.WEAK)


def _is_postcode(written: str) -> bool:
    digits = written.removeprefix("F-").replace(" ", "")
    return digits.isdigit() and len(digits) == 5


def _lone_postcode_fits(text: str, match: re.Match[str]) -> bool:
    """Return whether five digits alone are a postcode: after "code postal", or right behind an address."""
    if _UNITS.match(text, match.end()):
        return False
    before = text[max(match.start() - 90, 0) : match.start()]
    if _POSTCODE_CUE.search(before):
        return True
    addresses = list(_ADDRESS.finditer(text, max(match.start() - 120, 0), match.end()))
    return any(len(text[address.end() : match.start()].strip(" ,\n-–")) == 0 for address in addresses)
