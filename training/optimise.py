"""The optimisation loop: one for every objective, through accelerate, resumable to the same weights.

On one CPU, one GPU or several (`accelerate launch -m training.train_bert …`). A killed run goes on from its last
checkpoint and ends with the weights an uninterrupted one would have: the plan of batches, the noise and the masks
depend on the seed alone, and a checkpoint holds weights, optimiser, schedule and random states.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, set_seed
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import get_linear_schedule_with_warmup

from training.batches import Visit
from zoo.registry.recipes import Training
from zoo.runs import RunError, write_json

CHECKPOINT_SECONDS = 60.0
"""Between two checkpoints; read at every step, so that a test may ask for one at each."""
LOG_EVERY = 20

Batcher = Callable[[Sequence[Visit]], dict[str, torch.Tensor]]


def mixed_precision() -> str:
    """Return "bf16" where the machine multiplies bfloat16 faster than float32, else "no".

    A CPU needs AMX for that: with AVX-512 BF16 alone, training here ran at half its float32 speed.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if torch.cpu.get_capabilities().get("amx_bf16", False) else "no"


def optimise(
    objective: nn.Module,
    batcher: Batcher,
    plan: Sequence[Sequence[Visit]],
    training: Training,
    folder: Path,
    seed: int,
    title: str,
) -> dict[str, Any]:
    """Train until the plan is done, going on from a checkpoint if the folder holds one.

    Args:
        objective: `forward(batch)` returns a dict of scalars with `loss`; its weights are trained in place.
        batcher: Turns the visits of one batch into tensors.
        plan: The batches, in order (`training.batches.plan_batches`).
        training: Learning rate and the like.
        folder: Holds `checkpoint/` while training and `losses.jsonl`.
        seed: Of dropout.
        title: For the progress bar.

    Returns:
        Figures for the record: steps, tokens, seconds, tokens/s, precision, last loss.
    """
    accelerator = Accelerator(mixed_precision=mixed_precision(), cpu=not torch.cuda.is_available())
    set_seed(seed)
    mine = share_of(plan, accelerator.process_index, accelerator.num_processes)
    made = make_optimizers(objective, training)
    schedules = [get_linear_schedule_with_warmup(one, round(training.warmup * len(mine)), len(mine)) for one in made]
    objective, *optimizers = accelerator.prepare(objective, *made)
    accelerator.register_for_checkpointing(*schedules)
    progress = _Log(folder, accelerator)
    done = progress.resume(accelerator)
    # A loader draws a number when it starts; from the common generator, a resumed run would see other dropout.
    loader: DataLoader = DataLoader(
        _Batches(mine[done:]), batch_size=None, collate_fn=batcher, generator=torch.Generator()
    )
    started = last_saved = time.monotonic()
    tokens, loss = 0, float("nan")
    objective.train()
    with _bar(accelerator) as bar:
        task = bar.add_task(title, total=len(mine), completed=done, loss="")
        for step, batch in enumerate(loader, done + 1):
            batch = {name: value.to(accelerator.device) for name, value in batch.items()}
            with accelerator.autocast():
                losses = objective(batch)
            accelerator.backward(losses["loss"])
            accelerator.clip_grad_norm_(objective.parameters(), training.max_grad_norm)
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            tokens += batch["input_ids"].numel()
            if step % LOG_EVERY == 0 or step == len(mine):
                loss = progress.write(step, losses, tokens / (time.monotonic() - started))
                bar.update(task, loss=f"loss {loss:.3f}")
            bar.update(task, completed=step)
            if step < len(mine) and _all_agree(accelerator, step, time.monotonic() - last_saved > CHECKPOINT_SECONDS):
                progress.save(accelerator, step)
                last_saved = time.monotonic()
    accelerator.wait_for_everyone()
    seconds = time.monotonic() - started
    accelerator.free_memory()
    return {
        "steps": len(mine),
        "tokens_read": tokens * accelerator.num_processes,
        "tokens_per_second": round(tokens * accelerator.num_processes / max(seconds, 1e-9)),
        "resumed_at_step": done,
        "precision": mixed_precision(),
        "last_loss": round(loss, 4),
    }


def share_of(plan: Sequence[Sequence[Visit]], number: int, count: int) -> Sequence[Sequence[Visit]]:
    """Return the batches of one of several processes, as many for each; what does not divide is left out.

    Raises:
        RunError: there is not a batch for each.
    """
    each = len(plan) // count
    if each == 0:
        raise RunError(
            f"{len(plan)} batches for {count} processes: raise `tokens`, lower `batch_tokens`, or start fewer"
        )
    return plan[number::count][:each]


