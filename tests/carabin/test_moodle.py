import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from carabin.exercises.forms import FORMS
from carabin.exercises.moodle import as_html, escape_wildcards, fractions, spellings
from carabin.exercises.shown import LETTERS, Option, Shown
from tests.carabin.exercise_cases import QRM, REPORT
from tests.carabin.exercise_sets import PROVENANCE, ask, make_sheet

GRADES = (100, 90, 83.33333, 80, 75, 70, 66.66667, 60, 50, 40, 33.33333, 30, 25, 20, 16.66667, 14.28571, 12.5, 11.11111,
          10, 5, 0)  # fmt: skip
"""Moodle's list of the per cents that an answer may earn or cost; the import stops at any other."""


def read(sheet):
    form = FORMS["moodle-xml"]
    return list(ElementTree.fromstring(form.head + form.write(sheet, PROVENANCE) + form.foot))


def text_of(element, path):
    found = element.find(f"{path}/text")
    return None if found is None else found.text


def test_every_question_comes_in_order_under_its_report():
    elements = read(make_sheet("Service A/12"))
    assert [element.get("type") for element in elements] == [
        "category", "description", "multichoice", "multichoice", "shortanswer", "multichoice",
        "description", "shortanswer", "description", "multichoice", "description", "multichoice",
    ]  # fmt: skip
    assert text_of(elements[0], "category") == "$course$/top/Carabin/Service A//12"
    assert "relire" in text_of(elements[0], "info") and "tiny-t5@0123" in text_of(elements[0], "info")
    names = [text_of(element, "name") for element in elements[1:]]
    assert names == sorted(names), "Moodle lists by name: the order of the file would be lost"
    assert len(set(names)) == len(names)
    assert [text_of(element, "generalfeedback") is not None for element in elements[1:]] == [
        element.get("type") != "description" for element in elements[1:]
    ]


def test_right_options_earn_all_together_and_ticking_all_earns_nothing():
    questions = read(make_sheet())
    one, many = questions[2], questions[3]
    assert (one.find("single").text, many.find("single").text) == ("true", "false")
    earned = {text_of(answer, "."): float(answer.get("fraction")) for answer in one.findall("answer")}
    assert earned == {"<p>1 g</p>": 100} | {f"<p>{dose} mg</p>": 0 for dose in (5, 10, 50, 500)}
    earned = {text_of(answer, "."): float(answer.get("fraction")) for answer in many.findall("answer")}
    assert {name for name, value in earned.items() if value > 0} == {f"<p>{name}</p>" for name in QRM.question.right}
    assert abs(sum(earned.values())) < 0.01


@pytest.mark.parametrize("right", [2, 3, 4])
def test_moodle_knows_every_fraction(right):
    names = [f"option {letter}" for letter in LETTERS]
    question = ask("quelque chose", "chose", names[:right], "qrm", names[right:])
    options = tuple(Option(letter, name, name in question.right) for letter, name in zip(LETTERS, names, strict=True))
    found = [float(fraction) for fraction in fractions(Shown(1, question, options))]
    for fraction in found:
        assert any(abs(abs(fraction) - grade) < 0.001 for grade in GRADES), fraction
    best = max(sum(some) for count in range(6) for some in combinations(found, count))
    assert abs(best - 100) < 0.01 and abs(sum(found)) < 0.01


def test_what_html_and_xml_mean_something_by_is_text():
    text = "Motif :\nK+ < 3 & Na > 140 « à jeun »\r\nd'où l'<b>arrêt</b> :\x0b ]]> &amp;\x0cfin \ufffe"
    sheet = make_sheet("a<b>&c", text, [ask(text, "K+ < 3 & Na > 140 « à jeun »", ["K+ < 3"], stem="Qu'est-ce <i> ?")])
    _, report, question = read(sheet)
    assert text_of(report, "questiontext") == (
        "<p>Motif :<br>K+ &lt; 3 &amp; Na &gt; 140 « à jeun »<br>d'où l'&lt;b&gt;arrêt&lt;/b&gt; :<br>]]&gt; &amp;amp;"
        "<br>fin</p>"
    )
    assert text_of(question, "questiontext") == "<p>Qu'est-ce &lt;i&gt; ?</p>"
    assert text_of(question, "answer") == "K+ < 3"
    assert text_of(question, "name").startswith("a<b>&c - 01")


def test_no_white_space_stands_alone_between_escaped_characters():
    """PHP's reader drops it: `< >` would be imported as `<>`."""
    written = FORMS["moodle-xml"].write(make_sheet(), PROVENANCE)
    assert not re.search(r"&(?:lt|gt|amp);\s+&(?:lt|gt|amp);", written)
    assert as_html("a\n  \n  < >") == "<p>a<br>&lt; &gt;</p>"


@pytest.mark.parametrize(("answer", "typed"), [
    ("hypothyroïdie", "hypothyroidie"), ("2,5 mg", "2.5mg"), ("12,8\u00a0g/dL", "12.8 g/dL"), ("40 %", "40%"),
    ("œdème", "oedeme"), ("torsion de l’ovaire", "torsion de l'ovaire"), ("torsion d'annexe", "torsion d’annexe"),
])  # fmt: skip
def test_what_a_carer_types_for_a_short_answer_is_taken(answer, typed):
    found = spellings(answer)
    assert typed in found and len(set(found)) == len(found)
    assert found[0] == " ".join(answer.split())


def test_a_star_in_a_short_answer_is_not_any_text():
    assert escape_wildcards("10*3 UFC") == r"10\*3 UFC"
    text = "ECBU : 10*3 UFC/mL"
    *_, question = read(make_sheet("1", text, [ask(text, text, ["10*3 UFC/mL"], asks="lab")]))
    assert text_of(question, "answer") == r"10\*3 UFC/mL"


def test_a_progressive_file_unfolds_and_does_not_stand_beside_its_report():
    sheet = make_sheet("1", REPORT, [], [shown.question for shown in make_sheet().linked])
    elements = read(sheet)
    told = [text_of(element, "questiontext") for element in elements if element.get("type") == "description"]
    assert len(told) == 3, "the whole report would give every answer away"
    assert "3775" not in told[0] and "3775" in told[1]
    assert "extra-utérine" not in told[1] and "extra-utérine" in told[2]
    assert not any("DALMAYRAC" in text for text in told)


@pytest.mark.parametrize("identifier", ["/x", "x/", "a//b", "lettre é"])
def test_a_category_is_one_name_whatever_the_id(identifier):
    path = text_of(read(make_sheet(identifier))[0], "category")
    # As Moodle splits it.
    names = [name.strip().replace("//", "/") for name in re.split("(?<!/)/(?!/)", path)]
    assert names == ["$course$", "top", "Carabin", identifier]


def test_a_category_has_room_for_its_name_and_long_ids_stay_apart():
    """A longer one stops the import, after the questions before it are in."""
    paths = [text_of(read(make_sheet("a/" * 200 + end))[0], "category") for end in ("1", "2")]
    names = [path.removeprefix("$course$/top/Carabin/").replace("//", "/") for path in paths]
    assert [len(name) for name in names] == [255, 255] and len(set(names)) == 2
