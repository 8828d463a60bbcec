"""An encoder of the zoo's own: what it reads, what it must not, and that a kill or a budget changes nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from carabin.documents import Document
from tests.training.tiny_zoo import make_zoo
from training.batches import Visit
from training.encoders import new_tagger
from training.flops import training_flops
from training.masked_language import MaskedBatcher
from training.open_text import OpenText, split_sentences
from training.optimise import make_optimizers
from training.packing import pack_rows
from training.pretraining import make_encoder
from training.tokenizer import SPECIAL_TOKENS, train_tokenizer
from training.word_vectors import count_neighbours, positive_pmi, token_vectors
from zoo.registry.encoders import WordVectors
from zoo.registry.recipes import Training
from zoo.runs import RunError, hash_file, read_json

PRETRAIN = """
import sys
from pathlib import Path
from zoo.registry import Registry
import training.optimise as optimise
from training.pretraining import make_encoder
optimise.CHECKPOINT_SECONDS = 0.0
root = Path(sys.argv[1])
print(make_encoder(Registry(root), Registry(root).encoder("encoder-test"), root / "runs"))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("zoo")
    registry = make_zoo(root)
    return registry, make_encoder(registry, registry.encoder("encoder-test"), root / "runs")


def documents(*texts):
    return [Document(str(number), text) for number, text in enumerate(texts)]


def test_a_sentence_that_says_nothing_new_is_left_out():
    leaflets = [f"{name} est un médicament indiqué dans le traitement de la douleur aiguë." for name in ("A", "B", "C")]
    text = OpenText()
    kept = list(text.read(documents(*leaflets, "Fièvre.", "Une phrase toute différente, sur les fractures.")))
    assert kept == [[leaflets[0]], ["Fièvre."], ["Une phrase toute différente, sur les fractures."]]
    assert text.counts["words"] == text.counts["kept"] + text.counts["repeated"]
    assert text.counts["repeated"] == 2 * len(leaflets[0].rstrip(".").split())


def test_a_sentence_of_a_held_out_text_is_left_out_whatever_its_case_and_numbers():
    held_out = "Le patient de 67 ans est admis pour une douleur thoracique évoluant depuis deux heures"
    near = "LE PATIENT DE 43 ANS EST ADMIS POUR UNE DOULEUR thoracique, sans fièvre"
    far = "Le patient de 43 ans est admis pour un bilan d'asthme"
    text = OpenText([held_out])
    assert list(text.read(documents(near, far))) == [[far]]
    assert text.counts["held_out"] == 12


def test_sentences_lose_no_letter():
    text = "Le 3.5 mg : oui ; non ? Fin.\nSuite"
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


