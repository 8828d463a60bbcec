"""What a decoder remembers must be what it would compute again: a cache mixed up writes fluent nonsense, silently."""

import json
from hashlib import sha256

import numpy as np
import onnx
import onnxruntime
import pytest

from carabin.errors import ModelError
from carabin.generation.decoding import Limits, generate
from carabin.generation.onnx_seq2seq import OnnxSeq2Seq, seq2seq_files
from carabin.trust.manifest import MANIFEST
from tests.carabin.tiny_seq2seq import make_files, write_onnx

VOCABULARY = 29
LENGTHS = np.array([9, 4, 1, 7, 9, 3])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("writing"), VOCABULARY)


@pytest.fixture(scope="module")
def engine(folder):
    return OnnxSeq2Seq(folder, threads=1)


@pytest.fixture(scope="module")
def batch():
    mask = (np.arange(LENGTHS.max()) < LENGTHS[:, None]).astype(np.int64)
    return np.random.default_rng(0).integers(3, VOCABULARY, mask.shape) * mask, mask


@pytest.fixture(scope="module")
def afresh(folder, batch):
    """Return what gives the logits after a text by reading its source, alone and unpadded, and all of it, anew."""
    sessions = [
        onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
        for name in seq2seq_files(quantized=False)[:2]
    ]

    def score(source, text):
        ids = batch[0][source : source + 1, : LENGTHS[source]]
        mask = np.ones_like(ids)
        (hidden,) = sessions[0].run(None, {"input_ids": ids, "attention_mask": mask})
        fed = {"input_ids": np.array([text]), "encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        return sessions[1].run(["logits"], fed)[0][0, -1]

    return score


def check(written, sources, texts, tokens, afresh):
    """Take a step and compare it; return the texts that are written then."""
    logits = written.step(np.array(tokens))
    texts = [[*text, *added] for text, added in zip(texts, tokens, strict=True)]
    assert logits.shape == (len(texts), VOCABULARY) and logits.dtype == np.float32
    for row, (source, text) in enumerate(zip(sources, texts, strict=True)):
        np.testing.assert_allclose(logits[row], afresh(source, text), atol=1e-4)
    return texts


def test_each_step_scores_as_if_all_were_read_anew(engine, batch, afresh):
    sources, random = [0, 2, 2, 5, 1], np.random.default_rng(1)
    written, texts = engine.read(*batch).write(np.array(sources)), [[] for _ in sources]
    # Three tokens at once, first as a prompt, later in the middle of a text.
    for count in (3, 1, 1, 3, 1):
        texts = check(written, sources, texts, random.integers(0, VOCABULARY, (5, count)).tolist(), afresh)


def test_rows_that_leave_branch_and_change_places_keep_their_own_past(engine, batch, afresh):
    random = np.random.default_rng(2)

    def tokens(rows):
        return random.integers(0, VOCABULARY, (rows, 1)).tolist()

    sources = [4, 0, 3, 0]
    written, texts = engine.read(*batch).write(np.array(sources)), [[]] * 4
    texts = check(written, sources, texts, tokens(4), afresh)
    # Same sources in another order of rows; fewer; more, of the same; none but one.
    for rows in ([0, 3, 2, 1], [3, 1], [1, 1, 0, 1], [2, 0, 3, 1], [2]):
        written, sources, texts = (
            written.keep(np.array(rows)),
            [sources[row] for row in rows],
            [texts[row] for row in rows],
        )
        texts = check(written, sources, texts, tokens(len(rows)), afresh)
        texts = check(written, sources, texts, tokens(len(rows)), afresh)


def test_rows_may_be_kept_before_the_first_step(engine, batch, afresh):
    written = engine.read(*batch).write(np.arange(6)).keep(np.array([5, 5, 1]))
    check(written, [5, 5, 1], [[], [], []], [[0], [7], [9]], afresh)


def test_what_one_branch_writes_is_not_seen_by_another(engine, batch, afresh):
    written = engine.read(*batch).write(np.array([0, 1]))
    texts = check(written, [0, 1], [[], []], [[0], [0]], afresh)
    one, other = written.keep(np.array([0, 1])), written.keep(np.array([1, 0]))
    ones = check(one, [0, 1], texts, [[3], [4]], afresh)
    others = check(other, [1, 0], [texts[1], texts[0]], [[5], [6]], afresh)
    check(one, [0, 1], ones, [[7], [8]], afresh)
    check(other, [1, 0], others, [[9], [10]], afresh)
    check(written, [0, 1], texts, [[11], [12]], afresh)


def test_sources_are_read_once_and_written_from_many_times(engine, batch, afresh):
    sources = engine.read(*batch)
    for which in ([0, 1, 2, 3, 4, 5], [3], [5, 4, 3, 2, 1, 0], [1, 1]):
        check(sources.write(np.array(which)), which, [[]] * len(which), [[0, 4]] * len(which), afresh)


@pytest.mark.parametrize("limits", [Limits(24), Limits(24, beams=3), Limits(24, beams=4, no_repeat_ngram=2)])
def test_a_text_in_a_batch_is_the_text_alone(engine, batch, limits):
    """Also what guards the tests above: texts that were all alike would hide rows that are mixed up."""
    ids, mask = batch
    together = generate(engine.read(ids, mask), np.arange(6), [], limits)
    for row, text in enumerate(together):
        sources = engine.read(ids[row : row + 1, : LENGTHS[row]], mask[row : row + 1, : LENGTHS[row]])
        (alone,) = generate(sources, np.array([0]), [], limits)
        assert alone.tokens.tolist() == text.tokens.tolist() and alone.score == pytest.approx(text.score, abs=1e-4)
    assert len({tuple(text.tokens) for text in together}) == 6
    assert len({len(text.tokens) for text in together}) > 1


def test_reads_the_int8_files_where_asked(tmp_path, batch):
    folder = write_onnx(tmp_path, VOCABULARY, seed=0)
    write_onnx(tmp_path, VOCABULARY, seed=1, quantized=True)
    first, second = (
        OnnxSeq2Seq(folder, quantized, threads=1).read(*batch).write(np.arange(6)).step(np.zeros((6, 1), np.int64))
        for quantized in (False, True)
    )
    assert np.abs(first - second).max() > 0.1
    assert OnnxSeq2Seq(folder, threads=1).vocabulary == VOCABULARY


@pytest.mark.parametrize("name", seq2seq_files(quantized=False))
def test_files_that_are_missing_or_damaged_or_another_are_one_line(tmp_path, name):
    folder = write_onnx(tmp_path, VOCABULARY)
    others = [other for other in seq2seq_files(quantized=False) if other != name]
    whole = (folder / name).read_bytes()

    def message():
        with pytest.raises(ModelError) as caught:
            OnnxSeq2Seq(folder)
        text = str(caught.value)
        assert name in text and "\n" not in text
        return text

    (folder / name).write_bytes(whole[: len(whole) // 2])
    assert "cut short" in message() or "damaged" in message()
    (folder / name).write_bytes((folder / others[0]).read_bytes())
    assert "not a file of this name as optimum writes it" in message()
    (folder / name).unlink()
    assert "no such ONNX file" in message()


def test_decoders_of_two_students_are_refused(tmp_path):
    """One of more layers than the other would run on half a memory."""
    folder = write_onnx(tmp_path, VOCABULARY)
    model = make_files(VOCABULARY)["decoder_with_past_model"]
    kept = [value for value in model.graph.input if ".1." not in value.name]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    for name in ("past_key_values.1.decoder.key", "past_key_values.1.decoder.value"):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((1, 2, 0, 8), np.float32), name))
    for name in ("past_key_values.1.encoder.key", "past_key_values.1.encoder.value"):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((1, 2, 9, 8), np.float32), name))
    onnx.save(model, folder / "decoder_with_past_model.onnx")
    with pytest.raises(ModelError, match=r"decoder_with_past_model.onnx: does not take 'past_key_values.1"):
        OnnxSeq2Seq(folder)


def test_only_the_files_that_the_manifest_lists_are_opened(tmp_path):
    folder = write_onnx(tmp_path, VOCABULARY)

    def list_files(names):
        files = {f"onnx/{name}": (folder / name).read_bytes() for name in names}
        entries = {name: {"sha256": sha256(data).hexdigest(), "size": len(data)} for name, data in files.items()}
        (tmp_path / MANIFEST).write_text(json.dumps({"files": entries}))

    names = seq2seq_files(quantized=False)
    list_files(names[:2])
    with pytest.raises(ModelError, match=r"decoder_with_past_model.onnx: not listed"):
        OnnxSeq2Seq(folder)
    list_files(names)
    OnnxSeq2Seq(folder)
    write_onnx(tmp_path, VOCABULARY, seed=1)
    with pytest.raises(ModelError, match=r"encoder_model.onnx"):
        OnnxSeq2Seq(folder)
