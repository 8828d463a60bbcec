"""Reports and exercises for the tests: fictitious, with what reports are made of."""

from __future__ import annotations

from hypothesis import strategies as st

from carabin.exercises.exercise import Question
from carabin.exercises.form import BLANK, Draft

REPORT = """Hôpital Louise-Calmels
Patiente : DALMAYRAC Alice, née le 08/05/1992

Motif :
Bilan de douleur pelvienne. Adressée par le Dr. Petit.

Examens :
bêta-HCG : 3775 UI/L
hémoglobine : 12,8 g/dL
L'échographie pelvienne révèle un épanchement. Le groupe sanguin est confirmé.

Synthèse :
Au total, une femme de 27 ans prise en charge pour une grossesse extra-utérine.

Traitement de sortie :
- Doliprane 1 g : 1 comprimé trois fois par jour
- Fumafer 66 mg : 2 comprimés par jour, pendant 2 mois
- Kardégic 75 mg : 1 sachet par jour

Suivi :
Échographie précoce lors d'une prochaine grossesse.
"""


def make_draft(
    kind="qru",
    asks="dose",
    quote="- Doliprane 1 g : 1 comprimé trois fois par jour",
    right=("1 g",),
    template="Quelle est la dose de {} à la sortie ?",
    hole="Doliprane",
    wrong=("5 mg", "10 mg", "50 mg", "500 mg"),
    report=REPORT,
):
    """Return a draft on a report; what is not said is a sound question."""
    start = report.index(quote)
    stem = template.replace(BLANK, hole) if hole else template
    question = Question(kind, asks, stem, tuple(right), tuple(wrong), start, start + len(quote), quote)
    return Draft(question, template, hole)


QRM = make_draft(
    kind="qrm",
    asks="treatment",
    quote=REPORT[REPORT.index("- Doliprane") : REPORT.index("\n\nSuivi")],
    right=("Doliprane", "Fumafer", "Kardégic"),
    template="Quels traitements sont prescrits ?",
    hole="",
    wrong=("Ramipril", "Tahor"),
)
QROC = make_draft(
    kind="qroc",
    asks="lab",
    quote="bêta-HCG : 3775 UI/L",
    right=("3775 UI/L",),
    template="Quelle est la valeur de {} ?",
    hole="bêta-HCG",
    wrong=(),
)
DIAGNOSIS = make_draft(
    asks="diagnosis",
    quote="Au total, une femme de 27 ans prise en charge pour une grossesse extra-utérine.",
    right=("grossesse extra-utérine",),
    template="Quel diagnostic est retenu ?",
    hole="",
    wrong=("appendicite aiguë", "torsion d'annexe", "kyste ovarien", "salpingite"),
)
PROGRESSIVE = [QROC, DIAGNOSIS, make_draft()]

WORDS = {
    "stems": {
        "qru": {
            "dose": ["Quelle est la dose de {} à la sortie ?", "À quelle dose {} est-il prescrit ?"],
            "diagnosis": ["Quel diagnostic est retenu ?", "Quelle grossesse est décrite ?"],
            "procedure": ["Quel examen a été réalisé ?"],
            "lab": ["Quelle est la valeur de {} ?"],
        },
        "qrm": {"treatment": ["Quels traitements sont prescrits ?"], "lab": ["Quelles valeurs, outre {} ?"]},
        "qroc": {"lab": ["Quelle est la valeur de {} ?"], "treatment": ["Quel traitement est prescrit ?"]},
    },
    "terms": {
        "dose": ["5 mg", "10 mg", "50 mg", "500 mg", "1 g", "75 mg", "2,5 mg", "100 mg", "5 mg/ml"],
        "diagnosis": [
            "appendicite aiguë", "torsion d'annexe", "kyste ovarien", "salpingite", "Salpingite", "fausse couche",
            "grossesse extra utérine",
        ],
        "procedure": ["IRM cérébrale", "scanner abdominal", "coloscopie", "échographie pelvienne", "fibroscopie"],
        "lab": ["12 g/dL", "140 mmol/L", "3,5 g/L", "8 mg/L", "250 G/L"],
        "treatment": ["Ramipril", "Tahor", "DOLIPRANE", "Plavix", "Lasilix", "Kardegic"],
    },
}  # fmt: skip
"""What exercises.json holds: some of its terms stand in the report, some twice but for their case."""

REPORTS = st.lists(
    st.sampled_from(
        [
            *REPORT.splitlines(keepends=True),
            "Dr. ",
            "5 mg",
            ", ",
            " : ",
            "\n",
            "- ",
            "œdème",
            "12,5 g/L ",
            "😀",
            "A. ",
            "{}",
        ]
    ),
    min_size=1,
    max_size=14,
).map("".join)
"""Reports of lines and of splinters of them."""
