"""A surrogate that is an original in disguise leaks; one that changes from line to line makes two people of one."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.pseudonyms.checks import is_nir, luhn_holds, national_number
from carabin.pseudonyms.keys import Secret
from carabin.pseudonyms.lexicon import folded, load_lexicon
from carabin.pseudonyms.spans import LABELS, RULE_LABELS
from carabin.pseudonyms.surrogates import UNREADABLE_DATE, Scope
from tests.carabin.pseudonym_cases import SECRET, gold, surrogates

LEXICON = load_lexicon()
KEYS = st.binary(min_size=32, max_size=32).map(Secret)
SURNAMES = st.sampled_from(
    "DUVALMONT Duvalmont Le\xa0Goff de\xa0Brissac O'Neill Saint-Ay N'Diaye Ümit Đặng Œuvrard".split(" ")
)
NAMES = st.text(st.characters(categories=["Lu", "Ll"]), min_size=2, max_size=8)


def one(marked, index=0, **options):
    """Return the surrogate of the span at an index."""
    return surrogates(gold(marked=marked), **options)[0][index][2]


def test_one_person_has_one_name_however_written():
    found, _ = surrogates(gold(marked="[DUPONT](NOM) [Hélène](PRENOM), [Dupont](NOM), [helene](PRENOM) [dupont](NOM)"))
    upper, first, title, lower_first, lower = (surrogate for _, _, surrogate in found)
    assert upper == title.upper() and lower == title.lower() and title.istitle()
    assert lower_first == first.lower()
    assert folded(title) != "dupont"


def test_first_names_keep_their_gender():
    for name, names in (("Jeanne", LEXICON.female), ("Marcel", LEXICON.male)):
        assert one(f"[{name}](PRENOM)") in names
    # Of a name that no list has, the title tells.
    assert one("Mme [Xyzette](PRENOM)") in LEXICON.female
    assert one("Monsieur [Xyzou](PRENOM)") in LEXICON.male


def test_an_initial_is_that_of_the_surrogate():
    found, _ = surrogates(gold(marked="[J.](PRENOM) [Dupont](NOM) puis [Jean](PRENOM) [Dupont](NOM)"))
    assert found[0][2] == folded(found[2][2])[0].upper() + "."


def test_compounds_and_particles_keep_their_form():
    found, _ = surrogates(gold(marked="[Jean-Pierre](PRENOM) [de La Tour-Blanche](NOM), [Blanche](NOM)"))
    assert re.fullmatch(r"\w+-\w+", found[0][2])
    assert re.fullmatch(r"de La \w+-\w+", found[1][2])
    assert found[1][2].endswith(found[2][2])


@settings(max_examples=50, deadline=None)
@given(KEYS, st.lists(SURNAMES, min_size=1, max_size=12, unique=True))
def test_two_people_of_a_document_are_never_made_one(secret, names):
    found, _ = surrogates(gold(marked=", ".join(f"[{name}](NOM)" for name in names)), secret)
    made = {folded(original): folded(surrogate) for _, original, surrogate in found}
    assert len(set(made.values())) == len(made)
    assert not set(made) & set(made.values())


@settings(max_examples=100, deadline=None)
@given(KEYS, NAMES, NAMES, st.sampled_from(LEXICON.female + LEXICON.male))
def test_no_original_is_left_in_the_text(secret, surname, town, first):
    marked = (
        f"[{surname.upper()}](NOM) [{first}](PRENOM), [{town}](VILLE), Dr [{first[0]}.](PRENOM) [{surname}](NOM) "
        f"[{surname}.{first}@a.fr](MAIL) [0612345678](TEL) [8012345678](IPP) [3 rue {town}](ADRESSE) "
        f"[CHU de {town}](HOPITAL)"
    )
    found, text = surrogates(gold(marked=marked), secret)
    words = set(re.findall(r"\w+", text.casefold()))
    for label, original, _ in found:
        if label != "ADRESSE" and len(folded(original)) > 3:
            assert original not in text
        if label in ("NOM", "PRENOM") and len(folded(original)) > 2:
            assert original.casefold() not in words


@given(KEYS, st.sampled_from(["1", "2"]), st.integers(0, 99), st.integers(1, 12), st.sampled_from(["", " "]))
def test_a_nir_becomes_one_that_nobody_has(secret, sex, year, month, gap):
    parts = [sex, f"{year:02d}", f"{month:02d}", "2B", "096", "114", "07"]
    made = one(f"NIR [{gap.join(parts)}](SECU)", secret=secret)
    digits = made.replace(" ", "")
    assert is_nir(digits)
    assert digits[0] == sex and digits[5:7] == "00" and digits[10:13] == "000"
    assert len(made) == len(gap.join(parts))


def test_a_nir_says_the_birth_that_the_note_says():
    """Year and month of the NIR are the birth date's: moved apart, they would contradict it."""
    found, _ = surrogates(gold(marked="née le [02/01/1949](DATE_NAISSANCE) [249017511600148](SECU)"))
    day, month, year = found[0][2].split("/")
    assert found[1][2][1:5] == year[2:] + month


