"""What a tokenizer.json may ask for, so that no note can hang it or fill the memory.

Tried on tokenizers 0.23: a regular expression that backtracks ends in a Rust panic, which no `except Exception` sees;
twenty-six replacements of `a` by `aa` never end; a WordPiece model without a limit on the length of a word needs
quadratic time. Students of Carabin need none of these, and published tokenizers use few regular expressions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from carabin.errors import ModelError
from carabin.trust.manifest import read_strict_json

_LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
KNOWN_EXPRESSIONS = frozenset({
    " {2,}",
    r"\s+",
    r"\p{N}",
    r"\p{N}{1,3}",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    _LLAMA,
    _LLAMA.replace("{1,3}", ""),
})  # fmt: skip
"""Of SentencePiece conversions, GPT-2, Llama 3 and Qwen 2: none backtracks without bound."""

LARGEST_FILE = 64 << 20
LONGEST_WORD = 1_000
MOST_STEPS = 64
_STAGES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_REFUSED = "do not use this student"


def check_tokenizer(path: Path) -> None:
    """Raise ModelError if a tokenizer.json asks for work without bound, or is not a JSON object."""
    record = read_strict_json(path, LARGEST_FILE)
    model = record.get("model")
    longest = model.get("max_input_chars_per_word", 0) if isinstance(model, dict) else 0
    if not isinstance(longest, int) or longest > LONGEST_WORD:
        raise ModelError(f"{path}: reads words of up to {longest} characters, in quadratic time; {_REFUSED}")
    for stage in _STAGES:
        steps = list(_steps(record.get(stage)))
        if len(steps) > MOST_STEPS:
            raise ModelError(f"{path}: its {stage} has {len(steps):,} steps, at most {MOST_STEPS} are run; {_REFUSED}")
        for step in steps:
            if cause := _refusal(step):
                raise ModelError(f"{path}: its {stage} {cause}; {_REFUSED}")


def _steps(node: object) -> Iterator[dict[str, Any]]:
    """Yield every object below a stage that could be a step of it."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(value for key, value in node.items() if key not in ("pattern", "special_tokens"))
        elif isinstance(node, list):
            waiting.extend(node)


def _refusal(step: dict[str, Any]) -> str | None:
    pattern = step.get("pattern")
    expression = pattern.get("Regex") if isinstance(pattern, dict) else None
    if expression is not None and expression not in KNOWN_EXPRESSIONS:
        return f"searches a regular expression that is not known to end: {str(expression)[:60]!r}"
    content, sought = step.get("content", ""), pattern.get("String", "x") if isinstance(pattern, dict) else ""
    # What is put in may not be longer than what it stands for: replacements in a row would double the text each.
    if pattern is not None and len(str(content)) > max(1, len(str(sought))):
        return f"replaces text by {len(str(content)):,} characters, longer than what it stands for"
    if len(str(step.get("prepend", ""))) > 1 or len(str(step.get("replacement", ""))) > 1:
        return "puts in more than one character"
    if step.get("type") == "FixedLength" and step.get("length") in (0, None):
        return "cuts text into pieces of no length"
    return None
