"""What rules miss leaks where there is no student; what they take for an identity and is none spoils the note."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Document
from carabin.pseudonyms.detection import Detector, StudentError
from carabin.pseudonyms.spans import LABELS, Proof, Span, merge_spans
from tests.carabin.pseudonym_cases import KnowingStudent, detector, gold

RULES = Detector(None)


def found(text):
    """Return (label, surface) of what the rules find."""
    (detection,) = RULES.detect([Document("1", text)])
    return [(span.label, text[span.start : span.end]) for span in detection.spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NIR : 2 55 08 14 168 025 38.", ("SECU", "2 55 08 14 168 025 38")),
        ("255081416802538", ("SECU", "255081416802538")),
        ("n° de sécurité sociale 1 84 12 2A 004 012 99", ("SECU", "1 84 12 2A 004 012 99")),
        ("Son numéro d'assuré est 1980612385213", ("SECU", "1980612385213")),
        ("joignable au 04.72.11.22.33", ("TEL", "04.72.11.22.33")),
        ("+33 (0)6 12 34 56 78", ("TEL", "+33 (0)6 12 34 56 78")),
        ("poste 4512", ("TEL", "4512")),
        ("jean.dupont@chu-lyon.fr", ("MAIL", "jean.dupont@chu-lyon.fr")),
        ("tlabelle @ medimail . com", ("MAIL", "tlabelle @ medimail . com")),
        ("IPP : 8012345678", ("IPP", "8012345678")),
        ("IPP n° 8392", ("IPP", "8392")),
        ("NDA: 2003H847569", ("NDA", "2003H847569")),
        ("Dossier n°1204UZO201 du", ("NDA", "1204UZO201")),
        ("RPPS : 10101234563", ("RPPS", "10101234563")),
        ("FINESS 690781810", ("FINESS", "690781810")),
        ("demeurant 12 bis, rue des Lilas, 69002 Lyon", ("ADRESSE", "12 bis, rue des Lilas")),
        ("12 rue du Four 69002 Lyon CEDEX 08", ("VILLE", "Lyon CEDEX 08")),
        ("à Tournefeuil (31170)", ("ZIP", "31170")),
        ("adressé au CHU de Saint-Étienne pour", ("HOPITAL", "CHU de Saint-Étienne")),
        ("Mme Martin", ("NOM", "Martin")),
        ("Dr Jean-Paul LE GOFF", ("NOM", "LE GOFF")),
        ("Dr Jean-Paul LE GOFF", ("PRENOM", "Jean-Paul")),
        ("NOM : Ouedraogo-Lys\nPRÉNOM : Mathis", ("PRENOM", "Mathis")),
        ("Nom : Le Guennoc   Prénom : Michel", ("NOM", "Le Guennoc")),
        ("Destinataire : Dr Karim Mercoeur, Port-Elven\n", ("VILLE", "Port-Elven")),
        ("  Marchenoy, le 3 août 2024", ("VILLE", "Marchenoy")),
        ("Arnaud CADIEUZAC va bien", ("NOM", "CADIEUZAC")),
        ("Xyzia Brakk, née le 3 mai 1950", ("NOM", "Xyzia Brakk")),
    ],
)
def test_what_rules_find(text, expected):
    assert expected in found(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("M. A Dupont", ["A", "Dupont"]),
        ("M A Dupont", ["A", "Dupont"]),
        ("Mme B DURAND", ["B", "DURAND"]),
        ("Mme D DURAND", ["D", "DURAND"]),
        ("M. A de La Tour", ["A", "de La Tour"]),
        ("Dr A B Carron", ["A B", "Carron"]),
        ("Dr J-P Martin", ["J-P", "Martin"]),
        ("Dr J.-P. Martin", ["J.-P.", "Martin"]),
        ("Dr MARTIN J-P", ["MARTIN", "J-P"]),
        ("Dr Martin J.P.", ["Martin", "J.P."]),
        ("Mme B. D. DURAND", ["B. D.", "DURAND"]),
        ("Mme DUPONT. A Dupont, J-P Dupont", ["DUPONT", "A", "Dupont", "J-P", "Dupont"]),
        ("Mme A été vue. Monsieur A présenté une toux.", []),
        ("MADAME A ETE HOSPITALISEE", []),
        ("MADAME DUPONT A ETE HOSPITALISEE", ["DUPONT"]),
    ],
)
def test_an_initial_is_found_with_or_without_its_dot(text, names):
    """`A` is a verb too: taken for one before a family name, it hid the whole name."""
    assert [surface for _, surface in found(text)] == names
    assert all(label == "PRENOM" for label, surface in found(text) if len(surface.strip(".")) < 4 and surface != "M")
    assert [label for label, surface in found(text) if surface.casefold() in ("dupont", "durand", "martin")].count(
        "PRENOM"
    ) == 0


@pytest.mark.parametrize(
    "text",
    [
        "IPP 40 mg par jour",
        "EXAMEN CLINIQUE\nPression artérielle à 12/8",
        "Rotation externe. Absence de plaie. L'examen retrouve 23 mm. Mammographie normale.",
        "maladie de Parkinson, syndrome de Gilles de la Tourette, score de Glasgow à 15",
        "Leucocytes 12 500 /mm3, plaquettes 250000 /mm3, CRP 120",
        "3 cours de chimiothérapie, 2 passages aux urgences",
        "Paracétamol 1 g x 3/jour, Kardégic 75 mg",
        "Température 38,5 °C, TA 120/80 mmHg, SpO2 99 %",
        "madame va bien, monsieur aussi",
        "BREF : RAS. M. et Mme",
        "1-0-1 pendant 10 jours",
    ],
)
def test_what_rules_leave_alone(text):
    assert found(text) == []


def test_a_name_met_once_is_found_everywhere():
    """The title stands once, the name ten times: one left is the whole name leaked."""
    text = "Mme DUPONT. Madame va bien. Dupont sort demain. (J. Dupont) Le mari de Dupont, dupont non."
    assert [surface for _, surface in found(text)] == ["DUPONT", "Dupont", "J.", "Dupont", "Dupont"]


def test_a_hospitals_town_is_found_where_it_stands_alone():
    assert ("VILLE", "Marchenoy") in found("CHU de Marchenoy. Rentrée à Marchenoy en taxi.")[1:]


def test_a_student_without_names_is_refused():
    student = KnowingStudent()
    for labels in (("CHEM", "DISO"), ("DATE", "TEL"), (*LABELS, "CHEM")):
        student.labels = labels
        with pytest.raises(StudentError, match="--rules-only"):
            Detector(student)


def test_student_and_rules_together_find_what_either_does():
    note = gold(marked="[Zorbec](NOM) vient de [Palombie](VILLE), tél. 04 72 11 22 33")
    (both,) = detector(note).detect([note])
    assert [(span.label, span.proof) for span in both.spans] == [
        ("NOM", Proof.MODEL), ("VILLE", Proof.MODEL), ("TEL", Proof.CHECKED),
    ]  # fmt: skip
    compared = detector(note).compare([note])
    assert {name: len(detections[0].spans) for name, detections in compared.items()} == {
        "rules": 1, "student": 2, "student and rules": 3,
    }  # fmt: skip


def test_a_checked_number_wins_inside_a_span_drawn_too_wide():
    note = gold(marked="[12 rue du Four, 04 72 11 22 33, Lyon](ADRESSE)")
    (both,) = detector(note).detect([note])
    assert [(span.label, note.text[span.start : span.end]) for span in both.spans] == [
        ("ADRESSE", "12 rue du Four,"), ("TEL", "04 72 11 22 33"), ("ADRESSE", ", Lyon"),
    ]  # fmt: skip


def test_a_birth_date_keeps_the_students_name_for_it():
    note = gold(marked="elle est du [12/03/1949](DATE_NAISSANCE)")
    (both,) = detector(note).detect([note])
    assert [(span.label, span.proof) for span in both.spans] == [("DATE_NAISSANCE", Proof.CHECKED)]


SPANS = st.lists(
    st.builds(
        lambda start, length, label, proof: Span(start, start + length, label, proof),
        st.integers(0, 30), st.integers(1, 12), st.sampled_from(LABELS), st.sampled_from(list(Proof)),
    ),
    max_size=8,
)  # fmt: skip


@given(st.text(min_size=42, max_size=60), SPANS)
def test_merged_spans_are_apart_and_leave_no_letter_uncovered(text, spans):
    merged = merge_spans(text, spans)
    assert all(a.end <= b.start for a, b in zip(merged, merged[1:], strict=False))
    covered = {place for span in merged for place in range(span.start, span.end)}
    for span in spans:
        for place in range(span.start, span.end):
            date = all(other.label.startswith("DATE") for other in spans if other.start <= place < other.end)
            assert place in covered or not text[place].isalnum() or (date and not text[place].isdigit())
    wanted = {place for span in spans for place in range(span.start, span.end)}
    assert covered <= wanted


@given(st.text(max_size=300))
def test_no_text_breaks_the_rules(text):
    (detection,) = RULES.detect([Document("1", text)])
    for span in detection.spans:
        assert 0 <= span.start < span.end <= len(text)


PIECES = (
    "Dr |Mme |DUPONT| Jean|@|a.b|06 12| 34 56 78|rue |12 |le |12/03|/2019|69002 |Lyon|IPP |8012345678|\n|, |né |CHU de "
    "|1 2 3 4 5 6 7 8"
).split("|")


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_pieces_of_identities_never_break_the_rules(pieces):
    text = "".join(pieces)
    (detection,) = RULES.detect([Document("1", text)])
    assert all(a.end <= b.start for a, b in zip(detection.spans, detection.spans[1:], strict=False))


@pytest.mark.parametrize("piece", [" ", "A", "A-", "\n", "1 ", "a@", "Dr ", "12 rue ", "vingt ", "Hôpital de ", "01 "])
def test_long_runs_of_one_piece_do_not_stall_the_rules(piece):
    """A scanner's line of ten thousand spaces once took hours: a pattern that backtracks would never end here."""
    (detection,) = RULES.detect([Document("1", piece * (20_000 // len(piece)))])
    assert len(detection.spans) < 20_000
