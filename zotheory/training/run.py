"""A run: from a setup to its row, stoppable and resumable."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from zotheory.arguments import as_path, flag, shown
from zotheory.budget import OWN_MODEL
from zotheory.files import write_atomically
from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.reviews import Split
from zotheory.model.source import model_source
from zotheory.training import checkpoint
from zotheory.training.checkpoint import Interruption
from zotheory.training.methods import UNTRAINED, complete, hyperparameters
from zotheory.training.model import device, dtype, load, load_trainable, prepare, save_model
from zotheory.training.objective import OWN_TASK, Objective, load_task, make_split
from zotheory.training.references import REFERENCES
from zotheory.training.rows import commit, describe, dump
from zotheory.training.setup import Setup, TrainingError, named
from zotheory.training.state import State, Tally, peak_bytes, restart_peak
from zotheory.training.trial import Trial
from zotheory.training.watch import Watch


def train(
    setup: Setup,
    out: str | PathLike[str],
    *,
    resume: bool = False,
    save: bool = False,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Make the run that `setup` describes; return its row, which is also OUT/row.json.

    Args:
        setup: what to do. Learning rates and a budget that it leaves open are filled in.
        out: a folder for checkpoints, replay logs and the row.
        resume: go on with the same run in `out`, or begin it; a finished one is read.
        save: keep the best model too, in OUT/model.
        watch: hears of progress.

    Raises:
        TrainingError: bad values, or `out` holds a run already (another one, with `resume`).
        AssetError, ModelError: the model or the text cannot be had, or does not fit the prompt.
            A path to nothing is told before any work.
        Stopped: SIGINT or SIGTERM asked for it; `resume` goes on from there, bit for bit.
    """
    if not isinstance(setup, Setup):
        raise TrainingError(f"setup must be a Setup, such as Setup('mezo'), got {shown(setup)}")
    if not isinstance(watch, Watch | None):
        raise TrainingError(f"watch must be a Watch or None, got {shown(watch)}")
    out = as_path("out", out, TrainingError)
    resume, save = flag("resume", resume, TrainingError), flag("save", save, TrainingError)
    setup = complete(setup)
    device(setup)
    try:
        if not (out / "row.json").exists():
            _check_sources(setup)
        with _opened(out, setup, resume) as run:
            row = out / "row.json"
            if not row.exists():
                with Interruption() as interruption:
                    found = _Run(setup, out, watch or Watch(), interruption).row(save)
                found["commit"] = " ".join(run["commits"])
                write_atomically(row, dump(found))
            for weights in out.glob("lr-*/best.pt"):
                weights.unlink()
            return json.loads(row.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"cannot use {out}: {error.strerror or error}") from error


def _check_sources(setup: Setup) -> None:
    """Raise ModelError or TrainingError if the model's or the task's path leads to none."""
    if setup.model != OWN_MODEL:
        model_source(setup.model)
    if setup.task != OWN_TASK:
        load_task(setup.task)


@contextmanager
def _opened(out: Path, setup: Setup, resume: bool) -> Iterator[dict[str, Any]]:
    """The folder's run, held by this process, with the threads that it began with."""
    out.mkdir(parents=True, exist_ok=True)
    marker, threads = out / "run.json", torch.get_num_threads()
    try:
        with FileLock(out / "lock", timeout=0):
            run: dict[str, Any] = {"setup": setup.to_json(), "threads": threads, "commits": []}
            if marker.exists():
                run = _known(marker, setup, resume)
            if commit() not in run["commits"]:
                run["commits"].append(commit())
            write_atomically(marker, json.dumps(run, indent=1))
            torch.set_num_threads(run["threads"])  # they share out sums, and so decide roundings
            yield run
    except Timeout as error:
        raise TrainingError(f"another process works in {out}") from error
    finally:
        torch.set_num_threads(threads)


def _known(marker: Path, setup: Setup, resume: bool) -> dict[str, Any]:
    if not resume:
        raise TrainingError(
            f"{marker.parent} holds a run already: go on with --resume, or give another --out"
        )
    try:
        run = json.loads(marker.read_text(encoding="utf-8"))
        before, now = run["setup"], setup.to_json()
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{marker} is damaged; delete {marker.parent}") from error
    for name, value in now.items():
        if before.get(name) != value:
            raise TrainingError(
                f"{marker.parent} holds a run with {name} {before.get(name)}, not {value}:"
                " give another --out"
            )
    return run


