"""Publish tiny random encoders with fast tokenizers, as the Hub's French encoders are published.

    python -m tests.training.tiny_encoders --organisation hospital

prints the commit of each, as JSON. What differs between the families is what goes wrong silently: CamemBERT cuts words
with Metaspace and puts a blank before a text; RoBERTa's byte-level tokens trim their offsets, so a second blank is a
token of no characters; both number their positions from `pad_token_id + 1`, so that 66 positions read 64 tokens; none
says how long a text may be (`model_max_length` is 1e30).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from huggingface_hub import HfApi
from tokenizers import SentencePieceUnigramTokenizer, Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertTokenizer,
    CamembertConfig,
    CamembertForMaskedLM,
    CamembertTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaTokenizer,
)

from training.tokenizer import train_tokenizer
from zoo.synthesis import generate_reports

POSITIONS = 66
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def bert(texts: list[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Return a cased BERT, its tokenizer declared as the Hub's are: by what it does to case and accents."""
    trained = train_tokenizer(texts, 600)
    tokenizer = BertTokenizer(vocab=trained.get_vocab(), do_lower_case=False, strip_accents=False)
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, **SHAPE)
    return BertForMaskedLM(config), tokenizer


def roberta(texts: list[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Return a RoBERTa over byte-level pieces."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=700, special_tokens=SPECIALS, initial_alphabet=sorted(alphabet), show_progress=False
        ),
    )
    tokenizer = RobertaTokenizer(
        vocab=learner.get_vocab(),
        merges=[tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]],
        add_prefix_space=True,
    )
    config = RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, pad_token_id=1, type_vocab_size=1, **SHAPE
    )
    return RobertaForMaskedLM(config), tokenizer


def camembert(texts: list[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Return a CamemBERT over SentencePiece's unigrams, its weights in half precision as some of the Hub's are."""
    learner = SentencePieceUnigramTokenizer()
    learner.train_from_iterator(texts, vocab_size=500, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False)
    tokenizer = CamembertTokenizer(vocab=[tuple(pair) for pair in json.loads(learner.to_str())["model"]["vocab"]])
    config = CamembertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=POSITIONS,
        pad_token_id=tokenizer.pad_token_id,
        type_vocab_size=1,
        **SHAPE,
    )
    return CamembertForMaskedLM(config).to(torch.bfloat16), tokenizer


FAMILIES: dict[str, Callable[[list[str]], tuple[PreTrainedModel, PreTrainedTokenizerFast]]] = {
    "bert": bert,
    "roberta": roberta,
    "camembert": camembert,
}


def main(organisation: Annotated[str, typer.Option(help="On the Hub of HF_ENDPOINT.")]) -> None:
    """Make the encoders, publish them and print their commits."""
    texts = [str(report["text"]) for report in generate_reports("train", 12, 1, "umls")]
    commits = {}
    for family, make in FAMILIES.items():
        torch.manual_seed(0)
        for part in make(texts):
            part.push_to_hub(f"{organisation}/tiny-{family}")
        commits[family] = HfApi().model_info(f"{organisation}/tiny-{family}").sha
    typer.echo("commits:" + json.dumps(commits))


if __name__ == "__main__":
    typer.run(main)
