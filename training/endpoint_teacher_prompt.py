"""What a generative teacher is asked: an instruction, a worked example, one passage of a document at a time."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from zoo.labels import LABEL_SETS
from zoo.runs import RunError, fingerprint

PROMPT = Path(__file__).with_name("endpoint_teacher_prompt.toml")
Messages = list[dict[str, str]]

# Best place to cut first: an empty line, the end of a sentence, the end of a line, a blank.
_CUTS = tuple(
    re.compile(pattern)
    for pattern in (r"\n[^\S\n]*\n\s*", r"[.!?…;]\s+", r"\n\s*", r"\s+", r"(?<=[^\w\u0300-\u036f])(?=\w)")
)


@cache
def _read_prompt() -> dict[str, Any]:
    return tomllib.loads(PROMPT.read_text(encoding="utf-8"))


def build_messages(text: str, label_set: str) -> Messages:
    """Return the conversation that asks for a passage's entities.

    Raises:
        RunError: the prompt does not explain this label set.
    """
    prompt = _read_prompt()
    explained = prompt.get(label_set, {}).get("labels", {})
    if tuple(explained) != LABEL_SETS[label_set]:
        way_out = f"add [{label_set}.labels], all of them, in order"
        raise RunError(f"{PROMPT.name}: does not explain the labels of '{label_set}'; {way_out}")
    lines = "\n".join(f"- {label} : {meaning}" for label, meaning in explained.items())
    example = prompt[label_set]["example"]
    answer = [{"surface": surface, "label": label} for surface, label in example["entities"]]
    return [
        {"role": "system", "content": prompt["instruction"].strip() + "\n" + lines},
        {"role": "user", "content": frame(example["text"])},
        {"role": "assistant", "content": json.dumps({"entities": answer}, ensure_ascii=False)},
        {"role": "user", "content": frame(text)},
    ]


def frame(text: str) -> str:
    """Return a text as it is shown: whatever it says, it stands between two marks."""
    return f"<texte>\n{text}\n</texte>"


def hash_prompt(label_set: str) -> str:
    """Return the sha256 of all that is said around a passage."""
    return fingerprint(build_messages("", label_set))


def answer_schema(labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON schema of an answer."""
    fields = {"surface": {"type": "string"}, "label": {"type": "string", "enum": list(labels)}}
    item = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    entities = {"entities": {"type": "array", "items": item}}
    return {"type": "object", "properties": entities, "required": ["entities"], "additionalProperties": False}


def cut_text(text: str, longest: int, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) of passages that tile `text[start:end]`, each of at most `longest` code points.

    A passage ends at the last empty line of its second half, else at the end of a sentence, of a line, at a blank,
    between two words; only a word longer than all that is cut in two.
    """
    end = len(text) if end is None else end
    while end - start > longest:
        stop = _last_cut(text, start + max(longest // 2, 1), start + longest)
        yield start, stop
        start = stop
    if start < end:
        yield start, end


def _last_cut(text: str, lowest: int, highest: int) -> int:
    for pattern in _CUTS:
        ends = [found.end() for found in pattern.finditer(text, lowest, highest)]
        if ends:
            return ends[-1]
    return highest
