"""How often a true claim is refuted, and a false one: `python -m zotheory.calibrate`.

The measured checks of real claims run at a loosened error of 0.05 over many independent seeds.
Under the guarantee that they state, at most 5% of the runs of a true statement end `refuted`.

Two things are to be told apart. The checks use Catoni's interval, which holds for every law with
the given variance and is therefore wide, and spend only half of the error at the first look: far
fewer than 5% are to be expected, and their rows say no more than that the bound holds. Whether the
machinery (streams, shards, intervals, decisions) hits a level where it could miss one is asked of
the last row: Clopper-Pearson's interval is exact but for the binomial's steps, and takes the whole
error at a single look, so its share should lie a little below 5%, not near 0.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.montecarlo import MonteCarlo
from zotheory.papers import select
from zotheory.statistics import ClopperPearson, decide_equal
from zotheory.vocabulary import Claim

ERROR = 0.05
CLAIMS = ("tezo.thm1.mean", "tezo.eq8.negligible_per_coordinate")
TIGHT = "P(<G, Z> > 0) = 1/2"
Pair = tuple[str, str]  # verdicts on a true and on a false statement


@dataclass(frozen=True)
class PositiveInner:
    """1 where <G, Z> = sum_s tau_s <G, u_s v_s^T> > 0 for G = e_1 e_1^T, else 0: mean 1/2."""

    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values, 0.0 or 1.0."""
        tau, u, v = rng.standard_normal((3, size, self.r))
        return ((tau * u * v).sum(axis=1) > 0).astype(float)


def truth_and_falsehood(claim: Claim) -> tuple[str, str]:
    """Which of a claim's statements is true and which is false, as names of its attributes.

    Its exact evidence tells: itself and its mutant, or its correction and itself. Raises ValueError
    if it tells neither.
    """
    exact = next(check for check in claim.checks if check.kind.proves)
    with tempfile.TemporaryDirectory() as scratch:
        found = exact.judge(claim.statement, _context(claim, 0, MonteCarlo(0), Path(scratch)))
    if found.verdict.holds and claim.mutant:
        return "statement", "mutant"
    if found.verdict.judged and claim.correction:
        return "correction", "statement"
    raise ValueError(f"{claim.id}: exact evidence is {found.verdict}, or a control is missing")


def _claim(claim_id: str) -> Claim:
    (claim,) = select([claim_id])
    return claim


def _context(claim: Claim, seed: int, engine: MonteCarlo, scratch: Path) -> Context:
    return Context(claim.id, seed, BUDGETS["quick"], engine, None, scratch, alpha=ERROR)


def run_claim(claim_id: str, roles: tuple[str, str], seed: int) -> Pair:
    """Verdicts of a claim's measured check on its true and its false statement, at one seed."""
    claim = _claim(claim_id)
    check = next(check for check in claim.checks if check.kind.random)
    with tempfile.TemporaryDirectory() as folder:
        engine = MonteCarlo(seed, store=Path(folder))  # both see the same samples, drawn once
        context = _context(claim, seed, engine, Path(folder))
        first, second = (check.judge(getattr(claim, role), context) for role in roles)
    return str(first.verdict), str(second.verdict)


def run_tight(seed: int) -> Pair:
    """Verdicts on P(<G, Z> > 0) = 0.5 and on 0.55, one look at the whole error."""
    shards = MonteCarlo(seed).run("calibrate/tight", PositiveInner(4), range(40), 100)
    decide = partial(
        decide_equal, shards, method=ClopperPearson(), tolerance=0.1, scale=1.0, alpha=ERROR
    )
    return decide(target=0.5).verdict, decide(target=0.55).verdict


def _run(subject: str, judge: Callable[[int], Pair], seed: int) -> tuple[str, Pair]:
    return subject, judge(seed)


def calibrate(seeds: int, jobs: int, console: Console) -> bool:
    """Run every subject over `seeds` seeds, print the shares, return whether the error is kept.

    It is not kept if the interval of some share of wrong refutations lies above 0.05.
    """
    subjects = {
        claim.id: partial(run_claim, claim.id, truth_and_falsehood(claim))
        for claim in map(_claim, CLAIMS)
    } | {TIGHT: run_tight}
    tasks = [delayed(_run)(*subject, seed) for seed in range(seeds) for subject in subjects.items()]
    outcomes: dict[str, list[Pair]] = {subject: [] for subject in subjects}
    done = Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)
    for subject, pair in track(done, "calibrating", len(tasks), console=console, transient=True):
        outcomes[subject].append(pair)
    console.print(_table(outcomes, seeds))
    return all(_share(pairs, 0)[1] <= ERROR for pairs in outcomes.values())


def _share(pairs: Sequence[Pair], which: int) -> tuple[float, float, float]:
    """The share refuted with its Clopper-Pearson interval at 95%: (share, low, high)."""
    refuted = sum(pair[which] == "refuted" for pair in pairs)
    low, high = binomtest(refuted, len(pairs)).proportion_ci(0.95, method="exact")
    return refuted / len(pairs), low, high


def _table(outcomes: dict[str, list[Pair]], seeds: int) -> Table:
    table = Table(
        title=f"Verdicts of measured checks at error {ERROR} over {seeds} seeds",
        title_justify="left",
        box=None,
    )
    for name in ("", "true, refuted", "true, confirmed", "false, refuted"):
        table.add_column(name, overflow="fold")
    for subject, pairs in outcomes.items():
        confirmed = sum(pair[0] == "confirmed" for pair in pairs) / len(pairs)
        true, false = (_told(_share(pairs, which)) for which in (0, 1))
        table.add_row(subject, true, f"{confirmed:.1%}", false)
    table.caption = (
        "Shares with 95% Clopper-Pearson intervals. The first rows use Catoni's interval and half "
        "of the error at a look: they can only be far below 5%. The last row takes the whole error "
        "with an interval that is exact but for the binomial's steps: a little below 5%."
    )
    table.caption_justify = "left"
    return table


def _told(share: tuple[float, float, float]) -> str:
    value, low, high = share
    return f"{value:.1%} [{low:.1%}, {high:.1%}]"


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Independent seeds.")] = 400,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
) -> None:
    """Print how often measured checks refute true and false statements at an error of 0.05."""
    kept = calibrate(seeds, jobs, Console())
    raise typer.Exit(0 if kept else 1)


if __name__ == "__main__":
    typer.run(main)
