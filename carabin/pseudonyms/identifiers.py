"""Identifiers found by their form and proved by their check, or by the words before them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from carabin.pseudonyms.checks import is_nir, luhn_holds, national_number
from carabin.pseudonyms.spans import Proof, Span

_NOT_AFTER = r"(?<![0-9A-Za-z])"
_NOT_BEFORE = r"(?![0-9A-Za-z])"
_GAP = r"[ \u00a0.\-]?"
_NIR = re.compile(
    rf"{_NOT_AFTER}[1-478]{_GAP}[0-9]{{2}}{_GAP}[0-9]{{2}}{_GAP}[0-9][0-9ABab]{_GAP}[0-9]{{3}}{_GAP}[0-9]{{3}}"
    rf"(?:[ \u00a0./\-]{{0,3}}[0-9]{{2}})?{_NOT_BEFORE}"
)
# One digit a box, as forms have it; read aloud by OCR with the date that follows.
_BOXED = re.compile(r"(?<![0-9])[0-9](?:[ ]{1,2}[0-9]){11,}(?![0-9])")
_SECU_CUE = re.compile(
    r"(?:\bNIR|\bN\.?I\.?R\.?|\bNSS|\bINS\b|s[ée]cu(?:rit[ée] sociale)?|assur[ée]e?(?:\(e\))?|assurance maladie"
    r"|immatriculation|d['’]id(?:\.|nat|entification)?\s?(?:national)?)"
    r"[^0-9\n]{0,25}$",
    re.IGNORECASE,
)
_SECU_LIKE = re.compile(rf"{_NOT_AFTER}[1-478](?:[ \u00a0.]?[0-9ABab]){{11,14}}{_NOT_BEFORE}")

_SEPARATOR = r"[ \u00a0./\-]{0,2}"
_PHONE = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?:\+|00)33|\(\+?33\)|\(?\+33\)?){_SEPARATOR}(?:\(0\)|0)?{_SEPARATOR}[1-9](?:{_SEPARATOR}[0-9]{{2}}){{4}}(?![0-9])"
    rf"|(?<![0-9A-Za-z])(?<![0-9][.,])0[1-9](?P<s>{_SEPARATOR})[0-9]{{2}}(?:(?P=s)[0-9]{{2}}){{3}}(?![0-9])"
    r"|(?<![0-9A-Za-z])(?<![0-9] )0[1-9](?:[ \u00a0]?[0-9]{2}){4}(?![0-9]| [0-9])"
)
_FOREIGN_PHONE = re.compile(r"(?<![0-9A-Za-z])(?:\+|00)[1-9](?:[ .\-()]{0,2}[0-9]){7,13}(?![0-9])")
_PHONE_CUE = re.compile(
    r"(?:\bt[ée]l(?:[ée]phone)?s?\b|\bfax\b|\bphone|\bmobile|\bportable|\bposte\b|\bbip\b|\bDECT\b"
    r"|joignables? au|contacter au|\bappeler au|\bfaxer au|\bstandard|\bsecr[ée]tariat)[^0-9\n]{0,12}$",
    re.IGNORECASE,
)
_SHORT_PHONE = re.compile(r"(?<![0-9A-Za-z])\(?\+?[0-9](?:[ \u00a0.\-()/]{0,2}[0-9]){3,13}(?![0-9A-Za-z])")

_MAIL = re.compile(r"(?<![\w.+-])[\w][\w.+'-]{0,63}\s?@\s?[\w](?:[\w-]|\s?\.\s?(?=[\w])){0,120}[\w]", re.UNICODE)
_TIGHT_MAIL = re.compile(r"[\w][\w.+'-]{0,63}@[\w][\w-]*(?:\.[\w-]+)+", re.UNICODE)

_NUMBER_AFTER = r"(?:\s{0,2}(?:[:=°#|\-]|\best\b|\ble\b|\bétant\b|\bsous\b|n[°ºo]\.?|\bnum[ée]ro\b|l['’]))*\s{0,3}"
_CODE = r"(?P<code>[A-Z]{0,3}[0-9](?:[0-9A-Z]|[ ](?=[0-9]{3}(?![0-9]))){2,17})(?![0-9A-Za-z])"
_IPP = re.compile(
    r"(?:\bI\.?P\.?P?\b\.?|\bNIP\b|\bn[°ºo]\s?ID\b|\bpatiente?\s(?=n[°ºo]|[0-9]{7})|r[ée]f[ée]rence interne d\w+ \w+"
    r"|(?:identifiant|identification|(?:n[°ºo]|num[ée]ro)\s?(?:d[eu]\s)?)\s?(?:permanent|patiente?|ID)\b"
    r"|\bnum[ée]ro d['’]identification(?! nationale?)\b)"
    rf"(?:\s\((?:IPP|NIP)\))?{_NUMBER_AFTER}{_CODE}",
    re.IGNORECASE,
)
_NDA = re.compile(
    r"(?:\bN\.?D\.?A\b\.?|\bN\.?D\.?V\b|\bIEP\b|\bdossier(?: m[ée]dical| administratif)?\b|\bvisite(?: dossier)?"
    r"|\b(?:identifiant|num[ée]ro|n[°ºo]) d(?:['’]hospitalisation|e s[ée]jour|e (?:la )?visite|e venue|e dossier)"
    r"|\bs[ée]jour|\bvenue)"
    rf"{_NUMBER_AFTER}{_CODE}",
    re.IGNORECASE,
)
_RPPS = re.compile(rf"\b(?:RPPS|ADELI){_NUMBER_AFTER}(?P<code>[0-9](?:[ ]?[0-9]){{8,10}})(?![0-9])", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"(?<![0-9A-Za-z.,/])[0-9]{8,15}(?![0-9A-Za-z]|[.,/][0-9]|\s?(?:copies|UI|U/|/|G/L|éq))")
_BARE_RPPS = re.compile(r"(?<![0-9A-Za-z])10[0-9]{9}(?![0-9A-Za-z])")
_FINESS = re.compile(
    rf"\bFINESS(?:\s\w{{2,14}}){{0,2}}{_NUMBER_AFTER}(?P<code>[0-9][0-9AB](?:[ ]?[0-9]){{7}})(?![0-9])", re.IGNORECASE
)


def identifier_spans(text: str) -> Iterator[Span]:
    """Yield every span that a rule of this module finds; they may overlap."""
    yield from _nirs(text)
    yield from _mails(text)
    yield from _phones(text)
    yield from _numbers(text)


def _nirs(text: str) -> Iterator[Span]:
    for match in _NIR.finditer(text):
        if is_nir(re.sub(r"[^0-9A-Za-z]", "", match[0]).upper()):
            yield Span(*match.span(), "SECU", Proof.CHECKED)
    for pattern in (_NIR, _SECU_LIKE):
        for match in pattern.finditer(text):
            # A wrong key is a mistyped number, and still somebody's, where the words before say what it is.
            if _SECU_CUE.search(text, max(match.start() - 60, 0), match.start()):
                yield Span(*match.span(), "SECU", Proof.CONTEXT)
    for match in _BOXED.finditer(text):
        # A chart of zeros is no number of anybody.
        if len(set(match[0])) > 3:
            yield Span(*match.span(), "SECU", Proof.CONTEXT)


def _mails(text: str) -> Iterator[Span]:
    at = text.find("@")
    while at >= 0:
        # Looked for around each "@": a pattern over the whole text would try every word of it.
        first, last = max(at - 66, 0), min(at + 130, len(text))
        for pattern in (_TIGHT_MAIL, _MAIL):
            match = next((m for m in pattern.finditer(text, first, last) if m.start() < at < m.end()), None)
            if match:
                local, domain = text[match.start() : at], text[at + 1 : match.end()]
                if "." in domain and not domain.replace(".", "").replace(" ", "").isdigit():
                    yield Span(*match.span(), "MAIL", Proof.CHECKED)
                elif "." in local:
                    yield Span(*match.span(), "MAIL", Proof.CONTEXT)
                break
        at = text.find("@", at + 1)


def _phones(text: str) -> Iterator[Span]:
    for match in _PHONE.finditer(text):
        if national_number(match[0]):
            yield Span(*match.span(), "TEL", Proof.CHECKED)
    for match in _FOREIGN_PHONE.finditer(text):
        yield Span(*match.span(), "TEL", Proof.CONTEXT)
    for match in _SHORT_PHONE.finditer(text):
        if _PHONE_CUE.search(text, max(match.start() - 40, 0), match.start()):
            yield Span(*match.span(), "TEL", Proof.CONTEXT)


def _numbers(text: str) -> Iterator[Span]:
    # "IPP 40 mg" is a drug, "dossier 2019" a year: identifiers have more digits.
    for pattern, label, digits in ((_IPP, "IPP", 4), (_NDA, "NDA", 5)):
        for match in pattern.finditer(text):
            if sum(character.isdigit() for character in match["code"]) >= digits:
                yield Span(*match.span("code"), label, Proof.CONTEXT)
    for pattern, label in ((_RPPS, "RPPS"), (_FINESS, "FINESS")):
        for match in pattern.finditer(text):
            checked = luhn_holds(re.sub(r"[^0-9]", "", match["code"]))
            yield Span(*match.span("code"), label, Proof.CHECKED if checked else Proof.CONTEXT)
    for match in _BARE_RPPS.finditer(text):
        # A tenth of such numbers are right by chance; a number that long names somebody all the same.
        if luhn_holds(match[0]):
            yield Span(*match.span(), "RPPS", Proof.CONTEXT)
    for match in _LONG_NUMBER.finditer(text):
        # No measure has eight digits; whose number it is, only the form around it would tell.
        yield Span(*match.span(), "IPP", Proof.WEAK)
