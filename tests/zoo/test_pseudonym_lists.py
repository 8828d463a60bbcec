"""The surrogates of `carabin pseudonymise` and the names of the synthetic reports come from two lists, on purpose."""

from carabin.pseudonyms.lexicon import load_lexicon
from zoo.synthesis.knowledge import load_knowledge


def _made(parts):
    return {first + last for first in parts[0] for last in parts[1]}


def test_no_surrogate_is_a_name_that_a_student_learnt_by_heart():
    """A student met again with its training names would find them all, and a leak report over them would flatter it."""
    lexicon, names = load_lexicon(), load_knowledge().names
    assert not _made(lexicon.surname_parts) & {*names["surnames"], *names["held_surnames"]}
    assert not _made(lexicon.town_parts) & {*names["towns"], *names["held_towns"]}
    assert not set(lexicon.streets) & set(names["streets"])
    hospitals = " ".join([*names["hospitals"], *names["held_hospitals"]])
    assert not [saint for saint in lexicon.saints if saint in hospitals]
