import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.documents import Entity
from carabin.generation.entity_lines import EntityLines, spell_label
from carabin.generation.source import read_source
from carabin.generation.spelling import walk
from carabin.generation.tasks import ENTITIES
from tests.carabin.exercise_cases import REPORTS
from tests.carabin.tiny_writer import make_tokenizer

LABELS = ("DISO", "CHEM", "CHEM2")
TOKENIZER = make_tokenizer()


def lines_of(text, start=0):
    return EntityLines(read_source(TOKENIZER, ENTITIES, text, start), TOKENIZER, LABELS)


def encode(lines, entities):
    ids = []
    for entity in entities:
        first, last = lines.source.tokens(entity.start, entity.end)
        ids += [*lines.source.ids[first:last].tolist(), *spell_label(TOKENIZER, entity.label)]
    return ids


@settings(deadline=None, max_examples=80)
@given(REPORTS | st.text(max_size=60), st.integers(0, 2**32), st.integers(0, 60))
def test_whatever_the_scores_are_surfaces_rise_and_offsets_are_exact(text, seed, longest):
    lines, random, tokens, ended = lines_of(text, 7), np.random.default_rng(seed), [], False
    place = lines.begin()
    while len(tokens) < longest and not ended:
        token = int(random.choice(place.allowed()))
        place, ended = place.advance(token), token == 1
        tokens += [] if ended else [token]
    found = lines.read(tokens)
    written = TOKENIZER.decode(tokens, skip_special_tokens=False)
    whole = written.split("\n")[:-1] if not ended else written.split("\n")[:-1]
    assert [line.strip() for line in whole] == [f"{text[e.start - 7 : e.end - 7]} | {e.label}" for e in found]
    assert all(before.end <= after.start for before, after in zip(found, found[1:], strict=False))
    assert not ended or written.endswith("\n") or not written


@pytest.mark.parametrize("text", ["Une fièvre aiguë, traitée par Doliprane 1g.", "fièvre| fièvre | 😀 Doliprane"])
def test_what_training_teaches_is_read_back(text):
    entities = [Entity(text.index("fièvre"), text.index("fièvre") + 6, "DISO"),
                Entity(text.index("Doliprane"), text.index("Doliprane") + 9, "CHEM2")]  # fmt: skip
    lines = lines_of(text)
    ids = encode(lines, entities)
    assert walk(lines.begin(), [*ids, 1]) is not None
    assert lines.read(ids) == entities
    assert lines.read(ids[:-1]) == entities[:1]
    assert lines.read([]) == []


@pytest.mark.parametrize("labels", [LABELS, ("DISO",), ("DISO", "DISO2")])
def test_a_surface_holds_the_token_that_its_label_begins_with(labels):
    """A space before a digit is a token of its own, as before the bar: no `type 2` or `CA 15-3` could be written."""
    text = "Diabète de type 2 ; CA 15-3"
    lines = EntityLines(read_source(TOKENIZER, ENTITIES, text), TOKENIZER, labels)
    assert spell_label(TOKENIZER, "DISO")[0] in lines.source.ids
    for entities in (
        [Entity(0, 17, "DISO"), Entity(20, 27, "DISO")],
        [Entity(0, 15, "DISO"), Entity(20, 22, "DISO")],
    ):
        ids = encode(lines, entities)
        assert walk(lines.begin(), [*ids, 1]) is not None
        assert lines.read(ids) == entities


def test_a_surface_that_stands_twice_is_the_first_place_left():
    text = "fièvre puis fièvre"
    lines = lines_of(text)
    once = encode(lines, [Entity(0, 6, "DISO")])
    twice = once + encode(lines, [Entity(12, 18, "CHEM")])
    assert lines.read(twice) == [Entity(0, 6, "DISO"), Entity(12, 18, "CHEM")]
    assert walk(lines.begin(), [*twice, *once]) is None


def test_a_text_without_words_has_no_lines():
    for text in ("", " \n", "|"):
        assert lines_of(text).begin().allowed().tolist() == [1]
    nameless = EntityLines(read_source(TOKENIZER, ENTITIES, "fièvre"), TOKENIZER, ())
    assert nameless.begin().allowed().tolist() == [1]
