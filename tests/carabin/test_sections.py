import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.generation.sections import cut_sections, find_sections
from tests.carabin.exercise_cases import REPORT, REPORTS


@given(REPORTS | st.text(max_size=60), st.integers(1, 60))
def test_every_character_is_in_exactly_one_window_and_every_window_fits(text, longest):
    windows = cut_sections(text, lambda part: len(part) <= longest)
    assert [place for start, end in windows for place in range(start, end)] == list(range(len(text)))
    assert all(0 < end - start <= longest for start, end in windows) or not text
    assert "".join(text[start:end] for start, end in windows) == text


def test_a_report_that_fits_is_one_window_and_an_empty_one_too():
    assert cut_sections(REPORT, lambda part: True) == [(0, len(REPORT))]
    assert cut_sections("", lambda part: True) == [(0, 0)]


def test_a_long_report_is_cut_before_its_headings():
    cuts = [REPORT[start:].split("\n")[0] for start, _ in cut_sections(REPORT, lambda part: len(part) <= 230)][1:]
    assert cuts and set(cuts) <= {"Motif :", "Examens :", "Synthèse :", "Traitement de sortie :", "Suivi :"}


@pytest.mark.parametrize(
    ("text", "longest", "cuts"),
    [
        ("aaaa bbbb\ncccc dddd\n", 14, ["aaaa bbbb\n", "cccc dddd\n"]),
        ("Il va bien. Il sort demain.", 20, ["Il va bien. ", "Il sort demain."]),
        ("aaaa bbbb cccc", 9, ["aaaa ", "bbbb cccc"]),
        ("a" * 10, 4, ["aaaa", "aaaa", "aa"]),
        ("un " + "b" * 9, 5, ["un ", "bbbbb", "bbbb"]),
    ],
)
def test_lines_then_sentences_then_words_are_kept_whole(text, longest, cuts):
    assert [text[start:end] for start, end in cut_sections(text, lambda part: len(part) <= longest)] == cuts


def test_a_long_text_is_not_read_again_for_each_of_its_windows():
    """A year's notes in one file would take hours: what is asked for each window must not grow with the text."""
    asked = []

    def fits(part):
        asked.append(len(part))
        return len(part) <= 1000

    cut_sections("Il va bien. " * 20_000, fits)
    assert sum(asked) < 60 * 240_000


HEADINGS = [
    "Motif :\n", "MOTIF\n", "MOTIF DE L'HOSPITALISATION :\n", "Motif : douleur\n", "Motif\n-----\n", "3. Motif\n",
    "--- Motif ---\n", "** Motif **\n", "## Motif\n", "MOTIF: douleur\n", "II) Motif\n",
]  # fmt: skip


@pytest.mark.parametrize("heading", HEADINGS)
def test_headings_of_every_style_begin_a_section(heading):
    text = f"Hôpital\nPatiente : X\n\n{heading}Douleur.\n"
    assert [text[start:].split("\n")[0] for start, _ in find_sections(text)] == ["Hôpital", heading.split("\n")[0]]


@pytest.mark.parametrize(
    "line", ["bêta-HCG : 3775 UI/L", "- Motif ancien", "NOM : DURAND", "12/03/2024", "2 comprimés", "IPP"]
)
def test_values_and_lines_of_lists_begin_none(line):
    assert len(find_sections(f"Motif :\nDouleur.\n{line}\nSuite.\n")) == 1
