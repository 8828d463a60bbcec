"""One HTML page of exercises: nothing to fetch, no script, answers folded away, fit for a keyboard and for paper."""

from __future__ import annotations

import html
from collections.abc import Iterator

from carabin.exercises.shown import INSTRUCTIONS, TO_BE_READ, Option, Sheet, Shown, lines_of, plain
from carabin.formats.base import Provenance

HEAD = """<!DOCTYPE html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Exercices sur dossiers - Carabin</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 2px solid GrayText; margin-top: 3rem; }
h1, h2, h3 { line-height: 1.3; overflow-wrap: anywhere; }
fieldset { border: 1px solid GrayText; border-radius: .4rem; margin: 1.5rem 0; padding: .75rem 1rem; min-width: 0; }
legend { font-weight: 600; padding: 0 .4rem; }
legend small, .note { font-weight: normal; color: color-mix(in srgb, CanvasText 75%, Canvas); }
fieldset details { margin-top: .75rem; }
label { display: block; padding: .15rem 0; }
label.short { margin-top: .5rem; }
input[type=text] { font: inherit; width: 100%; max-width: 24rem; box-sizing: border-box; }
summary { cursor: pointer; }
summary:focus-visible, input:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
.report, blockquote { overflow-wrap: anywhere; unicode-bidi: plaintext; }
.report { border-left: 4px solid GrayText; padding-left: 1rem; }
blockquote { margin: .5rem 0; padding-left: 1rem; border-left: 2px solid GrayText; }
@media print {
  body { max-width: none; margin: 0; font-size: 11pt; }
  section { border: 0; margin: 0; }
  section + section { break-before: page; }
  fieldset { break-inside: avoid; }
  details:not([open]):not(.step) { display: none; }
  details.step > summary { display: none; }
  details.step::details-content { content-visibility: visible; block-size: auto; }
}
</style>
</head>
<body>
<h1>Exercices sur dossiers</h1>
"""
FOOT = "</body>\n</html>\n"
_INPUTS = {"qru": "radio", "qrm": "checkbox"}


def write_section(sheet: Sheet, provenance: Provenance) -> str:
    """Return the section of one report: the report, its questions, its progressive file."""
    return "".join(_section(sheet, provenance))


def _section(sheet: Sheet, provenance: Provenance) -> Iterator[str]:
    said = f"{TO_BE_READ} · {provenance.model} · {provenance.date}"
    yield f'<section>\n<h2>{_line(sheet.document)}</h2>\n<p class="note">{_line(said)}</p>\n'
    if sheet.alone:
        report = _report(sheet.text[sheet.body :])
        yield f"<details>\n<summary>Compte rendu, {sheet.asked_with_report}</summary>\n{report}\n</details>\n"
    for shown in sheet.alone:
        yield from _question(sheet, shown)
    if sheet.linked:
        yield "<h3>Dossier progressif</h3>\n"
    for place, shown in enumerate(sheet.linked):
        # What is read before a question answers the one before it: it unfolds once that is answered.
        if place:
            yield f'<details class="step">\n<summary>Suite du dossier, question {shown.number}</summary>\n'
        if read := sheet.read_since(shown):
            yield f"{_report(read)}\n"
        yield from _question(sheet, shown)
        if place:
            yield "</details>\n"
    yield "</section>\n"


def _question(sheet: Sheet, shown: Shown) -> Iterator[str]:
    name = f"{_line(sheet.document)}/{shown.number}"
    told = f"{shown.kind}, {INSTRUCTIONS[shown.question.kind]}"
    yield f"<fieldset>\n<legend>{shown.number}. {_line(shown.question.stem)} <small>({told})</small></legend>\n"
    for option in shown.options:
        yield _option(option, _INPUTS[shown.question.kind], name)
    if not shown.options:
        yield f'<label class="short">Réponse : <input type="text" name="{name}" autocomplete="off"></label>\n'
    yield f"<details>\n<summary>Correction de la question {shown.number}</summary>\n{_answer(shown)}</details>\n"
    yield "</fieldset>\n"


def _option(option: Option, kind: str, name: str) -> str:
    box = f'<input type="{kind}" name="{name}" value="{option.letter}" autocomplete="off">'
    return f"<label>{box} {option.letter}. {_line(option.text)}</label>\n"


def _answer(shown: Shown) -> str:
    right = [f"{option.letter}. {option.text}" for option in shown.options if option.right] or shown.question.right
    told = "".join(f"<li>{_line(answer)}</li>" for answer in right)
    return f"<ul>{told}</ul>\n<p>Justification :</p>\n<blockquote>{_lines(shown.question.quote)}</blockquote>\n"


def _report(text: str) -> str:
    return f'<p class="report">{_lines(text)}</p>'


def _lines(text: str) -> str:
    return "<br>".join(map(html.escape, lines_of(text)))


def _line(text: str) -> str:
    return html.escape(plain(text))