def test_rows_are_the_text_framed(tmp_path):
    sentences = [["Douleur thoracique.", "Fièvre aiguë."], ["Toux sèche depuis deux jours."]] * 30
    tokenizer = train_tokenizer([one for document in sentences for one in document], 300)
    rows = pack_rows(sentences, tokenizer, 32, tmp_path)
    stream = [
        i for document in sentences for e in tokenizer.encode_batch(document, add_special_tokens=False) for i in e.ids
    ]
    assert rows.shape == (len(stream) // 30, 32)
    assert rows[:, 1:-1].ravel().tolist() == stream[: len(rows) * 30]
    assert {SPECIAL_TOKENS[i] for i in rows[:, 0]} == {"[CLS]"}
    assert {SPECIAL_TOKENS[i] for i in rows[:, -1]} == {"[SEP]"}


def test_no_text_is_no_row(tmp_path):
    assert pack_rows([], train_tokenizer(["a b c"] * 9, 300), 32, tmp_path).shape == (0, 32)


def test_masks_spare_the_frame_and_are_the_same_twice():
    tokenizer = train_tokenizer(["douleur thoracique aiguë"] * 9, 300)
    rows = np.random.default_rng(0).integers(len(SPECIAL_TOKENS), tokenizer.get_vocab_size(), (40, 64)).astype(np.int32)
    rows[:, 0], rows[:, -1] = 2, 3
    batcher = MaskedBatcher(rows, tokenizer, 0.3, seed=1)
    visits = [Visit(0, passage) for passage in range(40)]
    batch, again = batcher(visits), batcher(visits)
    guessed = batch["labels"] != -100
    assert not guessed[:, [0, -1]].any()
    assert 0.25 < guessed[:, 1:-1].float().mean() < 0.35
    assert (batch["labels"][guessed] == torch.from_numpy(rows)[guessed]).all()
    assert (batch["input_ids"][~guessed] == torch.from_numpy(rows)[~guessed]).all()
    masked = (batch["input_ids"] == SPECIAL_TOKENS.index("[MASK]")) & guessed
    assert 0.75 < masked.sum() / guessed.sum() < 0.85
    assert all((batch[name] == again[name]).all() for name in batch)
    assert (batcher([Visit(1, passage) for passage in range(40)])["labels"] != batch["labels"]).any()


def test_neighbours_are_counted_both_ways_the_nearest_most():
    counts = count_neighbours(np.array([[0, 1, 2], [0, 1, 0]], dtype=np.int32), 4, window=2).toarray()
    # Distance 1 weighs 1, distance 2 weighs 1/2; the pair (0, 0) of the second row is met from both ends.
    expected = [[1.0, 3.0, 0.5, 0.0], [3.0, 0.0, 1.0, 0.0], [0.5, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    assert counts.tolist() == expected


def test_information_is_the_formula_by_hand():
    counts = count_neighbours(np.array([[0, 1, 2, 1]], dtype=np.int32), 3, window=1)
    found = positive_pmi(counts, smoothing=1.0).toarray()
    # Pairs: (0,1) once and (1,2) twice, each both ways: counts 0: 1, 1: 3, 2: 2, six in all.
    assert found[0, 1] == pytest.approx(np.log(1 * 6 / (1 * 3)), abs=1e-6)
    assert found[1, 2] == pytest.approx(np.log(2 * 6 / (3 * 2)), abs=1e-6)
    assert found[0, 2] == found[1, 1] == 0.0


def test_tokens_of_like_company_get_like_vectors():
    rng = np.random.default_rng(0)
    # 5 and 6 stand among 10..19, 7 and 8 among 20..29; no two of them ever stand in one row.
    rows = np.array([[centre, *rng.integers(low, low + 10, 7)] for _ in range(400)
                     for centre, low in ((5, 10), (6, 10), (7, 20), (8, 20))], dtype=np.int32)  # fmt: skip
    recipe = WordVectors(window=4, scale=0.05)
    vectors = token_vectors(rows, 40, 16, recipe, seed=1)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert min(unit[5] @ unit[6], unit[7] @ unit[8]) > 0.7
    assert max(unit[5] @ unit[7], unit[6] @ unit[8]) < 0.3
    assert vectors[5:9].std() == pytest.approx(0.05, rel=0.5)
    assert np.isfinite(vectors).all() and vectors[35].any(), "a token that was never met still needs a vector"
    assert (vectors == token_vectors(rows, 40, 16, recipe, seed=1)).all()


def test_flops_are_six_for_each_weight_of_the_layers():
    config = BertConfig(
        hidden_size=256, num_hidden_layers=3, intermediate_size=1024, num_attention_heads=4, vocab_size=900
    )
    model = BertForMaskedLM(config)
    matrices = sum(p.numel() for n, p in model.named_parameters() if "encoder.layer" in n and p.ndim == 2)
    # Without attention's own products and the head, what is left is 6 N (Kaplan et al., 2020).
    assert training_flops(config, length=0, guessed=0.0) == 6 * matrices
    assert training_flops(config, length=128, guessed=0.2) > 6 * matrices


def test_muon_takes_the_layers_matrices_and_adamw_all_the_rest():
    config = BertConfig(hidden_size=32, num_hidden_layers=2, intermediate_size=64, num_attention_heads=2, vocab_size=90)
    model = new_tagger(config, ("O", "B-x", "I-x"), seed=1)
    adamw, muon = make_optimizers(model, Training(tokens=9, learning_rate=1e-3, optimizer="muon"))
    turned = {id(weight) for group in muon.param_groups for weight in group["params"]}
    names = {name for name, weight in model.named_parameters() if id(weight) in turned}
    assert len(names) == 2 * 6 and all(".encoder.layer." in name for name in names)
    rest = {id(weight) for group in adamw.param_groups for weight in group["params"]}
    assert rest | turned == {id(weight) for weight in model.parameters()} and not rest & turned
    with pytest.raises(RunError, match="muon"):
        make_optimizers(torch.nn.Linear(4, 4), Training(tokens=9, learning_rate=1e-3, optimizer="muon"))


def test_an_encoder_loads_and_says_what_it_read(made):
    _, folder = made
    model, tokenizer = BertForMaskedLM.from_pretrained(folder), PreTrainedTokenizerFast.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer)
    record = read_json(folder / "run.json")
    assert record["text_words"]["kept"] > 1000
    # The test reports share whole sentences ("Examen clinique sans particularité…") with the transfer reports.
    assert record["text_words"]["held_out"] > 0
    assert record["tokens_read"] == 384 * record["steps"] >= 3000
    assert 0 < record["model_flop_utilisation"] < 2
    assert not (folder / "rows.npy").exists() and not (folder / "training").exists()


def test_masking_moves_every_weight_and_the_vectors_are_not_noise(made):
    registry, folder = made
    declared = registry.encoder("encoder-test")
    still = make_encoder(registry, replace(declared, masking=None), registry.root / "runs")
    before, after = load_file(still / "model.safetensors"), load_file(folder / "model.safetensors")
    assert (folder / "tokenizer.json").read_text() == (still / "tokenizer.json").read_text()
    moved = {name for name in before if (before[name] != after[name]).any()}
    assert {name for name in before if "encoder.layer" in name and name.endswith("weight")} <= moved
    random = make_encoder(registry, replace(declared, word_vectors=None), registry.root / "runs")
    name = "bert.embeddings.word_embeddings.weight"
    assert (before[name] != load_file(random / "model.safetensors")[name]).mean() > 0.9


def test_minutes_are_another_encoder_and_the_same_when_asked_again(made):
    registry, folder = made
    declared = registry.encoder("encoder-test")
    timed = make_encoder(registry, declared, registry.root / "runs", minutes=0.02)
    assert timed != folder
    digest = hash_file(timed / "model.safetensors")
    assert make_encoder(registry, declared, registry.root / "runs", minutes=0.02) == timed
    assert hash_file(timed / "model.safetensors") == digest


@pytest.mark.slow
def test_killed_anywhere_it_ends_with_the_same_weights(made, tmp_path):
    _, folder = made
    make_zoo(tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    delay, kills = 6.0, 0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", PRETRAIN, str(tmp_path)], env=environment)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            delay, kills = delay * 1.5, kills + 1  # a busy machine needs longer to begin
            time.sleep(0.1)
            continue
        assert process.returncode == 0
        break
    (resumed,) = (tmp_path / "runs" / "encoders" / "encoder-test").iterdir()
    assert kills > 0 and resumed.name == folder.name
    assert hash_file(resumed / "model.safetensors") == hash_file(folder / "model.safetensors")
