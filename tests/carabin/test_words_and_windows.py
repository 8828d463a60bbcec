import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.tokens.windows import cut_windows
from carabin.tokens.words import find_words, first_tokens

# Everything a note may hold: astral characters, marks that combine, right-to-left text, controls, line ends.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.text(
    st.sampled_from("aé1_ .\n\r\t\u0301\u0308😀𝒳مשﬁ½\u200d\ufe0f\x00['-"), max_size=80
)


@given(TEXTS)
def test_words_never_overlap_and_leave_no_visible_character_out(text):
    words = find_words(text)
    assert (words[:, 0] < words[:, 1]).all()
    assert (words[1:, 0] >= words[:-1, 1]).all()
    covered = {position for start, end in words.tolist() for position in range(start, end)}
    assert {i for i, character in enumerate(text) if not character.isspace()} <= covered
    assert all(not text[start:end].isspace() for start, end in words.tolist())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10mg", ["10", "mg"]),
        ("d'œdème", ["d", "'", "œdème"]),
        ("de\u0301ficit", ["de\u0301ficit"]),
        ("😀T°", ["😀", "T", "°"]),
        ("", []),
        (" \r\n", []),
    ],
)
def test_words_are_cut_where_clinical_text_glues_them(text, words):
    assert [text[start:end] for start, end in find_words(text).tolist()] == words


@st.composite
def tokenised(draw):
    """Words and tokens of one text: tokens sorted by start, some empty, some several to a character, some missing."""
    spans = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=40))
    words, tokens, position = [], [], 0
    for gap, length in spans:
        position += gap
        words.append((position, position + length))
        kind = draw(st.sampled_from(["whole", "split", "missing", "bytes", "empty first"]))
        if kind == "split" and length > 1:
            tokens += [(position, position + 1), (position + 1, position + length)]
        elif kind == "bytes":
            tokens += [(position, position + length)] * 3
        elif kind == "empty first":
            tokens += [(position, position), (position, position + length)]
        elif kind != "missing":
            tokens.append((position, position + length))
        position += length
    return tuple(np.asarray(pairs, dtype=np.int64).reshape(-1, 2) for pairs in (words, tokens))


def first_token_slowly(word, tokens):
    return next((n for n, (start, end) in enumerate(tokens.tolist()) if start <= word[0] < end), -1)


@given(tokenised())
def test_first_token_covers_the_first_character_of_its_word(pair):
    words, tokens = pair
    assert first_tokens(words, tokens).tolist() == [first_token_slowly(word, tokens) for word in words]


@given(tokenised(), st.integers(1, 12), st.data())
def test_each_word_is_answered_once_by_a_window_that_holds_it(pair, capacity, data):
    words, tokens = pair
    overlap = data.draw(st.integers(0, capacity - 1))
    firsts = first_tokens(words, tokens)
    windows = cut_windows(words, tokens, capacity, overlap)
    answered = [word for window in windows for word in window.words.tolist()]
    assert sorted(answered) == np.flatnonzero(firsts >= 0).tolist()
    for window in windows:
        assert window.last - window.first == min(capacity, len(tokens))
        assert (window.positions + window.first == firsts[window.words]).all()
        assert ((0 <= window.positions) & (window.positions < window.last - window.first)).all()


@given(st.integers(1, 200), st.integers(1, 20), st.data())
def test_a_word_is_read_where_it_has_most_context(n, capacity, data):
    # One token a word: the window chosen must be one in which the word stands farthest from an edge.
    overlap = data.draw(st.integers(0, capacity - 1))
    words = np.stack((np.arange(n) * 2, np.arange(n) * 2 + 1), axis=1)
    windows = cut_windows(words, words, capacity, overlap)
    for window in windows:
        for word in window.words.tolist():
            margins = [min(word - w.first, w.last - 1 - word) for w in windows if w.first <= word < w.last]
            mine = min(word - window.first, window.last - 1 - word)
            inner = [m for m in margins if m > mine]
            # Halves round one way, and the two ends of a text are no edges.
            assert not inner or max(inner) - mine <= 1 or window.first == 0 or window.last == n


def test_windows_of_a_long_text_take_linear_time():
    # 400,000 words in 2,000 windows: comparing every word with every window took minutes.
    words = np.stack((np.arange(400_000) * 2, np.arange(400_000) * 2 + 1), axis=1)
    windows = cut_windows(words, words, 256, 64)
    assert sum(len(window.words) for window in windows) == 400_000
