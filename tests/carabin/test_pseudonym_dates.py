"""A date that is not found leaks; one that is moved wrongly breaks an interval that somebody will compute."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from carabin.pseudonyms.date_forms import MONTHS, SHORT_MONTHS
from carabin.pseudonyms.dates import DateShift, date_spans, find_dates, read_date
from carabin.pseudonyms.number_words import read_number, write_number

WEEKS = st.integers(26, 260).map(lambda weeks: -7 * weeks)
DAYS = st.dates(date(1905, 1, 1), date(2040, 12, 28))
PLAIN = str.maketrans("ÉÛ", "EU")
FORMS = {
    "slash": lambda day: f"{day:%d/%m/%Y}",
    "dash": lambda day: f"{day:%d-%m-%Y}",
    "dot": lambda day: f"{day:%d.%m.%Y}",
    "bar": lambda day: f"{day:%d|%m|%Y}",
    "spaced": lambda day: f"{day:%d / %m / %Y}",
    "unpadded": lambda day: f"{day.day}/{day.month}/{day.year}",
    "iso": lambda day: f"{day:%Y-%m-%d}",
    "words": lambda day: f"{'1er' if day.day == 1 else day.day} {MONTHS[day.month - 1]} {day.year}",
    "capitals": lambda day: (
        f"{'1er' if day.day == 1 else day.day} {MONTHS[day.month - 1].upper().translate(PLAIN)} {day.year}"
    ),
    "short": lambda day: f"{'1er' if day.day == 1 else day.day} {SHORT_MONTHS[day.month - 1]}. {day.year}",
    "boxes": lambda day: " ".join(f"{day:%d%m%Y}"),
    "spelled": lambda day: (
        f"{'premier' if day.day == 1 else write_number(day.day)} {MONTHS[day.month - 1]} {write_number(day.year)}"
    ),
}


def moved(text, days):
    """Return the text with its dates moved."""
    dates = find_dates(text)
    shift = DateShift(text, dates, days)
    pieces, at = [], 0
    for written in dates:
        pieces += [text[at : written.start], shift.write(written)]
        at = written.end
    return "".join([*pieces, text[at:]])


def day_of(written):
    return date(written.year, written.month, written.day)


@given(DAYS, st.sampled_from(sorted(FORMS)), WEEKS)
def test_a_moved_date_is_the_other_day_in_the_same_form(day, form, days):
    # "10/10" shows nothing of how this hand writes April, nor "mars." of how it shortens January.
    assume(form != "unpadded" or min(day.day, day.month) < 10)
    assume(form != "short" or day.month not in (3, 5, 6, 8))
    after = day + timedelta(days)
    made, expected = moved(f"vu le {FORMS[form](day)}, revu", days), f"vu le {FORMS[form](after)}, revu"
    # "avr." does not show whether this hand writes "févr." or "fév.".
    assert re.sub("(jan)v|(fév)r|(sep)t", r"\1\2\3", made) == re.sub("(jan)v|(fév)r|(sep)t", r"\1\2\3", expected)


@given(DAYS, DAYS, st.sampled_from(sorted(FORMS)), st.sampled_from(sorted(FORMS)), WEEKS)
def test_intervals_hold_whatever_the_forms(first, second, form, other, days):
    text = f"du {FORMS[form](first)} ; sortie {FORMS[other](second)}."
    found = [day_of(written) for written in find_dates(moved(text, days))]
    assert found == [first + timedelta(days), second + timedelta(days)]
    assert found[1] - found[0] == second - first


@given(DAYS, WEEKS)
def test_a_monday_stays_a_monday(day, days):
    weekday = "lundi mardi mercredi jeudi vendredi samedi dimanche".split()[day.weekday()]
    (written,) = find_dates(moved(f"{weekday} {FORMS['words'](day)}", days))
    assert day_of(written).weekday() == day.weekday()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01sep2018", "10nov2018"),
        ("21 novembre, 2012", "30 janvier, 2013"),
        ("12 FEVRIER 2020", "22 AVRIL 2020"),
        ("3 déc. 2019", "11 fév. 2020"),
        ("01/09/ 2020", "10/11/ 2020"),
        ("né le 5/6/45", "né le 14/8/45"),
        ("mars 2019", "mai 2019"),
        ("Aout 18 :", "Octobre 18 :"),
        ("en 12/2019", "en 02/2020"),
        ("le 12/03 et le 15/03", "le 21/05 et le 24/05"),
        ("né le 12051960", "né le 21071960"),
        ("depuis fin 2018", "depuis fin 2018"),
        ("le vingt quatre aout deux mille dix sept à", "le deux novembre deux mille dix-sept à"),
        ("du 5 au 9 mars 2019", "du 14 au 18 mai 2019"),
        ("du 24 au 28 mars 2019", "du 2 au 6 juin 2019"),
        ("du 20 au 24 mars 2019", "du 29 mai au 2 juin 2019"),
        ("les 1er, 5 et 12 avril 2020", "les 10, 14 et 21 juin 2020"),
        ("12/03/2019-15/03/2019", "21/05/2019-24/05/2019"),
        # What a calendar refuses is still somebody's date, mistyped.
        ("le 31/02/2019", "le 09/05/2019"),
    ],
)
def test_the_forms_met_in_notes(text, expected):
    assert moved(text, 70) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1-0-1", "insuline 10-12-10", "TA 120/80", "EVA 5/10", "3.1.2", "Posologie : 1/2 comprimé", "5 mai 20 mg"[6:],
        "2000 mL", "FC 100", "score 12/30", "1 000 000", "pH 7.40", "38.5", "99/100", "en 2500 UI", "G3P1", "S8 12",
    ],
)  # fmt: skip
def test_doses_scores_and_measures_are_no_dates(text):
    assert find_dates(text) == []


def test_a_zero_before_the_day_stays():
    assert moved("le 05 mars 2019", -28) == "le 05 février 2019"
    assert moved("le 5 mars 2019", -28) == "le 5 février 2019"


def test_a_date_without_a_year_takes_the_nearest():
    """The 29 of February exists only in the year that the rest of the note is of."""
    assert moved("Entré le 27/02/2020, opéré le 01/03.", 7) == "Entré le 05/03/2020, opéré le 08/03."
    assert moved("Entré le 27/02/2019, opéré le 29/02.", 7) == "Entré le 06/03/2019, opéré le 07/03."


def test_a_birth_is_told_by_the_words_before():
    text = "Née le 12/03/1950, vue le 12/03/2020. DDN : 1er mai 1960. Date de naissance: 02.02.1970"
    labels = [span.label for span in date_spans(text, find_dates(text))]
    assert labels == ["DATE_NAISSANCE", "DATE", "DATE_NAISSANCE", "DATE_NAISSANCE"]


def test_a_span_drawn_too_wide_keeps_its_words():
    text = "le lundi 4 mars 2019 au soir"
    shift = DateShift(text, find_dates(text), 7)
    assert shift.rewrite(0, len(text)) == "le lundi 11 mars 2019 au soir"
    assert DateShift("entre 3 et 4", [], 7).rewrite(0, 12) is None


def test_a_span_with_a_digit_outside_its_date_is_not_half_moved():
    text = "4 mars 2019 (23)"
    assert DateShift(text, find_dates(text), 7).rewrite(0, len(text)) is None


@given(st.integers(0, 9999))
def test_numbers_in_words_come_back(number):
    assert read_number(write_number(number)) == number
    assert read_number(write_number(number).replace("-", " ")) == number


@pytest.mark.parametrize("words", ["deux trois", "lundi", "vingt vingt", ""])
def test_words_that_are_no_number(words):
    assert read_number(words) in (None, 0)


@given(st.text(st.sampled_from("0123456789/.-| marsinvdécoût1er°\n,()"), max_size=60))
def test_no_text_breaks_the_rules(text):
    dates = find_dates(text)
    assert all(0 <= a.start < a.end <= len(text) for a in dates)
    assert all(a.end <= b.start for a, b in zip(dates, dates[1:], strict=False))
    assert isinstance(moved(text, -700), str)


@given(DAYS)
def test_reading_a_span_needs_no_word_before_it(day):
    text = f"xx {day.year} yy"
    written = read_date(text, 3, 7)
    assert (written.year, written.month) == (day.year, None)
    assume(day.day > 12)
    assert read_date(f"{day:%d/%m}", 0, 5).day == day.day


def test_only_digits_and_months_change():
    text = "Admise le 3 avril 2019 ; contrôle le 12/04/2019 à 10h30 (J+9)."
    after = moved(text, -364)
    assert re.sub(r"[0-9]|avril", "", text) == re.sub(r"[0-9]|avril", "", after)
