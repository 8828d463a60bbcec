"""An offset that is one off in the new text is an annotation of another word."""

from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Entity
from carabin.pseudonyms.replacement import marked, move_entities, replace_spans
from carabin.pseudonyms.spans import Span

PIECES = st.lists(st.tuples(st.text(max_size=8), st.text(min_size=1, max_size=8), st.text(max_size=8)), max_size=6)


def build(pieces):
    """Return a text, its spans, and their surrogates, from (before, original, surrogate)."""
    text, spans, surrogates = "", [], {}
    for before, original, surrogate in pieces:
        text += before
        spans.append(Span(len(text), len(text) + len(original), "NOM"))
        surrogates[spans[-1]] = surrogate
        text += original
    return text + " fin", spans, surrogates


@given(PIECES)
def test_the_new_text_is_the_old_one_with_surrogates(pieces):
    text, spans, surrogates = build(pieces)
    new, done = replace_spans(text, spans, surrogates.__getitem__)
    assert new == "".join(before + surrogate for before, _, surrogate in pieces) + " fin"
    for item in done:
        assert new[item.start : item.end] == item.surrogate
        assert text[item.span.start : item.span.end] == item.original
    for item in reversed(done):
        new = new[: item.start] + item.original + new[item.end :]
    assert new == text


@given(PIECES, st.data())
def test_other_entities_stand_on_the_same_words(pieces, data):
    text, spans, surrogates = build(pieces)
    new, done = replace_spans(text, spans, surrogates.__getitem__)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    moved = move_entities([Entity(start, end, "DISO", 0.5)], done)
    # What the entity covers once each identity it touches is taken whole.
    pieces, at = [], start
    for span in spans:
        if span.start < end and start < span.end:
            pieces += [text[at : max(span.start, at)], surrogates[span]]
            at = span.end
    expected = "".join([*pieces, text[at:end] if at < end else ""])
    if expected:
        (entity,) = moved
        assert new[entity.start : entity.end] == expected
        assert (entity.label, entity.score) == ("DISO", 0.5)
    else:
        assert moved == ()


def test_marked_spans_carry_the_label_of_what_they_replaced():
    text, spans, surrogates = build([("M. ", "Dupont", "Avelin")])
    new, done = replace_spans(text, spans, surrogates.__getitem__)
    assert [(e.label, new[e.start : e.end]) for e in marked([], done)] == [("NOM", "Avelin")]
