"""transformers and datasets, unchanged, against the loopback Hub."""

from tests.hub.loopback import LoopbackHub

pytest_plugins = ["tests.hub.fixtures"]


def test_transformers_push_and_load(hub: LoopbackHub) -> None:
    """A model and its tokenizer go to the Hub and come back with the same weights and the same ids."""
    seen = hub.run_python(
        """
        import torch
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import (
            AutoModelForTokenClassification, AutoTokenizer, BertConfig, BertForTokenClassification,
            PreTrainedTokenizerFast,
        )
        words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "fièvre", "toux", "et"])}
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
        config = BertConfig(
            vocab_size=5, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, num_labels=3
        )
        torch.manual_seed(0)
        model = BertForTokenClassification(config).eval()
        model.push_to_hub("hospital/tiny-bert")
        tokenizer.push_to_hub("hospital/tiny-bert")
        loaded = AutoModelForTokenClassification.from_pretrained("hospital/tiny-bert").eval()
        ids = AutoTokenizer.from_pretrained("hospital/tiny-bert")("fièvre et toux", return_tensors="pt")
        same = all(torch.equal(a, b) for a, b in zip(model.parameters(), loaded.parameters(), strict=True))
        answer({"ids": ids["input_ids"].tolist(), "same": same, "shape": list(loaded(**ids).logits.shape)})
        """
    )
    assert seen == {"ids": [[2, 4, 3]], "same": True, "shape": [1, 3, 3]}


def test_datasets_load(hub: LoopbackHub) -> None:
    """Parquet and JSON lines, named by the card, load at a pinned revision: not the newer one, and accents included."""
    seen = hub.run_python(
        """
        import io
        import pyarrow
        import pyarrow.parquet
        from datasets import load_dataset
        from huggingface_hub import CommitOperationAdd, HfApi

        def push(repo, name, content):
            card = f"---\\nlicense: cc-by-4.0\\nconfigs:\\n- config_name: default\\n  data_files: {name}\\n---\\n"
            files = [CommitOperationAdd("README.md", card.encode()), CommitOperationAdd(name, content)]
            return HfApi().create_commit(repo, files, commit_message="m", repo_type="dataset").oid

        for repo in ("hospital/parquet", "hospital/lines"):
            HfApi().create_repo(repo, repo_type="dataset")
        table = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table({"id": ["a", "b"], "text": ["fièvre", "œdème"]}), table)
        revisions = {
            "hospital/parquet": push("hospital/parquet", "data/train.parquet", table.getvalue()),
            "hospital/lines": push("hospital/lines", "data/train.jsonl", '{"text": "sédation"}\\n'.encode()),
        }
        push("hospital/lines", "data/train.jsonl", b'{"text": "newer"}\\n')
        answer({repo: list(load_dataset(repo, revision=oid)["train"]["text"]) for repo, oid in revisions.items()})
        """
    )
    assert seen == {"hospital/parquet": ["fièvre", "œdème"], "hospital/lines": ["sédation"]}
