"""What a generative teacher that writes is asked, and the shape that its answer must have."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from training.endpoint_teacher_prompt import Messages, answer_schema, build_messages, frame
from zoo.labels import LABEL_SETS
from zoo.registry.recipes import WritingTask
from zoo.synthesis.exercises import list_stems

PROMPT = Path(__file__).with_name("endpoint_writer_prompt.toml")


@cache
def read_prompt() -> dict[str, Any]:
    """Read the instructions and their worked examples."""
    return tomllib.loads(PROMPT.read_text(encoding="utf-8"))


def build_writing_messages(text: str, task: WritingTask, label_set: str, exercises: int) -> Messages:
    """Return the conversation that asks for one text's conclusion, exercises or entities.

    Args:
        text: What the student will read.
        task: What is to be written.
        label_set: Of the entities.
        exercises: How many are asked for.
    """
    if task == "entities":
        return build_messages(text, label_set)
    prompt = read_prompt()
    instruction = prompt[task]["instruction"].strip()
    if task == "exercises":
        instruction += f"\nQuestions permises :\n{_show_stems()}\nÉcris {exercises} questions, de formes variées."
    example = prompt[task]["example"]
    return [
        {"role": "system", "content": f"{instruction}\n{prompt['frame'].strip()} {prompt[task]['shape']}"},
        {"role": "user", "content": frame(example["text"])},
        {"role": "assistant", "content": json.dumps({task: example[task]}, ensure_ascii=False)},
        {"role": "user", "content": frame(text)},
    ]


def _show_stems() -> str:
    lines = []
    for kind, types in list_stems().items():
        for asks, templates in types.items():
            lines += [f"- {kind}, {asks} :", *(f"  {template}" for template in templates)]
    return "\n".join(lines)


def writing_schema(task: WritingTask, label_set: str) -> dict[str, Any]:
    """Return the JSON schema of an answer."""
    if task == "entities":
        return answer_schema(LABEL_SETS[label_set])
    words = {"type": "string"}
    listed = {"type": "array", "items": words}
    if task == "conclusion":
        return _object({"conclusion": words})
    stems = list_stems()
    item = _object(
        {
            "kind": words | {"enum": list(stems)},
            "asks": words | {"enum": sorted({asks for types in stems.values() for asks in types})},
            "quote": words, "right": listed, "question": words, "of": words, "wrong": listed,
        }
    )  # fmt: skip
    return _object({"exercises": {"type": "array", "items": item}})


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
