"""The oracle of quoting: what students are taught to choose, and the bound that no choice passes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from carabin.documents import Document
from carabin.generation.quoted_conclusion import MOST_QUOTES, find_quotable, join_quotes
from zoo.conclusions import split_conclusion
from zoo.oracle_quotes import _Expected, _Words, choose_quotes, read_quotes
from zoo.synthesis import generate_reports

TEXT = (
    "Motif :\nDouleur thoracique.\n\nÉvolution :\nAngioplastie de l'interventriculaire antérieure. Suites simples.\n"
    "Sortie à J4 sous aspirine 75 mg.\nPas de fièvre.\n"
)
WORDS = st.lists(st.sampled_from("abcdef"), max_size=30)


@given(st.lists(WORDS, max_size=4), WORDS)
def test_the_overlap_is_rouge_l(units, expected):
    """Counted bit by bit, a carry that is lost would rank the wrong sentence first."""
    written = " ".join(word for words in units for word in words)
    score = RougeScorer(["rougeL"]).score(" ".join(expected), written)["rougeL"].fmeasure
    gold, quoted = _Words.of_text(" ".join(expected)), [_Words.of_text(" ".join(words)) for words in units]
    assert abs(_Expected(gold).rouge_l(quoted) - score) < 1e-9


def surfaces(quotes):
    return [TEXT[start:end] for start, end in quotes]


def test_the_nearest_sentences_are_chosen_in_the_reports_order():
    chosen = choose_quotes(
        TEXT, "Sortie sous aspirine 75 mg à J4. Angioplastie de l'interventriculaire, suites simples."
    )
    assert surfaces(chosen) == [
        "Angioplastie de l'interventriculaire antérieure.", "Suites simples.", "Sortie à J4 sous aspirine 75 mg.",
    ]  # fmt: skip
    assert choose_quotes(TEXT, "Grossesse gémellaire.") == choose_quotes(TEXT, "") == choose_quotes("", "Fièvre.") == ()


def test_accents_and_case_do_not_count():
    assert surfaces(choose_quotes(TEXT, "PAS DE FIEVRE")) == ["Pas de fièvre."]


def test_what_was_quoted_is_found_again_and_other_words_are_brought_near():
    every = tuple(find_quotable(TEXT))
    for quotes in (every[:1], every[1:4], every[::2]):
        assert read_quotes(TEXT, join_quotes(TEXT, quotes)) == quotes
    assert surfaces(read_quotes(TEXT, "Sorti au quatrième jour sous aspirine 75 mg.")) == [
        "Sortie à J4 sous aspirine 75 mg."
    ]


def test_synthetic_conclusions_can_be_quoted_and_never_by_their_headings():
    reports = [Document.from_dict(record, "synthetic") for record in generate_reports("train", 40, 2)]
    bodies = [body for report in reports if (body := split_conclusion(report))]
    chosen = [choose_quotes(body.text, body.conclusion) for body in bodies]
    assert all(len(quotes) <= MOST_QUOTES for quotes in chosen)
    assert sum(map(bool, chosen)) > 0.9 * len(bodies)
    for body, quotes in zip(bodies, chosen, strict=True):
        assert set(quotes) <= set(find_quotable(body.text))
        assert body.conclusion not in join_quotes(body.text, quotes)
