"""Pretrain an encoder, or an encoder-decoder, of the zoo's own on open text.

    make pretrain MODEL=open-medium [MINUTES=10]      (open-writer: what students that write start from)
    python -m training.pretrain_encoder --encoder open-medium [--minutes 10] [--dry-run]

1. Put its corpora before the licence gate; nothing is read before.
2. Read the open text: keep the sentences that say something new, leave out what shares eight words in a row with a
   text that somebody will be measured on; train the tokenizer; pack the token ids into rows.
3. Start the token embeddings from word vectors, if the recipe says so.
4. Masked-language modelling of an encoder, if the recipe says so; span corruption of an encoder-decoder; until its
   tokens are read or MINUTES are over.

Done once per recipe, and goes on where a kill left it. The same on a CPU and on a GPU (bfloat16 where it pays);
`accelerate launch -m training.pretrain_encoder …` runs it on several GPUs.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from zoo.denormals import flush_denormals
from zoo.errors import one_line_errors
from zoo.licences import LicenceRefused, judge_encoder
from zoo.registry import REPOSITORY, Registry
from zoo.runs import RECORD, read_json

SHOWN = (
    "text_words", "tokens", "parameters", "word_vectors_seconds", "tokens_read", "tokens_per_second", "last_loss",
    "model_flop_utilisation", "matmul_peak_tflops", "precision", "energy", "seconds",
)  # fmt: skip


def main(
    encoder: Annotated[str, typer.Option(help="A file of models/encoders/.")],
    minutes: Annotated[float | None, typer.Option(min=0.1, help="In place of the recipe's tokens.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Print the recipe and its licence verdict, and stop.")] = False,
) -> None:
    """Pretrain an encoder or an encoder-decoder on open text."""
    registry = Registry()
    with one_line_errors("stopped"):
        declared = registry.encoder(encoder)
        verdict = judge_encoder(registry, declared)
        if dry_run:
            shown = {"encoder": asdict(declared), "verdict": verdict.to_dict()}
            typer.echo(json.dumps(shown, indent=2, ensure_ascii=False, default=str))
            return
        if verdict.level in {"refused", "evaluation-only"}:
            raise LicenceRefused(f"encoder '{encoder}': {verdict.reasons[0]}; {verdict.reasons[0].way_out}")
        typer.echo(f"gate    {verdict.level}: encoder {encoder}")
        # torch takes seconds to import: who asks for a dry run, or is refused, does not wait for it.
        from training.pretraining import make_encoder

        flush_denormals()
        folder = make_encoder(registry, declared, REPOSITORY / "runs", minutes)
    record = read_json(folder / RECORD)
    typer.echo(f"encoder {folder}")
    for name in SHOWN:
        if name in record:
            typer.echo(f"        {name}: {record[name]}")


if __name__ == "__main__":
    typer.run(main)
