import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Document
from carabin.exercises.forms import FORMS, SheetWriter, carry, choose_form
from carabin.exercises.shown import show
from carabin.exercises.units import find_units
from carabin.exercises.vignettes import find_body, unfold
from carabin.exercises.wording import fold, mentions
from carabin.formats.base import OutputError
from tests.carabin.exercise_cases import PROGRESSIVE, QRM, REPORT, REPORTS
from tests.carabin.exercise_sets import PROVENANCE, ask, make_set, make_sheet

LETTER = """CENTRE HOSPITALIER DE MARCHENOY
Dr Roger Barquenne

COMPTE RENDU DE CONSULTATION

Touchebœuf Jacques - DDN 2 novembre 1957
NIR : 157110049500040

Docteur Darquenot,
Je vois le 4 juin 2021 en consultation Monsieur Touchebœuf.

{heading}
- AOMI (suivi depuis 6 ans)
"""


def test_options_keep_their_place_from_run_to_run_and_move_with_the_seed():
    first, again, other = make_sheet(), make_sheet(), make_sheet(seed=1)
    assert first == again
    orders = [[[option.text for option in shown.options] for shown in sheet.all] for sheet in (first, other)]
    assert orders[0] != orders[1]
    assert [list(map(sorted, order)) for order in orders][0] == [sorted(option) for option in orders[1]]
    # The same question twice in a set, and on two reports: the order tells nothing of the answer.
    assert orders[0][0] != orders[0][6]
    letters = {make_sheet(str(number)).alone[0].letters for number in range(60)}
    assert letters == set("ABCDE")


def test_letters_say_which_options_are_right():
    for shown in make_sheet().all:
        right = {option.text for option in shown.options if option.right}
        assert right == (set(shown.question.right) if shown.options else set())
        assert shown.letters == ", ".join(option.letter for option in shown.options if option.right)
    assert [shown.number for shown in make_sheet().all] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("heading", [
    "ATCD :", "ANTÉCÉDENTS", "Ante\u0301ce\u0301dents :", "--- Antécédents notables ---", "** ANTECEDENTS **",
    "2. Terrain", "ATCD : HTA.", "MOTIF: Bilan",
])  # fmt: skip
def test_a_report_begins_at_its_first_heading(heading):
    text = LETTER.format(heading=heading)
    assert text[find_body(text) :].startswith(heading)


@pytest.mark.parametrize(("text", "begins"), [
    (REPORT, "Motif :"),
    (LETTER.format(heading="Tout va bien."), "Docteur Darquenot"),
    ("Un homme de 40 ans est admis.\nConclusion : va bien.", "Un homme"),
    ("HÔPITAL NORD\nService de chirurgie\n\nMotif : chute.\nConclusion : va bien.", "Motif"),
    ("Patient : X, né le 3/4/1950\n" + "Je vois ce jour ce patient. " * 20 + "\nConclusion : va bien.", "Je vois"),
    ("Patiente : X, née le 3/4/1950", "Patiente"),
    ("", ""),
])  # fmt: skip
def test_what_is_told_in_prose_is_not_taken_for_a_letterhead(text, begins):
    assert text[find_body(text) :].startswith(begins)
    assert begins or find_body(text) == 0


def test_a_vignette_stops_before_the_evidence_and_before_what_tells_an_answer():
    vignettes = [REPORT[start:end] for start, end in unfold(REPORT, [draft.question for draft in PROGRESSIVE])]
    assert vignettes[0].startswith("Motif :") and vignettes[0].endswith("Examens :")
    assert vignettes[1].endswith("Synthèse :") and vignettes[2].endswith("Traitement de sortie :")
    text = "Motif :\nFièvre.\nUne GROSSESSE\nextra  uterine est crue.\nNaissance.\nBilan : grossesse extra-utérine."
    question = ask(text, "Bilan : grossesse extra-utérine.", ["extra uterine"])
    start, end = unfold(text, [question])[0]
    assert text[start:end] == "Motif :\nFièvre.\nUne GROSSESSE", "a phrase over two lines, in other letters, tells too"
    # What the first vignette shows is not forgotten at the second.
    later = [ask(text, "Naissance.", ["Naissance"]), question]
    assert [text[slice(*one)] for one in unfold(text, later)] == ["Motif :\nFièvre.\nUne GROSSESSE"] * 2


def test_a_vignette_that_would_tell_at_once_is_empty_and_says_nothing():
    text = "Motif : AVC.\nBilan : AVC."
    sheet = make_sheet("1", text, [], [ask(text, "Bilan : AVC.", ["AVC"])])
    assert sheet.read_before(sheet.linked[0]) == sheet.read_since(sheet.linked[0]) == ""
    assert "énoncé" not in FORMS["moodle-xml"].write(sheet, PROVENANCE)
    assert "  | " not in FORMS["text"].write(sheet, PROVENANCE)


@given(REPORTS, st.data())
def test_no_vignette_ever_tells(text, data):
    units = find_units(text)
    words = sorted({word for word in re.findall(r"\w[\w,./-]*", text)})
    if not units or not words:
        return
    places = sorted(data.draw(st.lists(st.sampled_from(units), min_size=3, max_size=3)))
    questions = [ask(text, text[start:end], [data.draw(st.sampled_from(words))], start=start) for start, end in places]
    vignettes = unfold(text, questions)
    for number, (start, end) in enumerate(vignettes):
        told = fold(text[start:end])
        assert 0 <= start <= end <= max(start, questions[number].start)
        assert not any(mentions(told, fold(later.right[0])) for later in questions[number:])
    assert [end for _, end in vignettes] == sorted(end for _, end in vignettes)