@given(
    KEYS, st.sampled_from(["01 44 55 66 77", "+33 (0)6 12 34 56 78", "0472112233", "07.77.77.77.77", "0033388112233"])
)
def test_a_telephone_becomes_one_kept_for_fiction(secret, number):
    made = one(f"[{number}](TEL)", secret=secret)
    assert national_number(made)[:6] in LEXICON.phone_prefixes
    assert re.sub("[0-9]", "9", made) == re.sub("[0-9]", "9", number)
    assert national_number(made)[1] == {"7": "6"}.get(national_number(number)[1], national_number(number)[1])


def test_telephones_of_no_french_form():
    assert re.fullmatch(r"\+33 1 99 00 \d\d \d\d", one("[+1 205 136 2648](TEL)"))
    assert re.fullmatch(r"\d{4}", one("poste [4512](TEL)"))


def test_a_mail_address_has_the_surrogates_name_at_a_reserved_domain():
    found, _ = surrogates(gold(marked="[Jean](PRENOM) [Le Goff](NOM) [j.legoff@chu.fr](MAIL) [jlegoff@chu.fr](MAIL)"))
    first, surname, dotted, glued = (folded(surrogate) for _, _, surrogate in found)
    local = dotted.split(" ")
    assert local[0] == first[0] and local[1] == surname.split(" ")[-1]
    assert surname.split(" ")[-1] in glued
    assert all(surrogate.endswith(".example") for label, _, surrogate in found if label == "MAIL")


def test_places_agree_with_one_another():
    found, _ = surrogates(gold(marked="[CHU de Lyon](HOPITAL), [LYON CEDEX 08](VILLE), [Lyon](VILLE), [69 002](ZIP)"))
    hospital, capital, town, postcode = (surrogate for _, _, surrogate in found)
    assert hospital.startswith("CHU d") and hospital.endswith(town)
    assert capital == town.upper() + " CEDEX"
    assert re.fullmatch(r"96 \d{3}", postcode)


def test_numbers_of_carers_and_establishments_are_right_and_unassigned():
    for label, number in (("RPPS", "10101234567"), ("FINESS", "690781810")):
        made = one(f"[{number}](RPPS)")
        assert luhn_holds(made) and made.startswith("00") and len(made) == len(number), label


def test_codes_keep_their_form():
    made = one("[2038H-20391](NDA)")
    assert re.fullmatch(r"\d{4}[A-Z]-\d{5}", made) and made != "2038H-20391"


def test_an_unreadable_date_becomes_a_tag():
    assert one("[la veille de Noël](DATE)") == UNREADABLE_DATE
    assert one("[45/67/1999](DATE)") == UNREADABLE_DATE


@pytest.mark.parametrize("scope", [Scope("corpus", False, -364), Scope("patient 7", False, -364)])
def test_over_a_corpus_a_name_is_the_same_in_every_document(scope):
    first = surrogates(gold("1", "[Dupont](NOM), [Marie](PRENOM), [Lyon](VILLE)"), scope=scope)[0]
    second = surrogates(gold("2", "[Marie](PRENOM) à [Lyon](VILLE) ; [Martin](NOM) ; [Dupont](NOM)"), scope=scope)[0]
    made = [{original: surrogate for _, original, surrogate in found} for found in (first, second)]
    assert all(made[0][original] == made[1][original] for original in made[0])


def test_over_documents_nothing_links_two_notes():
    notes = [surrogates(gold(str(n), "[Dupont](NOM)"))[0][0][2] for n in range(20)]
    assert len(set(notes)) > 15


def test_the_key_decides_all():
    note = gold()
    assert surrogates(note)[1] == surrogates(note)[1]
    assert surrogates(note)[1] != surrogates(note, Secret(b"x" * 32))[1]


SURFACES = st.tuples(st.text(max_size=6), st.sampled_from((*LABELS, *RULE_LABELS)), st.text(min_size=1, max_size=12))


@given(st.lists(SURFACES, max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_a_student_calls_an_identity_is_replaced(pieces):
    """A surface that no rule expects must not break the note, which would then be set aside for nothing."""
    marked = "".join(f"{between}\x01[{surface}]({label})" for between, label, surface in pieces if "]" not in surface)
    document = gold(marked=marked)
    found, _ = surrogates(document)
    assert len(found) == len(document.entities)


def test_names_of_the_lexicon_are_plain_and_apart():
    assert not set(LEXICON.phone_prefixes) - {"019900", "026191", "035301", "046571", "053649", "063998"}
    assert all(domain.endswith(".example") for domain in LEXICON.mail_domains)
    assert len(LEXICON.surname_parts[0]) * len(LEXICON.surname_parts[1]) > 4000
    for names in (LEXICON.male, LEXICON.female):
        assert len(set(names)) == len(names) > 250
    assert SECRET.draw(10, "a", "bc") in range(10)
