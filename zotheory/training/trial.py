"""Training with one learning rate: steps, evaluations and checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from estimators import NoStepSize, ZerothOrder
from zotheory.files import replacing, write_atomically
from zotheory.model.reviews import Split
from zotheory.training import checkpoint
from zotheory.training.checkpoint import Interruption, Stopped
from zotheory.training.methods import build
from zotheory.training.model import load_trainable, trainable
from zotheory.training.objective import Objective, batch_at
from zotheory.training.setup import Setup, TrainingError, named
from zotheory.training.state import Point, State, Tally, peak_bytes, restart_peak
from zotheory.training.watch import Watch

EVALUATIONS = 10  # a run, unless the setup says otherwise (LeZO, Table 5: every tenth of the steps)
CHECKPOINT_SECONDS = 300.0


class Diverged(Exception):
    """A loss is not finite."""


class Trial:
    """One run of a method over an objective; its folder holds all that it needs to go on.

    `checkpoint.pt` is written atomically at every evaluation, every few minutes and when the run
    is stopped; `best.pt` holds the trainable weights of the best evaluation, `log.pt` the replay
    log (zeroth-order methods), `result.json` the state at the end, whose presence says that the
    trial is done.

    Raises TrainingError if the method does not fit the weights, a file is damaged, or no step size
    follows from what lr="auto" measured.
    """

    def __init__(
        self, setup: Setup, lr: float | str, text: Split, objective: Objective, folder: Path
    ) -> None:
        self.setup = setup
        self.lr = lr
        self.text = text
        self.objective = objective
        self.folder = folder
        self.model = objective.language_model.model
        self.optimizer = build(setup, lr, self.model)
        self.state = State()
        self._saved = time.monotonic()

    def run(self, watch: Watch, interruption: Interruption) -> State:
        """Go on from the checkpoint, if there is one, to the end of the budget.

        Raises:
            Stopped: the interruption asked for it; the checkpoint is written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._restore()
        unit, total = self._budget()
        watch.begin(f"{self.setup.method}  lr {named(self.lr)}", total, unit)
        watch.step(self.state, self._done(unit))
        restart_peak(self.objective.device)
        try:
            while not self.state.diverged:
                if self._due():
                    watch.evaluated(*self._evaluate(interruption))
                    self._save()
                if self._spent() >= 1.0:
                    self._check_moved()
                    break
                interruption.check()
                self._step()
                watch.step(self.state, self._done(unit))
                if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
                    self._save()
        except Stopped:
            self._save()
            raise
        self._finish()
        return self.state

    def _step(self) -> None:
        state, start = self.state, time.perf_counter()
        if not isinstance(self.optimizer, ZerothOrder):
            rate = float(self.lr) * (1.0 - self._spent())  # linear, as the papers' fine-tuning
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        try:
            with self.objective.counter.into(state.steps_cost):
                loss = float(self.optimizer.step(self._closure()))
        except Diverged:
            state.diverged = True
            return
        except NoStepSize as error:
            raise TrainingError(f"{self.setup.method}: {error}") from error
        rule = getattr(self.optimizer, "step_size", None)
        if rule is not None:
            state.rates = list(map(list, rule.history))
            state.readings = [[r.step, r.own, r.fresh, r.curvature] for r in rule.readings]
        state.step += 1
        state.recent = (state.recent[0] + loss, state.recent[1] + 1)
        state.seconds += time.perf_counter() - start
        state.peak = max(state.peak, peak_bytes(self.objective.device))

    def _check_moved(self) -> None:
        """Raise TrainingError if the whole budget went into measuring a learning rate."""
        rule = getattr(self.optimizer, "step_size", None)
        if rule is not None and not rule.history:
            told = "the first readings of lr auto took the whole budget, and nothing was learnt"
            raise TrainingError(f"{self.setup.method}: {told}: give more passes, or lr a number")

    def _closure(self) -> Callable[[], Any]:
        setup = self.setup
        examples = batch_at(self.text.train, self.state.step, setup.batch_size, setup.seed)
        batch = self.objective.batch(examples)

        def closure() -> Tensor:
            loss = self.objective.loss(batch)
            if not torch.isfinite(loss):
                raise Diverged
            if loss.requires_grad:
                self.optimizer.zero_grad()
                loss.backward()
            return loss.detach()

        return closure

    def _evaluate(self, interruption: Interruption) -> tuple[Point, bool]:
        state, cost = self.state, Tally()
        with self.objective.counter.into(cost):
            score = self.objective.score(self.text.validation, interruption.check)
        total, count = state.recent
        point = Point(
            state.step,
            state.steps_cost.passes,
            total / count if count else None,
            score.loss,
            score.accuracy,
            state.seconds,
        )
        state.evaluations_cost.add(cost)
        state.recent = (0.0, 0)
        if not math.isfinite(score.loss):
            state.diverged = True
            return point, False
        state.history.append(point)
        best = state.best is point
        if best:
            checkpoint.save(self.folder / "best.pt", trainable(self.model))
        return point, best

    def _due(self) -> bool:
        """Whether an evaluation is due: first, last, and whenever a mark was passed in between."""
        if not self.state.history:
            return True
        last = self.state.history[-1]
        if last.step == self.state.step:
            return False
        every = self.setup.evaluate_every
        if every is not None:
            passed = self.state.step // every > last.step // every
        else:
            before = self._spent(last.step, last.passes)
            passed = int(EVALUATIONS * self._spent()) > int(EVALUATIONS * before)
        return passed or self._spent() >= 1.0

    def _spent(self, step: int | None = None, passes: int | None = None) -> float:
        """The share of the budget that is spent now, or was at a step."""
        step = self.state.step if step is None else step
        passes = self.state.steps_cost.passes if passes is None else passes
        pairs = ((step, self.setup.steps), (passes, self.setup.passes))
        return min(1.0, max(spent / budget for spent, budget in pairs if budget is not None))

    def _budget(self) -> tuple[str, int]:
        if self.setup.passes is not None:
            return "passes", self.setup.passes
        return "steps", self.setup.steps or 0

    def _done(self, unit: str) -> int:
        return self.state.step if unit == "steps" else self.state.steps_cost.passes

    def _restore(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        saved = checkpoint.load(path, self.objective.device)
        load_trainable(self.model, saved["weights"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.state = State.from_json(saved["state"])

    def _save(self) -> None:
        content = {
            "weights": trainable(self.model),
            "optimizer": self.optimizer.state_dict(),
            "state": self.state.to_json(),
        }
        checkpoint.save(self.folder / "checkpoint.pt", content)
        self._saved = time.monotonic()

    def _finish(self) -> None:
        if isinstance(self.optimizer, ZerothOrder):
            with replacing(self.folder / "log.pt") as beside:
                self.optimizer.log.save(beside)
        state = replace(self.state, recent=(0.0, 0))
        write_atomically(self.folder / "result.json", json.dumps(state.to_json(), indent=1))
        (self.folder / "checkpoint.pt").unlink(missing_ok=True)
