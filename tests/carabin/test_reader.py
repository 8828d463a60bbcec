import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from carabin import DocumentError
from carabin.tokens.reader import BATCH, PIECE, TextReader, pieces, runs
from tests.carabin.test_words_and_windows import TEXTS
from tests.carabin.tiny_model import SENTENCES, make_tokenizer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=["<pad>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def byte_level(trim_offsets):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, trim_offsets=trim_offsets)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def accentless():
    tokenizer = make_tokenizer()
    steps = [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer


def compatibility():
    tokenizer = unigram()
    tokenizer.normalizer = normalizers.NFKC()
    return tokenizer


def without_unknown():
    """A tokenizer that makes no token at all of characters it never saw."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(["fièvre " * 5], trainers.BpeTrainer(special_tokens=["<s>"], show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer


TOKENIZERS = {
    "wordpiece": make_tokenizer(),
    "unigram": unigram(),
    "bytes": byte_level(False),
    "bytes trimmed": byte_level(True),
    "accentless": accentless(),
    "nfkc": compatibility(),
    "no unknown": without_unknown(),
}
READERS = {name: TextReader(tokenizer, 12) for name, tokenizer in TOKENIZERS.items()}


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60)
@given(text=TEXTS)
def test_every_word_with_a_token_is_read_once_at_a_token_that_covers_it(name, text):
    reader = READERS[name]
    (read,) = reader.read([text])
    encoding = reader.tokenizer.encode(text, add_special_tokens=False)
    answered = np.concatenate([window.words for window in read.windows] or [np.zeros(0, dtype=np.int64)])
    starts = {position for start, end in encoding.offsets for position in range(start, end)}
    assert sorted(answered.tolist()) == [n for n, (start, _) in enumerate(read.words.tolist()) if start in starts]
    for window, ids in zip(read.windows, read.ids, strict=True):
        assert len(ids) <= 12
        for word, position in zip(window.words.tolist(), window.positions.tolist(), strict=True):
            start, end = encoding.offsets[window.first + position]
            assert start <= read.words[word, 0] < end
            assert ids[len(reader.prefix) + position] == encoding.ids[window.first + position]


@pytest.mark.parametrize("name", ["wordpiece", "accentless", "no unknown"])
def test_special_tokens_frame_each_window(name):
    reader = READERS[name]
    assert len(reader.prefix) == 1
    assert len(reader.suffix) == (0 if name == "no unknown" else 1)
    assert reader.capacity == 12 - len(reader.prefix) - len(reader.suffix)


def test_offsets_count_code_points_not_bytes_nor_utf16_units():
    text = "😀 𝒳 e\u0301té fièvre"
    (read,) = READERS["wordpiece"].read([text])
    assert read.words[-1].tolist() == [9, 15]
    assert READERS["wordpiece"].tokenizer.encode(text, add_special_tokens=False).offsets[-1] == (9, 15)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_text_read_in_pieces_gives_the_tokens_of_the_whole(name, monkeypatch):
    # Long notes are tokenised in pieces: a seam in the wrong place would change tokens, and answers.
    rest = "Né(e) le 03/04/1951 à 10h30 ; e\u0301té 😀 d'œdème."
    text = "\r\n".join(f"{sentence}  {rest}" for sentence in SENTENCES * 20)
    reader = READERS[name]
    (whole,) = reader.read([text])
    monkeypatch.setattr("carabin.tokens.reader.PIECE", 64)
    assert len(list(pieces(text, 64))) > 40
    monkeypatch.setattr("carabin.tokens.reader.pieces", lambda text: pieces(text, 64))
    (cut,) = reader.read([text])
    assert [window.first for window in cut.windows] == [window.first for window in whole.windows]
    assert np.array_equal(np.concatenate(cut.ids), np.concatenate(whole.ids))
    assert all(np.array_equal(a.words, b.words) for a, b in zip(cut.windows, whole.windows, strict=True))


@given(st.text("ab \n.", max_size=400), st.integers(1, 40))
def test_pieces_cover_a_text_without_spaces_too(text, size):
    spans = list(pieces(text, size))
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(end - start <= 2 * size for start, end in spans)


def test_a_special_token_typed_in_a_note_is_text():
    # "[SEP]" in a note must not end the text for the model, nor "[PAD]" hide a word from it.
    reader = READERS["wordpiece"]
    (read,) = reader.read(["fièvre [SEP] aiguë [PAD]"])
    inner = read.ids[0][1:-1].tolist()
    assert not {reader.tokenizer.token_to_id("[SEP]"), reader.tokenizer.token_to_id("[PAD]")} & set(inner)


@pytest.mark.parametrize("text", ["", "   ", "\r\n\t", "\u00a0"])
def test_a_blank_text_has_no_word(text):
    (read,) = READERS["wordpiece"].read([text])
    assert len(read.words) == 0
    assert read.windows == []


def test_a_lone_surrogate_is_named_not_thrown_by_the_tokenizer():
    with pytest.raises(DocumentError, match="text 1: lone surrogate at code point 1"):
        READERS["wordpiece"].read(["a", "b\ud800"])


@pytest.mark.parametrize(("window", "overlap"), [(2, None), (1, None), (10, 8), (10, -1)])
def test_a_window_without_room_is_refused(window, overlap):
    with pytest.raises(ValueError, match="special"):
        TextReader(make_tokenizer(), window, overlap)


@given(st.lists(st.integers(0, 90_000), max_size=30))
def test_texts_are_tokenised_in_runs_of_bounded_size(lengths):
    # The tokenizer's records of a run lie in memory together.
    spans = list(runs(lengths, BATCH))
    assert [number for first, last in spans for number in range(first, last)] == list(range(len(lengths)))
    for first, last in spans:
        assert last - first == 1 or (sum(lengths[first:last]) <= BATCH and max(lengths[first:last]) <= PIECE)
