import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.exercises.units import find_units

# Points, titles, decimals and line ends at every turn.
REPORTS = st.lists(
    st.sampled_from(
        [
            "M.",
            "Dr",
            "Le",
            "patient",
            " ",
            " ",
            ".",
            "12",
            ",5",
            "\n",
            "\r\n",
            "- ",
            "É",
            "!",
            "…",
            "(",
            "»",
            "\u2028",
            "😀",
        ]
    ),
    max_size=40,
).map("".join) | st.text(max_size=60)


@given(REPORTS)
def test_units_cover_what_can_be_seen_once_and_are_never_blank(text):
    units = find_units(text)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in units)
    assert all(before[1] <= after[0] for before, after in zip(units, units[1:], strict=False))
    covered = {place for start, end in units for place in range(start, end)}
    assert {place for place, character in enumerate(text) if not character.isspace()} <= covered
    assert all(len(text[start:end].splitlines()) == 1 for start, end in units)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Vu par le Dr. Petit. Il va bien.", ["Vu par le Dr. Petit.", "Il va bien."]),
        ("M. Petit, 12.03.2024. À revoir.", ["M. Petit, 12.03.2024.", "À revoir."]),
        ("Adressé au Pr. A. Petit ! Merci.", ["Adressé au Pr. A. Petit !", "Merci."]),
        ("Natrémie 137.5 mmol/L. CRP < 5.", ["Natrémie 137.5 mmol/L.", "CRP < 5."]),
        ("Porteur d'une hépatite B. Le bilan suit.", ["Porteur d'une hépatite B.", "Le bilan suit."]),
        ("J. P. Petit l'a vu. Il sort.", ["J. P. Petit l'a vu.", "Il sort."]),
        ("- Kardégic 75 mg. Le matin. À vie", ["- Kardégic 75 mg. Le matin. À vie"]),
        ("2) Kardégic. Tahor", ["2) Kardégic. Tahor"]),
        ("1. Motif. Bilan", ["1. Motif. Bilan"]),
        ("Sortie le 3. Œdèmes résorbés.\r\nSuivi", ["Sortie le 3.", "Œdèmes résorbés.", "Suivi"]),
        ("Il dit « ça va. » Puis il part.", ["Il dit « ça va. »", "Puis il part."]),
        ("env. 3 jours, cf. Annexe 2. Fin", ["env. 3 jours, cf. Annexe 2.", "Fin"]),
        ("Taille 1. 75 m. Poids 60", ["Taille 1. 75 m.", "Poids 60"]),
        ("\n \n", []),
    ],
)
def test_sentences_are_not_cut_after_abbreviations_decimals_and_dates(text, units):
    assert [text[start:end] for start, end in find_units(text)] == units