def _all_agree(accelerator: Accelerator, step: int, due: bool) -> bool:
    """Return the leader's answer in every process: each by its own clock, they would wait for one another for ever."""
    if accelerator.num_processes == 1:
        return due
    if step % LOG_EVERY:
        return False
    answer = torch.tensor([int(due)], device=accelerator.device)
    return bool(broadcast(answer).item())


def make_optimizers(module: nn.Module, training: Training) -> list[torch.optim.Optimizer]:
    """Return AdamW over all weights; or, for `muon`, Muon over the layers' matrices and AdamW over the rest.

    Biases and normalisations are not decayed. Muon's steps are scaled to AdamW's size, so that both take one learning
    rate; embeddings and heads stay with AdamW, as its authors advise.
    """
    trained = [(name, weight) for name, weight in module.named_parameters() if weight.requires_grad]
    turned = [weight for name, weight in trained if weight.ndim == 2 and ".encoder.layer." in f".{name}"]
    if training.optimizer == "adamw":
        turned = []
    elif not turned:
        raise RunError("optimizer 'muon' found no matrix below 'encoder.layer' in this model; say optimizer = 'adamw'")
    ids = set(map(id, turned))
    rest = [weight for _, weight in trained if id(weight) not in ids]
    groups = [
        {"params": [weight for weight in rest if weight.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [weight for weight in rest if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)]
    if turned:
        optimizers.append(
            torch.optim.Muon(
                turned, lr=training.learning_rate, weight_decay=training.weight_decay, adjust_lr_fn="match_rms_adamw"
            )
        )
    return optimizers


def _bar(accelerator: Accelerator) -> Progress:
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    return Progress(*columns, TimeRemainingColumn(), disable=not accelerator.is_main_process)


class _Batches(Dataset[Sequence[Visit]]):
    """The rest of a plan, as torch's loader wants it."""

    def __init__(self, plan: Sequence[Sequence[Visit]]) -> None:
        self.plan = plan

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> Sequence[Visit]:
        return self.plan[index]


class _Log:
    """The checkpoint and the curve of one training."""

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self.checkpoint = folder / "checkpoint"
        self.curve = folder / "losses.jsonl"
        self.main = accelerator.is_main_process
        if self.main:
            folder.mkdir(parents=True, exist_ok=True)

    def resume(self, accelerator: Accelerator) -> int:
        """Load the last whole checkpoint and return how many steps it had done."""
        fresh = self.checkpoint.with_name("checkpoint.fresh")
        if self.main and not self.checkpoint.exists() and (fresh / "step.json").is_file():
            fresh.rename(self.checkpoint)  # killed between the two renames of `save`
        accelerator.wait_for_everyone()
        if not (self.checkpoint / "step.json").is_file():
            if self.main:
                self.curve.unlink(missing_ok=True)
            return 0
        accelerator.load_state(str(self.checkpoint))
        step = int(json.loads((self.checkpoint / "step.json").read_text())["step"])
        if self.main and self.curve.is_file():
            kept = [line for line in self.curve.read_text().splitlines() if json.loads(line)["step"] <= step]
            self.curve.write_text("".join(line + "\n" for line in kept))
        return step

    def save(self, accelerator: Accelerator, step: int) -> None:
        """Write a checkpoint beside the last one, then take its name: there is always one whole checkpoint."""
        fresh, old = (self.checkpoint.with_name(f"checkpoint.{name}") for name in ("fresh", "old"))
        accelerator.save_state(str(fresh))
        accelerator.wait_for_everyone()
        if not self.main:
            return
        write_json(fresh / "step.json", {"step": step})
        _remove(old)
        if self.checkpoint.exists():
            self.checkpoint.rename(old)
        fresh.rename(self.checkpoint)
        _remove(old)

    def write(self, step: int, losses: dict[str, torch.Tensor], tokens_per_second: float) -> float:
        """Append a line to the curve; return the loss."""
        values = {name: round(float(value.detach()), 5) for name, value in losses.items()}
        if self.main:
            with self.curve.open("a") as stream:
                stream.write(json.dumps({"step": step, **values, "tokens_per_second": round(tokens_per_second)}) + "\n")
        return values["loss"]


def _remove(folder: Path) -> None:
    import shutil

    if folder.exists():
        shutil.rmtree(folder)
