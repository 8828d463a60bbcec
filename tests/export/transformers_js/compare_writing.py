"""The card's lines for transformers.js against carabin, for a student that writes; as `compare` for one that tags.

    npm install --ignore-scripts --no-package-lock --prefix tests/export/transformers_js
    python -m tests.export.transformers_js.compare_writing --repository runs/t5-small/local/seed-1/repository

transformers.js runs the merged decoder, carabin the two that it was made of. Exit code 1: another conclusion.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carabin import Document
from carabin.generation.writer import Writer
from tests.export.transformers_js.compare import HERE, card_call, run_node
from zoo.conclusions import split_conclusion
from zoo.corpora import read_documents
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse


def main(
    repository: Annotated[Path, typer.Option(help="A published student's folder.")],
    modules: Annotated[Path, typer.Option(help="Folder that holds node_modules/.")] = HERE,
    reports: Annotated[int, typer.Option(help="Synthetic reports to compare on.")] = 8,
) -> None:
    """Compare the conclusions of transformers.js with carabin's on reports that fit in one window."""
    call = card_call(repository)
    writer = Writer.load(repository, quantized='"q8"' in call)
    found = read_documents(Registry(), CorpusUse("synthetic-reports", "dev", 4 * reports), None)
    bodies = [Document(one.id, body.text) for one in found if (body := split_conclusion(one))]
    ours = [one for one in writer.summarise(bodies) if one.windows == 1][:reports]
    theirs = run_node("written", modules, repository, call, [one.document.text for one in ours])
    for summary, text in zip(ours, theirs, strict=True):
        if summary.text.strip() != text.strip():
            raise SystemExit(
                f"{summary.document.id}: another conclusion:\n  transformers.js {text}\n  carabin {summary.text}"
            )
    typer.echo(f"same conclusions: {len(ours)} reports of one window each")


if __name__ == "__main__":
    typer.run(main)
