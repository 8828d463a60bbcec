"""A conclusion that quotes invents nothing, whatever the scores say: units of the report, whole and in its order."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carabin.documents import Document
from carabin.errors import ModelError
from carabin.exercises.units import find_units
from carabin.generation.faithfulness import unsupported
from carabin.generation.quoted_conclusion import MOST_QUOTES, QuotedConclusion, find_quotable, join_quotes
from carabin.generation.source import read_source
from carabin.generation.spelling import Spelling, walk
from carabin.generation.tasks import CONCLUSION
from carabin.generation.writer import Writer
from carabin.generation.writer_settings import WriterSettings
from tests.carabin.exercise_cases import REPORT, REPORTS
from tests.carabin.tiny_seq2seq import write_writing_student
from tests.carabin.tiny_writer import Dice, make_tokenizer, write_at_random

LONGEST = 90
DRUGS = frozenset({"Doliprane", "Fumafer"})
SPLINTERS = st.lists(
    st.sampled_from(
        ["Pas de fièvre. ", "E\u0301volution favorable.", "\r\n", "TA 12/8 ", "le 12/03/2024", "\u2028", "  ",
         "Douleur : ", "5 mg", "MOTIF\r\n\r\n", "-----\n", "<ask>", "😀 ", "n\u0303o\u0302 ",
         "Absence de :\n- fièvre\n", ".", "\x85"]
    ),
    max_size=14,
).map("".join)  # fmt: skip
TEXTS = REPORTS | SPLINTERS | st.text(max_size=80) | REPORTS.map(lambda text: text.replace("\n", "\r\n"))


@cache
def tokenizer_of(trim=False, regex=True):
    return make_tokenizer(trim, regex)


def quoting_of(text, tokenizer=None, longest=LONGEST, window=None):
    tokenizer = tokenizer or tokenizer_of()
    start, end = window or (0, len(text))
    source = read_source(tokenizer, CONCLUSION, text[start:end], start)
    return QuotedConclusion(source, find_quotable(text), tokenizer, longest)


def writer_of(seed=0, window=10_000, drugs=frozenset()):
    tokenizer = tokenizer_of()
    engine = Dice(tokenizer.get_vocab_size(), seed)
    writer = Writer(tokenizer, window, engine, WriterSettings(LONGEST, 200, 1200, ("CHEM",), "quoted"), "dice")
    writer.drugs = drugs
    return writer


def check_quotes(text, summary):
    """Hold a summary to what is promised of it."""
    quotes = summary.quotes
    assert summary.text == join_quotes(text, quotes) and summary.finished
    units = find_units(text)
    assert all(quote in units for quote in quotes)
    assert list(quotes) == sorted(set(quotes))
    assert summary.text.split("\n") == [text[start:end] for start, end in quotes] or not quotes
    surfaces = [text[start:end] for start, end in quotes]
    assert len(set(surfaces)) == len(surfaces)
    assert not any(surface.endswith(":") or not any(map(str.isalnum, surface)) for surface in surfaces)


@settings(deadline=None, max_examples=150)
@given(TEXTS, st.booleans(), st.booleans(), st.integers(0, 2**32), st.integers(4, LONGEST), st.data())
def test_every_way_ends_and_every_text_is_units_in_a_row(text, trim, regex, seed, longest, data):
    """A dead end would hang a hospital's run; a token too many would cut a sentence into another meaning."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    tokenizer = tokenizer_of(trim, regex)
    quoting = quoting_of(text, tokenizer, longest, (start, end))
    tokens, _ = write_at_random(quoting.begin(), np.random.default_rng(seed), longest)
    quotes = quoting.read(tokens)
    assert len(tokens) < longest and len(quotes) <= MOST_QUOTES
    assert bool(quotes) == bool(tokens)
    assert all(start <= first and last <= end and (first, last) in find_units(text) for first, last in quotes)
    # What is decoded is what is quoted, but for the spaces that a token may bring along.
    written = tokenizer.decode(tokens, skip_special_tokens=False)
    assert written.split() == join_quotes(text, quotes).split()


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.integers(0, 2**32), st.integers(1, 3))
@example("\U00010000" * 24, 0, 1)
def test_whatever_the_scores_are_a_summary_is_made_of_the_report(text, seed, beams):
    (summary,) = writer_of(seed).summarise([Document("a", text)], beams=beams)
    check_quotes(text, summary)
    assert len(summary.quotes) <= MOST_QUOTES
    # A unit may be longer than a conclusion: then there is nothing to begin with.
    assert bool(summary.quotes) == isinstance(quoting_of(text).begin(), Spelling) == bool(summary.text)


@settings(deadline=None, max_examples=40)
@given(REPORTS, st.integers(0, 2**32))
def test_windows_of_a_long_report_are_quoted_with_the_places_of_the_report(text, seed):
    long = text + "\n\n" + REPORT
    (summary,) = writer_of(seed, window=120).summarise([Document("a", long)])
    check_quotes(long, summary)
    assert 1 < len(summary.quotes) <= max(MOST_QUOTES, summary.windows)


