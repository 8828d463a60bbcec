"""Moodle XML: question sets as Moodle and the platforms that read its form import them, a category a report.

Written after Moodle's own reader (`question/format/xml/format.php`), which refuses a fraction that is not in its list,
cuts categories at `/` but not to length, and drops white space that stands alone between two escaped characters.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from carabin.exercises.shown import TO_BE_READ, Sheet, Shown, lines_of, plain
from carabin.formats.base import Provenance

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n'
FOOT = "</quiz>\n"
_LONGEST_NAME = 120
"""Code points of a report's id in a name; Moodle cuts at 255."""
_LONGEST_CATEGORY = 255
"""Code points that its database has room for: a longer name stops the import."""


def write_moodle(sheet: Sheet, provenance: Provenance) -> str:
    """Return the elements of one report: its category, the report, its questions, its progressive file."""
    elements = [_category(sheet, provenance)]
    if sheet.alone:
        what = f"compte rendu, {sheet.asked_with_report}"
        elements.append(_description(sheet, 0, what, sheet.text[sheet.body :]))
    elements += [_question(sheet, shown) for shown in sheet.alone]
    for step, shown in enumerate(sheet.linked, 1):
        before = sheet.read_before(shown)
        if before.strip():
            elements.append(_description(sheet, shown.number, f"dossier progressif {step}a, énoncé", before))
        elements.append(_question(sheet, shown, f"dossier progressif {step}b, "))
    for element in elements:
        ElementTree.indent(element)
    return "".join(ElementTree.tostring(element, encoding="unicode") + "\n" for element in elements)


def _category(sheet: Sheet, provenance: Provenance) -> ElementTree.Element:
    element = ElementTree.Element("question", type="category")
    # Moodle reads "//" as a slash within a name; one at its edge needs a space to be told from the path's own.
    short = _shorten(plain(sheet.document))
    name = re.sub("^/|/$", lambda edge: f" {edge[0]}" if edge.start() == 0 else f"{edge[0]} ", short)
    _text(element, "category", f"$course$/top/Carabin/{name.replace('/', '//')}")
    _text(element, "info", f"{TO_BE_READ}. {provenance.model}, {provenance.software}", format="plain_text")
    return element


def _shorten(name: str) -> str:
    """Return a name that a category can have, another for every long name."""
    if len(name) <= _LONGEST_CATEGORY:
        return name
    ending = f"… {hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name[: _LONGEST_CATEGORY - len(ending)] + ending


def _description(sheet: Sheet, number: int, what: str, text: str) -> ElementTree.Element:
    element = _common("description", sheet, number, what, as_html(text))
    ElementTree.SubElement(element, "defaultgrade").text = "0"
    return element


def _question(sheet: Sheet, shown: Shown, place: str = "") -> ElementTree.Element:
    kind = "shortanswer" if shown.question.kind == "qroc" else "multichoice"
    element = _common(kind, sheet, shown.number, place + shown.kind, as_html(shown.question.stem))
    _text(element, "generalfeedback", f"<p>Justification :</p>{as_html(shown.question.quote)}", format="html")
    ElementTree.SubElement(element, "defaultgrade").text = "1"
    if kind == "shortanswer":
        ElementTree.SubElement(element, "usecase").text = "0"
        for answer in spellings(shown.question.right[0]):
            _text(element, "answer", escape_wildcards(answer), fraction="100", format="plain_text")
        return element
    ElementTree.SubElement(element, "single").text = "true" if shown.question.kind == "qru" else "false"
    ElementTree.SubElement(element, "shuffleanswers").text = "true"
    ElementTree.SubElement(element, "answernumbering").text = "ABCD"
    for option, fraction in zip(shown.options, fractions(shown), strict=True):
        _text(element, "answer", as_html(option.text), fraction=fraction, format="html")
    return element


def _common(kind: str, sheet: Sheet, number: int, what: str, text: str) -> ElementTree.Element:
    element = ElementTree.Element("question", type=kind)
    # Moodle lists questions by name: the number keeps them in order.
    _text(element, "name", f"{plain(sheet.document)[:_LONGEST_NAME]} - {number:02d} - {what}")
    _text(element, "questiontext", text, format="html")
    return element


def _text(parent: ElementTree.Element, name: str, text: str, **attributes: str) -> None:
    ElementTree.SubElement(ElementTree.SubElement(parent, name, attributes), "text").text = text


def fractions(shown: Shown) -> Sequence[str]:
    """Return what each option earns, in per cent: all right ones together 100, all wrong ones together -100.

    So who ticks everything, or nothing, earns nothing; Moodle itself never goes below 0. A QRU's wrong options cost
    nothing, as only one can be chosen.
    """
    right = sum(option.right for option in shown.options)
    cost = 0 if shown.question.kind == "qru" else -100 / (len(shown.options) - right)
    return [f"{100 / right if option.right else cost:.7g}" for option in shown.options]


def spellings(answer: str) -> list[str]:
    """Return what is taken for a short answer: as the report has it, without accents, with a point for its comma.

    And with either apostrophe: keyboards give the straight one, telephones and word processors the other. Moodle minds
    no capitals by itself, but minds all else.
    """
    found = list(_spellings(plain(" ".join(answer.split()))))
    for one, other in ("'’", "’'"):
        found += [spelled.replace(one, other) for spelled in found]
    return list(dict.fromkeys(found))


def _spellings(answer: str) -> Iterator[str]:
    bare = "".join(letter for letter in unicodedata.normalize("NFD", answer) if not unicodedata.combining(letter))
    for accents in (answer, bare, bare.replace("œ", "oe").replace("Œ", "OE")):
        for comma in (accents, re.sub(r"(?<=\d),(?=\d)", ".", accents)):
            yield comma
            yield re.sub(r"(?<=\d) (?=[^\W\d_]|%)", "", comma)


def escape_wildcards(answer: str) -> str:
    """Return an answer in which a star is a star: Moodle takes a bare one for any text."""
    return answer.replace("*", r"\*")


def as_html(text: str) -> str:
    """Return a text as HTML, its lines kept."""
    return f"<p>{'<br>'.join(html.escape(line.strip(), quote=False) for line in lines_of(text))}</p>"
