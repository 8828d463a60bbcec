"""Corrections of a pre-annotation: a wrong count would praise a student that people had to redo."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.documents import Entity
from carabin.scoring.corrections import CHANGES, CorrectionTally, count_corrections

LABELS = ("DISO", "CHEM")


def counted(before, after):
    spans = ([Entity(*span) for span in side] for side in (before, after))
    return {kind: number for kind, number in count_corrections(*spans).totals.items() if number}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], {}),
        ([(0, 6, "DISO")], [(0, 6, "DISO")], {"kept": 1}),
        ([(0, 6, "DISO")], [(0, 6, "CHEM")], {"relabelled": 1}),
        ([(0, 6, "DISO")], [(0, 12, "DISO")], {"moved": 1}),
        ([(0, 6, "DISO")], [(3, 12, "CHEM")], {"replaced": 1}),
        ([(0, 6, "DISO")], [(6, 12, "DISO")], {"deleted": 1, "added": 1}),
        # Cut in two: the part that shares more is the moved one.
        ([(0, 10, "DISO")], [(0, 3, "DISO"), (4, 10, "DISO")], {"moved": 1, "added": 1}),
        # Two joined into one.
        ([(0, 3, "DISO"), (4, 10, "DISO")], [(0, 10, "DISO")], {"moved": 1, "deleted": 1}),
        # What is kept is never given to a neighbour that overlaps it.
        ([(0, 10, "DISO"), (4, 10, "DISO")], [(4, 10, "DISO")], {"kept": 1, "deleted": 1}),
        # The same label goes before another one, even when it shares less.
        ([(0, 10, "DISO")], [(0, 9, "CHEM"), (9, 12, "DISO")], {"moved": 1, "added": 1}),
        # Predicted twice, found once.
        ([(0, 6, "DISO"), (0, 6, "DISO")], [(0, 6, "DISO")], {"kept": 1, "deleted": 1}),
        # A long gold span that began far to the left is found too.
        ([(50, 52, "DISO")], [(0, 100, "DISO"), (10, 12, "CHEM"), (20, 22, "CHEM")], {"moved": 1, "added": 2}),
    ],
)
def test_golden_changes(before, after, expected):
    assert counted(before, after) == expected


SPANS = st.lists(
    st.builds(
        lambda start, length, label: Entity(start, start + length, label),
        st.integers(0, 30), st.integers(1, 12), st.sampled_from(LABELS),
    ),
    max_size=10,
)  # fmt: skip


@settings(deadline=None)
@given(SPANS, SPANS)
def test_every_span_of_either_side_is_counted_once(before, after):
    totals = count_corrections(before, after).totals
    paired = totals["kept"] + totals["relabelled"] + totals["moved"] + totals["replaced"]
    assert paired + totals["deleted"] == len(before)
    assert paired + totals["added"] == len(after)
    by_label = count_corrections(before, after).by_label()
    assert {kind: sum(counts[kind] for counts in by_label.values()) for kind in CHANGES} == totals


@settings(deadline=None)
@given(SPANS)
def test_an_untouched_pre_annotation_is_kept_whole(spans):
    made = count_corrections(spans, spans[::-1])
    assert (made.totals["kept"], made.edits) == (len(spans), 0)


def test_the_report_adds_documents_up_and_names_them_only_if_told_to():
    before = [Entity(0, 6, "DISO"), Entity(7, 9, "DISO")]
    for with_ids in (False, True):
        tally = CorrectionTally(with_ids)
        tally.add("patient-1", before, before)
        tally.add("patient-2", before, [Entity(0, 6, "CHEM")])
        report = tally.to_dict()
        assert (report["pre_annotated"], report["kept_share"], report["edits"]) == (4, 0.5, 2)
        assert report["untouched_documents"] == 1
        assert report["relabellings"] == {"DISO": {"CHEM": 1}}
        assert report["by_label"]["DISO"]["deleted"] == 1
        assert [document["edits"] for document in report["documents"]] == [0, 2]
        assert ("patient-2" in str(report)) is with_ids


def test_nothing_pre_annotated_has_no_share_kept():
    tally = CorrectionTally()
    tally.add("a", [], [Entity(0, 1, "DISO")])
    assert tally.to_dict()["kept_share"] is None
