"""A byte-level BPE tokenizer for students that write: whatever it reads it can write again, to the character."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from carabin.generation.tasks import MARKS
from zoo.registry.encoders import SENTINELS as SENTINEL_COUNT
from zoo.runs import RunError

FRAME = ("<pad>", "</s>", "<unk>")
"""Ids 0, 1 and 2, where T5 has them. A text begins from the first and ends with the second."""
END = FRAME.index("</s>")
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(SENTINEL_COUNT))
"""Stand for the spans that span corruption takes out (Raffel et al., 2020)."""


def train_writing_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Return a byte-level BPE tokenizer (Sennrich et al., 2016; Radford et al., 2019) that ends a source with `</s>`.

    Digits are tokens of their own: a dose that no text has shown is copied as easily as one that a thousand have.
    The marks of exercises (`carabin.generation.tasks`) are tokens too, plain ones: decoding keeps them.

    Args:
        texts: What the student will read and write.
        vocabulary: Number of entries, marks and sentinels included.

    Raises:
        RunError: the vocabulary has no room for the 256 bytes, marks and sentinels.
    """
    learned = vocabulary - len(MARKS) - len(SENTINELS)
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    if learned <= len(bytes_) + len(FRAME):
        least = len(bytes_) + len(FRAME) + len(MARKS) + len(SENTINELS)
        raise RunError(f"a writing tokenizer of {vocabulary} entries has no room for words; give it more than {least}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=learned, special_tokens=list(FRAME), initial_alphabet=bytes_, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    tokenizer.add_special_tokens(list(SENTINELS))
    end = FRAME[1]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, tokenizer.token_to_id(end))]
    )
    return tokenizer


def wrap_writing_tokenizer(tokenizer: Tokenizer, max_tokens: int) -> PreTrainedTokenizerFast:
    """Return the tokenizer as transformers saves it; `model_max_length` is the longest source it reads at once."""
    pad, end, unknown = FRAME
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_tokens,
        pad_token=pad,
        eos_token=end,
        unk_token=unknown,
        clean_up_tokenization_spaces=False,
    )
