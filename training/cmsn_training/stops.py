"""Signals that end a training: one line that names the last complete epoch, and the signal's own exit status."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from cmsn_runtime.stopping import Stopped, raise_if_stopped


class TrainingStopped(Stopped):
    """Stopped, with a line of its own for people."""

    def __init__(self, number: int, line: str) -> None:
        super().__init__(number)
        self.args = (line,)


@contextmanager
def stop_line(line: Callable[[], str]) -> Iterator[None]:
    """Raises TrainingStopped with the line where a signal ends the block, unless a nested block has done so already.

    Whatever exception the signal turned into on its way counts: Lightning answers SIGTERM with a SystemExit of 0.
    """
    try:
        yield
    except TrainingStopped:
        raise
    except Stopped as stopped:
        raise _named(stopped, line) from None
    except (Exception, SystemExit):
        try:
            raise_if_stopped()
        except Stopped as stopped:
            raise _named(stopped, line) from None
        raise


def stopped_after(phase: str, epochs: int) -> str:
    """The line of a stopped training. epochs: finished ones of that phase."""
    return f"{phase}: stopped after epoch {epochs}; --resume continues"


def _named(stopped: Stopped, line: Callable[[], str]) -> BaseException:
    """Of several processes that train together, only the first one reports."""
    first = rank_zero_only(lambda: True)() is True
    return TrainingStopped(stopped.number, line()) if first else SystemExit(stopped.status)


class HeedSignals(pl.Callback):
    """A signal ends the training at once, and its other processes with it."""

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning has installed a handler that waits for the other processes, which may no longer answer.
        if callable(self._handler):
            signal.signal(signal.SIGTERM, self._handler)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        raise_if_stopped()  # where the exception was swallowed, as it is within a destructor

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        launcher = trainer.strategy.launcher
        if isinstance(exception, Stopped) and isinstance(launcher, _SubprocessScriptLauncher):
            launcher.kill(signal.SIGTERM)
