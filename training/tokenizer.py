"""A WordPiece tokenizer of the zoo's own, trained on a recipe's texts; accents and case are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

ALPHABET = 400
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Return a WordPiece tokenizer (Schuster and Nakajima, 2012) framed as BERT frames a text.

    Digits are cut from letters as `carabin.tokens.words` cuts them, so that "10mg" and "10 mg" read alike. The frequent
    characters of the texts all enter the alphabet; one never seen becomes [UNK], and its word keeps its offsets.

    The same texts give the same tokenizer in every process. The trainer alone would not: it numbers the pieces "##x" in
    the order of a hash map, and breaks ties by these numbers.

    Args:
        texts: Read whole: the trainer needs them twice.
        vocabulary: Number of entries, special tokens included.
    """
    texts = list(texts)
    learner = _frame(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    alphabet = _alphabet(texts)
    # Named up front, the single characters get fixed numbers; as special tokens only while training.
    pieces = [*alphabet, *(f"##{character}" for character in alphabet)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=[*SPECIAL_TOKENS, *pieces],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
        continuing_subword_prefix="##",
    )
    learner.train_from_iterator(texts, trainer)
    learned = models.WordPiece(vocab=learner.get_vocab(), unk_token="[UNK]", max_input_chars_per_word=100)
    tokenizer = _frame(learned)
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    frame = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=frame)
    return tokenizer


def _frame(model: models.WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=False)]
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def _alphabet(texts: Iterable[str]) -> list[str]:
    """Return the characters to know: the most frequent `ALPHABET`, ties broken by code point, in code point order."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    visible = {one: count for one, count in counts.items() if one.isprintable() and one.strip()}
    return sorted(sorted(visible, key=lambda one: (-visible[one], one))[:ALPHABET])


def wrap_tokenizer(tokenizer: Tokenizer, max_tokens: int) -> PreTrainedTokenizerFast:
    """Return the tokenizer as transformers saves it; `model_max_length` is the window the runtime reads."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_tokens,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
