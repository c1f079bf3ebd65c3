"""What a run tells while it works; nothing, unless someone overrides this."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zotheory.training.state import Point, State


class Watch:
    """Hears of every step and every evaluation."""

    def begin(self, title: str, total: int, unit: str) -> None:
        """Something begins that takes `total` passes, steps or sentences (`unit`)."""

    def step(self, state: State, done: int) -> None:
        """A step was made; `done` counts towards the total."""

    def evaluated(self, point: Point, best: bool) -> None:
        """An evaluation was made, the best so far or not."""

    def tell(self, what: str) -> None:
        """Something else is being done."""


# A run in a terminal: a line for every evaluation, over a bar with loss, speed and time left.


_HEAD = f"{'step':>8}{'passes':>9}{'train loss':>12}{'loss':>10}{'accuracy':>10}{'seconds':>10}"


class TrainingProgress(Watch):
    """Shows what a run tells; a context, so that the bar goes at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, told="", visible=False)

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, title: str, total: int, unit: str) -> None:
        self._console.print(f"{title}  ({total} {unit})", style="bold", highlight=False)
        self._console.print(_HEAD, style="dim", highlight=False)
        self._bar.reset(self._task, total=total, description=unit, told="", visible=True)

    def step(self, state: State, done: int) -> None:
        total, count = state.recent
        told = f"loss {total / count:.3f}" if count else ""
        if state.rates:
            told += f"  lr {state.rates[-1][1]:.2g}"
        if state.step:
            told += f"  {state.seconds / state.steps_cost.passes:.2f} s/pass"
        self._bar.update(self._task, completed=done, told=told)

    def evaluated(self, point: Point, best: bool) -> None:
        seen = "" if point.train_loss is None else f"{point.train_loss:.4f}"
        line = f"{point.step:8}{point.passes:9}{seen:>12}{point.loss:10.4f}"
        line += f"{point.accuracy:10.1%}{point.seconds:10.1f}{'  best' if best else ''}"
        self._console.print(line, highlight=False)

    def tell(self, what: str) -> None:
        self._console.print(what, style="dim", highlight=False, markup=False)
