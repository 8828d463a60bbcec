"""The card's lines for transformers.js against carabin, by hand and in CI: npm is not needed to run the test suite.

    npm install --ignore-scripts --no-package-lock --prefix tests/export/transformers_js
    python -m tests.export.transformers_js.compare --repository runs/bert-small/local/seed-1/repository

transformers.js reads the repository by its standard names (`onnx/model_quantized.onnx` for `q8`), in node, offline.
Exit code 1: a token has another tag than carabin gives it.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from carabin import Annotator
from zoo.registry import Registry
from zoo.runs import read_json

HERE = Path(__file__).parent


def card_call(repository: Path) -> str:
    """Return the call of `pipeline` in the card's block of JavaScript."""
    card = (repository / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```javascript\n(.*?)```", card, re.DOTALL)
    call = block and re.search(r"pipeline\(.*\)", block[1])
    if not call:
        raise SystemExit(f"{repository / 'README.md'}: shows no pipeline of transformers.js")
    return call[0]


def run_node(program: str, modules: Path, repository: Path, call: str, texts: list[str]) -> Any:
    """Return what a program of this folder prints of each text."""
    if not (modules / "node_modules" / "@huggingface" / "transformers").is_dir():
        raise SystemExit(
            f"{modules}: no node_modules; run `npm install --ignore-scripts --no-package-lock --prefix {modules}`"
        )
    command = ["node", str(modules / f"{program}.mjs"), str(repository.resolve()), call, json.dumps(texts)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"node: {result.stderr.strip()[-2000:]}")
    return json.loads(result.stdout.partition(f"{program}:")[2])


def carabin_tags(annotator: Annotator, text: str) -> list[tuple[int, str]]:
    """Return, for each token of a text that fits in one window, its place in the window and its likeliest tag."""
    (read,) = annotator.reader.read([text])
    (ids,) = read.ids
    logits = annotator.engine(*annotator.reader.pad([ids]))[0]
    first, last = len(annotator.reader.prefix), len(ids) - len(annotator.reader.suffix)
    return [(place, annotator.tags[int(logits[place].argmax())]) for place in range(first, last)]


def main(
    repository: Annotated[Path, typer.Option(help="A published student's folder.")],
    modules: Annotated[Path, typer.Option(help="Folder that holds node_modules/.")] = HERE,
) -> None:
    """Compare transformers.js with carabin on the card's widget sentences."""
    texts = list(Registry().student(read_json(repository / "lineage.json")["student"]).widget)
    call = card_call(repository)
    theirs = run_node("tags", modules, repository, call, texts)
    annotator = Annotator.load(repository, quantized='"q8"' in call)
    for text, tags in zip(texts, theirs, strict=True):
        ours = carabin_tags(annotator, text)
        if [tuple(tag) for tag in tags] != ours:
            raise SystemExit(f"other tags than carabin's in {text!r}:\n  transformers.js {tags}\n  carabin {ours}")
        typer.echo(f"same tags: {sum(tag != 'O' for _, tag in ours)} of {len(ours)} tokens in entities: {text}")


if __name__ == "__main__":
    typer.run(main)
