"""What a tokenizer.json may not ask for. Each of these hung or killed a process when it was tried."""

import json

import pytest
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors

from carabin.errors import ModelError
from carabin.trust.tokenizer_safety import KNOWN_EXPRESSIONS, check_tokenizer
from tests.carabin.tiny_model import make_tokenizer


def replace(pattern, content=""):
    return {"type": "Replace", "pattern": pattern, "content": content}


def in_sequence(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


SPECIAL = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}

ATTACKS = {
    "backtracking": ({"normalizer": replace({"Regex": "(a+)+$"})}, "not known to end"),
    "backtracking inside": (
        {"normalizer": in_sequence({"type": "NFC"}, in_sequence(replace({"Regex": r"(\w*)*\1b"})))},
        "not known to end",
    ),
    "split": (
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|aa)+$"}, "behavior": "Isolated", "invert": False}},
        "not known to end",
    ),
    "doubling": ({"normalizer": in_sequence(*[replace({"String": "a"}, "aa")] * 26)}, "longer than what it stands for"),
    "blow-up": ({"normalizer": replace({"String": "e"}, "x" * 100_000)}, "100,000 characters"),
    "prefix": ({"normalizer": {"type": "Prepend", "prepend": "a" * 10_000_000}}, "more than one character"),
    "many steps": ({"normalizer": in_sequence(*[{"type": "NFC"}] * 100)}, "has 101 steps"),
    "frame": ({"post_processor": {"type": "TemplateProcessing", "single": [SPECIAL] * 5_000}}, "steps"),
    "no cut": ({"pre_tokenizer": {"type": "FixedLength", "length": 0}}, "no length"),
    "quadratic words": ({"model": {"type": "WordPiece", "max_input_chars_per_word": 10**9}}, "quadratic"),
    "words of text": ({"model": {"type": "WordPiece", "max_input_chars_per_word": "9"}}, "quadratic"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_work_without_bound_is_refused(name, tmp_path):
    changes, cause = ATTACKS[name]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(make_tokenizer().to_str()), **changes}))
    with pytest.raises(ModelError, match=cause) as caught:
        check_tokenizer(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def pieces(expression):
    from tokenizers import Regex

    return pre_tokenizers.Split(Regex(expression), "isolated")


@pytest.mark.parametrize("expression", sorted(KNOWN_EXPRESSIONS))
def test_the_known_expressions_end_on_the_texts_that_make_others_backtrack(expression):
    tokenizer = make_tokenizer()
    tokenizer.pre_tokenizer = pieces(expression)
    for text in (
        "a" * 20_000 + "!",
        " " * 20_000 + "x",
        "'s" * 5_000,
        "1" * 20_000,
        "\r\n " * 5_000,
        "é\u0301" * 5_000,
    ):
        tokenizer.encode(text)


def test_the_tokenizers_that_students_have_pass(tmp_path):
    bert = make_tokenizer()
    roberta = make_tokenizer()
    roberta.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    roberta.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    camembert = make_tokenizer()
    camembert.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", "▁")])
    camembert.pre_tokenizer = pre_tokenizers.Metaspace()
    gpt = make_tokenizer()
    gpt.pre_tokenizer = pre_tokenizers.Sequence([pieces(sorted(KNOWN_EXPRESSIONS)[-1]), pre_tokenizers.Digits()])
    for number, tokenizer in enumerate((bert, roberta, camembert, gpt)):
        path = tmp_path / f"{number}.json"
        tokenizer.save(str(path))
        check_tokenizer(path)
        assert Tokenizer.from_file(str(path)).encode("fièvre").ids