class _Run:
    """The work of one run, once its folder is open."""

    def __init__(self, setup: Setup, out: Path, watch: Watch, interruption: Interruption) -> None:
        self.setup = setup
        self.out = out
        self.watch = watch
        self.interruption = interruption

    def row(self, save: bool) -> dict[str, Any]:
        """Everything that the row says, but for the commit."""
        self.watch.tell("loading the model and the text")
        plain = load(self.setup)
        text = make_split(self.setup, plain.tokenizer)
        described = describe(self.setup, device(self.setup))
        if self.setup.method in UNTRAINED:
            return described | self._reference(plain, text)
        results = self._trials(plain, text)
        return described | self._trained(results, text, save)

    def _objective(self, plain: LanguageModel | None, text: Split) -> Objective:
        """A fresh model at its first weights."""
        plain = load(self.setup) if plain is None else plain
        language_model = prepare(plain, self.setup, text.train[:2])
        setup = self.setup
        return Objective(language_model, setup.loss, device(setup), dtype(setup))

    def _trials(self, plain: LanguageModel | None, text: Split) -> dict[float | str, State]:
        """The states at the end of all learning rates; the best one's weights are kept."""
        results: dict[float | str, State] = {}
        for lr in self.setup.lrs:
            folder = self._folder(lr)
            done = folder / "result.json"
            if not done.exists():
                trial = Trial(self.setup, lr, text, self._objective(plain, text), folder)
                plain = None
                trial.run(self.watch, self.interruption)
                del trial
            results[lr] = State.from_json(json.loads(done.read_text(encoding="utf-8")))
            if not results[lr].history:
                raise ModelError(f"{self.setup.model} has no finite loss on {self.setup.task}")
            for other in results.keys() - {_best(results)}:
                (self._folder(other) / "best.pt").unlink(missing_ok=True)
        return results

    def _folder(self, lr: float | str) -> Path:
        return self.out / f"lr-{lr}"

    def _trained(
        self, results: dict[float | str, State], text: Split, save: bool
    ) -> dict[str, Any]:
        """The test of the best weights, and the numbers of their trial."""
        lr = _best(results)
        state, weights = results[lr], self._folder(lr) / "best.pt"
        self.watch.tell(f"testing the weights of lr {named(lr)}, step {state.best.step}")
        objective, evaluations = self._objective(None, text), state.evaluations_cost
        language_model = objective.language_model
        load_trainable(language_model.model, checkpoint.load(weights, objective.device))
        with objective.counter.into(evaluations):
            test = objective.score(text.test, self.interruption.check)
        parameters = list(language_model.model.parameters())
        if save:
            save_model(language_model, self.setup.tuning, self.out / "model")
        return {
            "hyperparameters": {"lr": lr, **hyperparameters(self.setup)},
            "test": asdict(test),
            "validation": {"loss": state.best.loss, "accuracy": state.best.accuracy},
            "start": {"loss": state.history[0].loss, "accuracy": state.history[0].accuracy},
            "best_step": state.best.step,
            "steps": state.step,
            **_costs(state.steps_cost, evaluations),
            "grid": [_summary(rate, trial) for rate, trial in results.items()],
            "rates": state.rates,
            "readings": state.readings,
            "seconds": state.seconds,
            "peak_memory": state.peak,
            "parameters": sum(p.numel() for p in parameters),
            "trained_parameters": sum(p.numel() for p in parameters if p.requires_grad),
            "history": [asdict(point) for point in state.history],
        }

    def _reference(self, plain: LanguageModel, text: Split) -> dict[str, Any]:
        self.watch.tell(self.setup.method)
        objective = self._objective(plain, text)
        restart_peak(objective.device)
        start = time.perf_counter()
        method = REFERENCES[self.setup.method]
        found = method(self.setup, objective, text, self.interruption.check)
        return {
            "hyperparameters": {**hyperparameters(self.setup), **found.chosen},
            "test": asdict(found.test),
            "validation": asdict(found.validation),
            "steps": 0,
            **_costs(found.training, found.evaluation),
            "grid": [],
            "seconds": time.perf_counter() - start,
            "peak_memory": peak_bytes(objective.device),
            "parameters": plain.parameters,
            "trained_parameters": 0,
            "history": [],
        }


def _best(results: dict[float | str, State]) -> float | str:
    return min(results, key=lambda lr: results[lr].best.loss)


def _costs(training: Tally, evaluation: Tally) -> dict[str, int]:
    return {
        "passes": training.passes,
        "forward_passes": training.forward,
        "backward_passes": training.backward,
        "tokens": training.tokens,
        "evaluation_passes": evaluation.passes,
    }


def _summary(lr: float | str, state: State) -> dict[str, Any]:
    best = state.best
    return {
        "lr": lr,
        "loss": best.loss,
        "accuracy": best.accuracy,
        "best_step": best.step,
        "steps": state.step,
        "passes": state.steps_cost.passes,
        "diverged": state.diverged,
    }
