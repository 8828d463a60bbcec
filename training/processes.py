"""The processes of one training: alone on a CPU or a GPU, or several started by `accelerate launch`."""

from __future__ import annotations

import torch
from accelerate import PartialState

from zoo.runs import Alone


class Processes(Alone):
    """All processes of this training; the leader writes, the others wait."""

    def __init__(self) -> None:
        """Join the group that the launcher made; alone without a launcher."""
        # Without being told that there is no GPU, accelerate takes several processes on a CPU for as many lone ones.
        self._state = PartialState(cpu=not torch.cuda.is_available())
        self.leader = self._state.is_main_process

    def wait(self) -> None:
        """Return when every process has come here."""
        self._state.wait_for_everyone()
