"""What would go wrong silently: an error shown at another place than where it was made, or not shown at all."""

from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Document, Entity
from carabin.scoring.corrections import find_changes
from evaluation import list_errors
from evaluation.list_errors import show

TEXT = "Prise de paracétamol pour une douleur du genou droit."


def entity(surface: str, label: str) -> Entity:
    start = TEXT.index(surface)
    return Entity(start, start + len(surface), label)


def test_each_kind_of_error_is_marked_where_it_stands():
    assert show(TEXT, ("added", None, entity("paracétamol", "CHEM"))) == (
        "added      - / CHEM     Prise de [paracétamol] pour une douleur du genou droit."
    )
    moved = ("moved", entity("douleur", "DISO"), entity("douleur du genou", "DISO"))
    assert show(TEXT, moved).endswith("une ‹[douleur› du genou] droit.")
    relabelled = ("relabelled", entity("genou", "DISO"), entity("genou", "ANAT"))
    assert "DISO / ANAT" in show(TEXT, relabelled) and "genou" in show(TEXT, relabelled)


@given(st.tuples(st.integers(0, 40), st.integers(1, 12)), st.tuples(st.integers(0, 40), st.integers(1, 12)))
def test_marks_add_nothing_to_the_words_and_take_nothing_away(one, other):
    spans = [Entity(start, start + length, "DISO") for start, length in (one, other)]
    shown = show(TEXT, ("moved", *spans))[24:]
    bare = shown
    for mark in "‹›[]":
        bare = bare.replace(mark, "")
    first, last = min(span.start for span in spans), max(span.end for span in spans)
    around = TEXT[max(0, first - list_errors.AROUND) : last + list_errors.AROUND]
    assert bare.replace(" ", "") == around.replace(" ", "")
    inside = shown[shown.index("‹") + 1 : shown.index("›")].replace("[", "").replace("]", "")
    assert inside.replace(" ", "") == TEXT[spans[0].start : spans[0].end].replace(" ", "")


def test_every_entity_of_either_side_is_in_one_change():
    document = Document("d", TEXT, (entity("paracétamol", "CHEM"), entity("douleur du genou", "DISO")))
    found = [entity("douleur", "DISO"), entity("droit", "ANAT")]
    changes = list(find_changes(found, document.entities))
    assert sorted(kind for kind, _, _ in changes) == ["added", "deleted", "moved"]
    assert {ours for _, ours, _ in changes if ours} == set(found)
    assert {theirs for _, _, theirs in changes if theirs} == set(document.entities)