def test_text_asks_first_and_answers_after():
    text = FORMS["text"].write(make_sheet(), PROVENANCE)
    asked, answered = text.split("\nRéponses\n")
    places = [asked.index(some) for some in ("À relire", "1. Quelle est la dose de Doliprane", "Dossier progressif")]
    assert places == sorted(places)
    assert "«" not in asked and "DALMAYRAC" not in text
    letters = make_sheet().alone[1].letters
    assert f"2. {letters} : Doliprane ; Fumafer ; Kardégic\n   « - Doliprane 1 g" in answered
    assert answered.count("«") == answered.count("»") == 7
    assert asked.count("\n   ") == 5 * 5, "five options for each QRU and QRM"


def test_a_terminal_obeys_nothing_that_a_report_says():
    text = "Motif :\n\x1b[2JIRM\x9b31m \u202egauche"
    written = FORMS["text"].write(make_sheet("\x1b]0;x\x07", text, [ask(text, text[8:], ["IRM"])]), PROVENANCE)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", written)


def test_json_says_everything_with_offsets_that_hold():
    form = FORMS["json"]
    (record,) = json.loads(form.head + form.write(make_sheet(), PROVENANCE) + form.foot)
    assert (record["id"], record["model"], record["date"]) == ("CRH-1", "tiny-t5@0123", "2026-01-02")
    assert len(record["questions"]) == 4 and len(record["progressive"]) == 3
    for question in record["questions"] + record["progressive"]:
        for span in (question["evidence"], question.get("vignette", question["evidence"])):
            assert record["text"][span["start"] : span["end"]] == span["text"]
        assert {one["text"] for one in question["options"] if one["right"]} in (set(question["right"]), set())
    assert record["questions"][1]["right"] == list(QRM.question.right)
    assert json.loads(FORMS["jsonl"].write(make_sheet(), PROVENANCE)) == record


class Page(HTMLParser):
    """Collects the tags, and whether each text stands within a closed `details`, outside its `summary`."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.seen, self.hidden = [], [], "", ""
        self.feed(text)
        self.close()
        assert not self.open, "every tag that opens is closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "details" in self.open and "summary" not in self.open:
            self.hidden += data
        elif "style" not in self.open:
            self.seen += data


def test_a_page_hides_its_answers_needs_no_script_and_fetches_nothing():
    form = FORMS["html"]
    page = Page(form.head + form.write(make_sheet(), PROVENANCE) + form.foot)
    assert ("html", {"lang": "fr"}) in page.tags
    assert not {"script", "link", "img", "a", "iframe", "form"} & {tag for tag, _ in page.tags}
    assert not any(name in ("style", "src", "href") or name.startswith("on") for _, some in page.tags for name in some)
    assert page.hidden.count("Justification") == 7 and "Justification" not in page.seen
    assert "DALMAYRAC" not in page.seen + page.hidden
    assert "3775" in page.hidden and "3775" not in page.seen, "the next step of a file answers the question before it"
    inputs = [some for tag, some in page.tags if tag == "input"]
    kinds = [some["type"] for some in inputs]
    assert (kinds.count("radio"), kinds.count("checkbox"), kinds.count("text")) == (20, 5, 2)
    assert len({some["name"] for some in inputs}) == 7, "two questions of one name would share their choice"
    assert sum(tag == "label" for tag, _ in page.tags) == len(inputs)


def test_nothing_of_a_report_is_markup():
    text = "Motif :\n<script>alert(1)</script> \"K\" & 'x'"
    sheet = make_sheet('"><b>', text, [ask(text, text[8:], ["K"], stem="<img src=x> ?")])
    form = FORMS["html"]
    page = Page(form.head + form.write(sheet, PROVENANCE) + form.foot)
    assert not {"script", "img", "b"} & {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script> \"K\" & 'x'" in page.hidden


@pytest.mark.parametrize("name", sorted(FORMS))
def test_parts_make_the_same_file_as_one_run(name, tmp_path):
    documents = [carry(Document(str(n), REPORT), make_sheet(str(n))) for n in range(3)]
    files = {}
    for cut, runs in {"one": [documents], "cut": [[], documents[:1], [], documents[1:]], "none": [[]]}.items():
        writer, parts = SheetWriter(name), []
        for number, run in enumerate(runs):
            parts.append(tmp_path / f"{cut}{number}")
            writer.write_part(run, parts[-1], PROVENANCE)
        writer.join(parts, tmp_path / cut)
        files[cut] = (tmp_path / cut).read_text(encoding="utf-8")
    line = SheetWriter(name).line()
    form = FORMS[name]
    streamed = form.head + "".join(line(document, PROVENANCE) for document in documents) + form.foot
    assert files["one"] == files["cut"] == streamed
    assert len(files["one"]) > len(files["none"])
    if name == "json":
        assert [record["id"] for record in json.loads(streamed)] == ["0", "1", "2"] and json.loads(files["none"]) == []


def test_the_suffix_tells_the_form(tmp_path):
    names = {
        "a.txt": "text",
        "a.XML": "moodle-xml",
        "a.html": "html",
        "a.htm": "html",
        "a.json": "json",
        "b.jsonl": "jsonl",
    }
    assert {name: choose_form(tmp_path / name, None) for name in names} == names
    assert choose_form(None, None) == "text" and choose_form(tmp_path / "a.txt", "json") == "json"
    for out, to in ((tmp_path / "a.docx", None), (tmp_path / "a", None), (None, "gift")):
        with pytest.raises(OutputError, match="--to"):
            choose_form(out, to)


def test_a_set_without_a_progressive_file_has_none_in_any_form():
    sheet = show(make_set(linked=False), Document("1", REPORT))
    for name, form in FORMS.items():
        written = form.write(sheet, PROVENANCE)
        assert "progressif" not in written
        assert name not in ("json", "jsonl") or json.loads(written)["progressive"] == []
