"""A tiny T5 as the training stage writes one, that knows a few conclusions by heart, and its export.

Random weights write one token over and over: what a comparison of texts is worth shows on weights that were trained.
Use it from any test module with

    pytest_plugins = ["tests.export.t5_checkpoint_fixture"]
"""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from carabin.documents import Document
from carabin.generation.tasks import CONCLUSION, MARKS
from export.export_environment import run_export
from export.publishable import write_publishable
from tests.export.checkpoint_fixture import export_python

PAIRS = (
    ("Motif : fièvre à 39 °C, œdème aigu du poumon. Examen : saturation à 88 %. Traitement : furosémide 40 mg.",
     "Œdème aigu du poumon, d'évolution favorable sous furosémide 40 mg."),
    ("Motif : douleur thoracique depuis 2 h. ECG sans sus-décalage. Embolie pulmonaire au scanner. Apixaban 5 mg.",
     "Embolie pulmonaire traitée par apixaban 5 mg matin et soir."),
    ("Motif : dyspnée fébrile. Pneumopathie du lobe inférieur droit à la radiographie. Amoxicilline 1 g x 3/j, 7 j.",
     "Pneumopathie franche, amoxicilline 1 g trois fois par jour pendant 7 jours."),
    ("Motif : chute sans perte de connaissance. Fracture du col du fémur gauche. Opérée à J1, revue à J2.",
     "Fracture du col fémoral gauche opérée, appui autorisé à J2."),
)  # fmt: skip
"""Body of a report, and its conclusion, whose numbers are the body's: no others are written."""
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(32))
WORDS = {
    "stems": {"qru": {"dose": ["Quelle est la dose de {} ?"]}, "qroc": {"dose": ["Donnez la dose de {}."]}},
    "terms": {"dose": ["5 mg", "10 mg", "20 mg", "40 mg", "1 g"]},
}
WINDOW, LONGEST = 256, 64
STEPS = 250


def dev_documents() -> list[Document]:
    """Return the reports, each with the place of its conclusion, as the synthetic ones carry it."""
    documents = []
    for number, (body, conclusion) in enumerate(PAIRS):
        text = f"{body}\n\nConclusion\n{conclusion}\n"
        start = text.index(conclusion)
        place = {"start": start, "end": start + len(conclusion)}
        documents.append(Document(f"report-{number}", text, attributes={"kind": "CRH", "conclusion": place}))
    return documents


def make_tokenizer() -> Tokenizer:
    """Return a byte-level BPE tokenizer: lossless, digits apart, marks as plain added tokens, sentinels last."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator([text for pair in PAIRS for text in pair], trainer)
    tokenizer.add_tokens([AddedToken(mark, normalized=False, special=False) for mark in MARKS])
    tokenizer.add_special_tokens(list(SENTINELS))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def learn_by_heart(model: T5ForConditionalGeneration, tokenizer: Tokenizer) -> None:
    """Teach the pairs, on one thread: matrices this small lose more by sharing than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    tokenizer.enable_padding(pad_id=0, pad_token="<pad>")  # noqa: S106 - the name of a token
    sources = tokenizer.encode_batch([CONCLUSION + body for body, _ in PAIRS])
    targets = torch.tensor([one.ids for one in tokenizer.encode_batch([conclusion for _, conclusion in PAIRS])])
    tokenizer.no_padding()
    batch = {
        "input_ids": torch.tensor([one.ids for one in sources]),
        "attention_mask": torch.tensor([one.attention_mask for one in sources]),
        "labels": targets.masked_fill(targets == 0, -100),
    }
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    model.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    torch.set_num_threads(threads)
    model.eval()


def write_t5_checkpoint(folder: Path) -> Path:
    """Write the checkpoint: config.json, generation_config.json, model.safetensors, tokenizer files, exercises.json."""
    tokenizer = make_tokenizer()
    special = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    config = T5Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_decoder_layers=2,
        num_heads=2, dropout_rate=0.0, feed_forward_proj="relu", tie_word_embeddings=True, max_written=LONGEST,
        passage_characters=300, exercise_characters=1200, entity_labels=["CHEM", "DISO"], **special,
    )  # fmt: skip
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(**special, max_new_tokens=LONGEST)
    learn_by_heart(model, tokenizer)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=WINDOW, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"  # noqa: S106
    ).save_pretrained(folder)  # fmt: skip
    (folder / "exercises.json").write_text(json.dumps(WORDS, ensure_ascii=False), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def t5_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that transformers 5 wrote. Read only."""
    return write_t5_checkpoint(tmp_path_factory.mktemp("t5_checkpoint") / "student")


@pytest.fixture(scope="session")
def t5_exported(t5_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint's publishable files and the four fp32 ONNX files. Read only."""
    folder = tmp_path_factory.mktemp("t5_exported") / "t5-tiny"
    write_publishable(t5_checkpoint, folder, "t5-tiny")
    run_export(export_python(), folder)
    return folder