@settings(deadline=None, max_examples=100)
@given(TEXTS, st.integers(0, 2**32))
def test_a_quote_claims_no_number_and_no_drug_that_is_not_the_reports(text, seed):
    """A whole unit brings its own: only what it denies can depend on what stands around it."""
    (summary,) = writer_of(seed, drugs=DRUGS).summarise([Document("a", text)])
    claims = unsupported(summary.text, text, DRUGS)
    assert list(summary.unsupported) == list(dict.fromkeys(one.surface for one in claims if one.kind == "negation"))


def test_each_sentence_of_a_sound_report_is_supported_by_it():
    """Those of others need not be: a bare number that begins a sentence (`. 2024`) is seen alone, not in its place.

    `Writer` flags no such number, as the test above says.
    """
    assert not [one for start, end in find_quotable(REPORT) for one in unsupported(REPORT[start:end], REPORT, DRUGS)]


def test_what_the_line_above_denies_is_flagged_when_it_is_quoted_alone():
    """Word for word, and yet not what the report says."""
    text = "Aucun\nfrisson depuis hier"
    frisson = quoting_of(text).units[1]
    assert join_quotes(text, [frisson]) == "frisson depuis hier"
    found = [one for seed in range(12) for one in writer_of(seed).summarise([Document("a", text)])]
    alone = [one for one in found if one.quotes == (frisson,)]
    assert alone and all(one.unsupported == ("frisson",) for one in alone)


def test_headings_letterheads_and_repetitions_are_not_quoted():
    text = (
        "CHU de Nantes\nPatiente : DALMAYRAC Alice, née le 08/05/1992\n\nMOTIF\n\nFièvre.\n\nTraitement habituel\n"
        "-----\nFièvre.\nExamens : sans particularité\n*** Conduite à tenir ***\nII. Évolution\nRepos.\n"
    )
    found = [text[start:end] for start, end in find_quotable(text)]
    assert found == ["Fièvre.", "Examens : sans particularité", "Repos."]


@pytest.mark.parametrize(
    "heading", ["Absence de :", "ALLERGIES", "Traitements arrêtés :", "## Antécédents familiaux ##"]
)
def test_an_item_is_not_quoted_without_the_heading_that_turns_its_sense(heading):
    """`- Kardégic 75 mg` below `Traitements arrêtés` would be read as prescribed."""
    below = "- Kardégic 75 mg\nPénicilline\nSa mère est diabétique.\n\nSortie :\n- Tahor 10 mg\n"
    text = f"Motif : bilan\n\n{heading}\n{below}"
    found = [text[start:end] for start, end in find_quotable(text)]
    assert found == ["Motif : bilan", "Sa mère est diabétique.", "- Tahor 10 mg"]


def test_nothing_to_quote_is_an_empty_conclusion():
    letterhead = "Hôpital Louise-Calmels\n\nMotif :\n\nExamens :\n-----\n"
    long = "Une phrase sans fin " + "et encore " * 40 + "."
    texts = ["", " \r\n\t", letterhead, long, "<ask> fièvre"]
    found = list(writer_of().summarise([Document(str(number), text) for number, text in enumerate(texts)]))
    for summary in found:
        assert (summary.text, summary.quotes, summary.unsupported, summary.finished) == ("", (), (), True)


def test_a_sentence_that_begins_another_can_be_quoted_and_so_can_the_other():
    text = "Apyrexie\nApyrexie confirmée\nSortie"
    quoting = quoting_of(text)
    assert len(quoting.units) == 3
    for wanted in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]):
        quotes = tuple(quoting.units[number] for number in wanted)
        tokens = quoting.spell(quotes)
        assert walk(quoting.begin(), [*tokens, 1]) is not None
        assert quoting.read(tokens) == quotes


def test_what_is_spelled_for_training_can_be_written_and_leaves_out_what_does_not_fit():
    quoting = quoting_of(REPORT, longest=60)
    tokens = quoting.spell(quoting.units)
    assert 0 < len(tokens) < 60 and quoting.read(tokens)
    assert quoting.spell([(0, 3)]) == [] and quoting.read([]) == ()


def test_a_student_published_before_writes_freely_and_an_unknown_way_is_refused(tmp_path):
    folder = write_writing_student(tmp_path / "old")
    config = json.loads((folder / "config.json").read_text())
    assert WriterSettings.of_config(config, folder).conclusion == "free"
    (free,) = Writer.load(folder).summarise([Document("a", REPORT)])
    assert free.quotes is None
    with pytest.raises(ModelError, match="'conclusion' is 'sung', not free or quoted"):
        WriterSettings.of_config({**config, "conclusion": "sung"}, folder)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_published_student_quotes_over_onnxruntime(tmp_path, beams):
    """Several reports at once, of several windows: one's quotes must not be read in another's places."""
    student = Writer.load(write_writing_student(tmp_path / "quotes", window=150, max_written=64, conclusion="quoted"))
    documents = [Document("a", REPORT), Document("b", " "), Document("c", "Pas de fièvre. Sortie à J4."),
                 Document("d", REPORT.replace("\n", "\r\n"))]  # fmt: skip
    together = list(student.summarise(documents, beams=beams))
    for document, summary in zip(documents, together, strict=True):
        check_quotes(document.text, summary)
        assert bool(summary.text) == (document.id != "b")
        assert summary == next(student.summarise([document], beams=beams))
