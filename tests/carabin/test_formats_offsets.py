"""`text[start:end]` is the span in every form, over Unicode: CAS counts UTF-16 units, BRAT breaks at line ends."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin import Document, Entity
from carabin.formats import Provenance, ReadOptions, WriteOptions, read_inputs
from carabin.formats.registry import WRITABLE
from tests.carabin.format_cases import OUTPUTS, found_in

PROVENANCE = Provenance("tiny@0123", "carabin 0", "2026-01-31")
# Astral, combining, right-to-left, emoji of several code points, line ends of all kinds, what markup escapes.
HARD = [
    "😀",
    "👩🏽\u200d⚕️",
    "e\u0301",
    "שלום",
    "عربي",
    "\r\n",
    "\r",
    "\u2028",
    "\x85",
    "\t",
    "&lt;",
    "<b>",
    '"',
    "'",
    "%",
    "𝛼",
    "\ufeff",
]
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.lists(st.one_of(st.sampled_from(HARD), st.text(CHARACTERS, max_size=8)), max_size=8).map("".join)
SCORES = st.integers(0, 10_000).map(lambda score: score / 10_000)


@st.composite
def documents(draw, scored=False):
    """Documents with spans of anything, side by side."""
    text = draw(TEXTS)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    entities = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        score = draw(SCORES if scored else st.one_of(st.none(), SCORES))
        entities.append(Entity(start, end, draw(st.sampled_from(["DISO", "Écart-type"])), score))
    return Document("7", text, tuple(entities))


def write(form, items, folder):
    writer = WRITABLE[form].writer(WriteOptions())
    fit = [item for item in items if not writer.refuses(item)]
    parts = [folder / f"{number}{writer.suffix}" for number in range(2)]
    for part, run in zip(parts, (fit[:1], fit[1:]), strict=True):
        writer.write_part(run, part, PROVENANCE)
    out = folder / "written" / OUTPUTS[form]
    out.parent.mkdir()
    writer.join(parts, out)
    return fit, out


@pytest.mark.parametrize("form", ["jsonl", "parquet-documents", "brat", "cas", "xmi"])
@settings(deadline=None, max_examples=40)
@given(document=documents())
def test_what_is_written_reads_back_the_same(form, document):
    with tempfile.TemporaryDirectory() as folder:
        fit, out = write(form, [document], Path(folder))
        found = list(read_inputs([out], ReadOptions(), entities=True)) if fit else []
    assert [(item.id, item.text, item.entities) for item in found] == [(d.id, d.text, d.entities) for d in fit]


@pytest.mark.parametrize("form", ["csv", "parquet", "omop", "label-studio", "html"])
@settings(deadline=None, max_examples=40)
@given(document=documents(scored=True))
def test_each_span_is_the_text_between_its_offsets(form, document):
    with tempfile.TemporaryDirectory() as folder:
        _, out = write(form, [document], Path(folder))
        found = found_in(form, out)
    expected = [(e.start, e.end, e.label, document.text[e.start : e.end], e.score) for e in document.entities]
    assert [entity[1:] for entity in found] == expected


def test_cas_offsets_are_those_java_counts(tmp_path):
    document = Document("7", "😀 fièvre", (Entity(2, 8, "DISO", 0.5),))
    for form, mark in (("cas", b'"begin": 3, "end": 9'), ("xmi", b'begin="3" end="9"')):
        (tmp_path / form).mkdir()
        _, out = write(form, [document], tmp_path / form)
        (path,) = [out / name for name in os.listdir(out) if name.startswith("7.")]  # noqa: PTH208
        assert mark in path.read_bytes().replace(b"\n", b"").replace(b"  ", b"")
