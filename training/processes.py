"""The processes of one training: alone on a CPU or a GPU, or several started by `accelerate launch`."""

from __future__ import annotations

from datetime import timedelta

import torch
from accelerate import PartialState

from zoo.runs import Alone

LONGEST_WAIT = timedelta(days=7)
"""The others wait while the leader writes passages, or for who labels the last shard; torch gives up after 10 minutes
on GPUs, 30 on CPUs."""


class Processes(Alone):
    """All processes of this training; the leader writes, the others wait."""

    def __init__(self) -> None:
        """Join the group that the launcher made; alone without a launcher."""
        # Without being told that there is no GPU, accelerate takes several processes on a CPU for as many lone ones.
        self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=LONGEST_WAIT)
        self.leader = self._state.is_main_process
        self.number, self.count = self._state.process_index, self._state.num_processes
        self.device: torch.device = self._state.device

    def wait(self) -> None:
        """Return when every process has come here."""
        self._state.wait_for_everyone()
