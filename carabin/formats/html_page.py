"""One HTML page of highlighted documents: nothing to fetch, no script, readable in print and without colours."""

from __future__ import annotations

import html
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from carabin.documents import Document, Entity
from carabin.formats.base import Format, Provenance, Writer

_HEAD = """<!DOCTYPE html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Carabin</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.8 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid GrayText; margin-top: 2rem; }
h2 { font-size: 1rem; overflow-wrap: anywhere; }
small { color: GrayText; font-weight: normal; }
p { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; }
mark { padding: .1em .2em; border-radius: .25em; color: inherit; border-bottom: 2px solid hsl(var(--hue) 60% 45%);
  background: hsl(var(--hue) 70% 50% / .25); }
mark[data-label]::after { content: attr(data-label); font-size: .65em; margin-left: .35em; font-weight: 600; }
@media print { mark { background: none; } }
</style>
</head>
<body>
<h1>Carabin</h1>
"""
_FOOT = "</body>\n</html>\n"


class HtmlWriter(Writer):
    """Writes a section a document."""

    suffix = ".html"

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write the sections of a run of documents."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for document in documents:
                file.writelines(_section(document, provenance))

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the sections into one page."""
        with path.open("wb") as out:
            out.write(_HEAD.encode())
            for part in parts:
                out.write(part.read_bytes())
            out.write(_FOOT.encode())


def _section(document: Document, provenance: Provenance) -> Iterator[str]:
    count = len(document.entities)
    said = f"{count} entité{'s' if count > 1 else ''} · {provenance.model} · {provenance.date}"
    yield f"<section>\n<h2>{_escape(document.id)} <small>{_escape(said)}</small></h2>\n<p>"
    for start, end, covering in covered_pieces(document):
        surface = _escape(document.text[start:end])
        yield _mark(surface, end, covering, provenance) if covering else surface
    yield "</p>\n</section>\n"


def covered_pieces(document: Document) -> Iterator[tuple[int, int, list[Entity]]]:
    """Yield the text cut wherever an entity begins or ends, each piece with the entities that cover it."""
    entities = sorted(document.entities, key=lambda entity: (entity.start, -entity.end))
    cuts = sorted({0, len(document.text), *(place for entity in entities for place in (entity.start, entity.end))})
    waiting, covering = iter([*entities, None]), list[Entity]()
    following = next(waiting)
    for start, end in zip(cuts, cuts[1:], strict=False):
        covering = [entity for entity in covering if entity.end > start]
        while following is not None and following.start == start:
            covering.append(following)
            following = next(waiting)
        yield start, end, covering


def _mark(surface: str, end: int, covering: Sequence[Entity], provenance: Provenance) -> str:
    """Return a highlighted piece: its tooltip tells of every entity over it, its label of those that end here."""
    spans = [
        f"{entity.label} {entity.start}–{entity.end}" + (f" ({entity.score:.2f})" if entity.score is not None else "")
        for entity in covering
    ]
    labels = " ".join(entity.label for entity in covering if entity.end == end)
    shown = f' data-label="{_escape(labels)}"' if labels else ""
    first = covering[-1]
    facts = f'data-start="{first.start}" data-end="{first.end}" data-model="{_escape(provenance.model)}"'
    if first.score is not None:
        facts += f' data-score="{first.score:.4f}"'
    hue = zlib.crc32(first.label.encode()) % 360
    return f'<mark style="--hue:{hue}" title="{_escape("; ".join(spans))}" {facts}{shown}>{surface}</mark>'


def _escape(text: str) -> str:
    # A browser would turn a bare carriage return into a line feed.
    return html.escape(text).replace("\r", "&#13;")


FORMAT = Format("html", (".html", ".htm"), writer=HtmlWriter)
