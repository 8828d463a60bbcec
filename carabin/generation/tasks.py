"""What a student that writes can be asked: the prefix of its source, and the marks in what it writes.

Prefixes stand before the source, as T5's do (Raffel et al., 2020). Marks are tokens of their own in the tokenizer,
plain ones that decoding keeps: a text is split at them and nowhere else.
"""

from __future__ import annotations

CONCLUSION = "conclusion : "
"""Before the body of a report: its conclusion is written."""
EXERCISES = "exercices : "
"""Before a whole report: an exercise is written (`carabin.exercises.form`), of the kind that its first mark says."""
ENTITIES = "entités : "
"""Before a passage: its entities are written in order, `surface | LABEL`, one a line."""

QRU, QRM, QROC, PROGRESSIVE = "<qru>", "<qrm>", "<qroc>", "<dp>"
"""Question à réponse unique, à réponses multiples, à réponse ouverte et courte; dossier progressif."""
KIND_MARKS = (QRU, QRM, QROC, PROGRESSIVE)

ANSWER_TYPES = (
    "diagnosis", "treatment", "dose", "lab", "procedure", "antecedent", "allergy", "germ", "follow-up",
    "entry-treatment", "stopped", "implant",
)  # fmt: skip
"""What an exercise asks for; the names of the facts of `zoo.synthesis`."""
TYPE_MARKS = tuple(f"<{name}>" for name in ANSWER_TYPES)

QUOTE, RIGHT, ASK, HOLE, WRONG = "<quote>", "<right>", "<ask>", "<of>", "<wrong>"
"""The fields of an exercise: the words of the report that justify it, each right answer, the question, what of the
report the question names, each wrong answer."""
FIELD_MARKS = (QUOTE, RIGHT, ASK, HOLE, WRONG)

MARKS = (*KIND_MARKS, *TYPE_MARKS, *FIELD_MARKS)
"""All of them, in the order in which a tokenizer holds them."""
