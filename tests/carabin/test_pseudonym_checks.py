"""A check that accepts too much replaces laboratory values; one that accepts too little leaks a number."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.pseudonyms.checks import is_nir, luhn_digit, luhn_holds, national_number, nir_key

DIGITS = st.text("0123456789", min_size=1, max_size=20)
BODIES = st.from_regex(r"[12][0-9]{2}(0[1-9]|1[0-2])([0-9]{2}|2A|2B)[0-9]{6}", fullmatch=True)


def test_the_published_example_of_a_nir():
    assert nir_key("2550814168025") == 38
    assert is_nir("255081416802538")


@pytest.mark.parametrize(("department", "number"), [("2A", 19), ("2B", 18)])
def test_corsica_counts_as_insee_says(department, number):
    """A, B as digits of another base would give another key, and no Corsican would be found."""
    body = f"18412{department}004012"
    assert nir_key(body) == 97 - int(body.replace(department, str(number))) % 97
    assert is_nir(f"{body}{nir_key(body):02d}")
    assert nir_key(body.lower()) == nir_key(body)


def test_a_month_that_never_was_makes_no_nir():
    assert nir_key("2551314168025") is None
    assert nir_key("2552014168025") is not None
    assert nir_key("25508") is None
    assert not is_nir("")


@given(BODIES, st.data())
def test_one_wrong_digit_is_always_seen(body, data):
    number = f"{body}{nir_key(body):02d}"
    assert is_nir(number)
    place = data.draw(st.sampled_from([n for n, character in enumerate(number) if character.isdigit()]))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
    assert not is_nir(number[:place] + other + number[place + 1 :])


@given(DIGITS, st.data())
def test_luhn_sees_one_wrong_digit(digits, data):
    number = digits + luhn_digit(digits)
    assert luhn_holds(number)
    place = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
    assert not luhn_holds(number[:place] + other + number[place + 1 :])


def test_luhn_of_a_published_number():
    assert luhn_holds("79927398713")
    assert not luhn_holds("79927398710")


@pytest.mark.parametrize(
    "written",
    ["0472112233", "04 72 11 22 33", "04.72.11.22.33", "+33 4 72 11 22 33", "+33 (0)4 72 11 22 33", "0033472112233",
     "(33) 4-72-11-22-33", "(+33) 04 72 11 22 33"],
)  # fmt: skip
def test_a_number_is_the_same_however_written(written):
    assert national_number(written) == "0472112233"


@pytest.mark.parametrize("written", ["", "15", "0072112233", "04721122334", "3372112233", "+32 4 72 11 22 33"])
def test_what_is_no_french_number(written):
    assert national_number(written) is None


@given(st.text())
def test_no_text_breaks_a_check(text):
    assert national_number(text) is None or re.fullmatch("0[1-9][0-9]{8}", national_number(text))
    assert is_nir(text) in (True, False)
