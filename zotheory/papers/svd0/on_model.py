"""SVD-0's claims on a language model's own gradients: what subspaces keep, squared cosines, Fig. 1.

Subspaces, noise and estimates come from the code that trains, the two-point slopes from real
losses. Values are in units of what rotation invariance gives, matrix by matrix. Unless stated
otherwise intervals are Student's over independent refreshes, each the mean over all matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity, Sample, mean
from zotheory.evidence.modelled import BATCH_SIZE, WORDS, Modelled, on_model, once, points
from zotheory.montecarlo import Accumulator
from zotheory.statistics import BettingLower
from zotheory.statistics.intervals import student
from zotheory.statistics.rule import Ends, decided
from zotheory.vocabulary import DRAWN, Check, Statement

if TYPE_CHECKING:
    from zotheory.papers.svd0.real_subspaces import Spectra

Array = np.ndarray
RANK, TOP = 24, 24  # the paper's
TOPS, BATCH_SIZES = (8, TOP, 48), (1, 2, 4, 8, 16)  # Table 13
BATCHES = 3
REFRESHES, ESTIMATES = 24, 6
AVERAGES = 8  # draws at each k
QUARTILES = np.arange(5) / 4
DIFFERS = (
    "differs from the paper: SmolLM2-135M or the model given, not OPT; rated reviews of at most "
    f"{WORDS} words with SST-2's prompt; the pretrained weights, not a fine-tuning run"
)


@dataclass(frozen=True, eq=False)
class Refreshes:
    """Independent refreshes: by key of :func:`refresh`, an array (refreshes, matrices)."""

    matrices: tuple[str, ...]
    columns: Mapping[str, Array]


def ordered(columns: Mapping[sp.Symbol, str], unit: sp.Expr, margin: float) -> Check:
    """Each relation of the statement between the columns' means, as measured in `unit`.

    "a > b" is decided as a > margin b, "a = c unit" as a within margin - 1 of c.
    """

    def measure(_: Statement, context: Context) -> Modelled:
        study = once("svd0.refreshes", context, _refreshes)
        means = {symbol: study.columns[key].mean(axis=1) for symbol, key in columns.items()}
        values = {unit: 1, **{symbol: mean(rows) for symbol, rows in means.items()}}
        numbers = {
            key: {
                "interval": student(means[symbol], context.alpha),
                "by layer, quartiles": _by_layer(study.matrices, study.columns[key]),
            }
            for symbol, key in columns.items()
        }
        refreshes = len(next(iter(means.values())))
        size = f"{BATCHES} batches of {BATCH_SIZE} prompts, {refreshes} refreshes, rank {RANK}"
        case = Case(f"in units of {unit}", values, tolerance=margin - 1)
        return _found([case], numbers, size)

    return on_model(measure, margin=margin, sharp=True)


def _refreshes(context: Context) -> Refreshes:
    from zotheory.papers.svd0.real_subspaces import refresh

    rng, rows = np.random.default_rng([context.seed, REFRESHES]), []
    with points(context, lambda weights: [weights] * BATCHES, BATCH_SIZE) as found:
        names = tuple(found[0].gradients)
        rank = min(RANK, *(min(g.shape) for g in found[0].gradients.values()))
        for i in range(REFRESHES):
            rows.append(refresh(found[i % len(found)], rank, rng))
            context.tell(f"{context.claim}  refresh {i + 1} of {REFRESHES}")
    return Refreshes(names, {key: np.stack([row[key] for row in rows]) for key in rows[0]})


def _by_layer(names: Sequence[str], values: Array) -> dict[str, Array]:
    """Quartiles of (refreshes, matrices) values in each decoder layer."""
    layers = [name.split(".layers.")[-1].split(".")[0] for name in names]
    return {
        f"layer {layer}": np.quantile(values[:, [x == layer for x in layers]], QUARTILES)
        for layer in dict.fromkeys(layers)
    }


def apart(difference: sp.Symbol, tolerance: float = 0.05) -> Check:
    """|mean cosine of MeZO estimates - mean cosine of noise| against what the statement says."""

    def measure(_: Statement, context: Context) -> Modelled:
        names, found = once("svd0.spectra", context, _spectra)
        gaps = np.array([spectra.gap(TOP) for spectra in found])
        size = Sample(gaps.mean(axis=1), _size, _size_interval, "abs(np.mean(values))")
        numbers = {
            "difference by layer, quartiles": _by_layer(names, gaps),
            "interval": student(gaps.mean(axis=1), context.alpha),
            DRAWN: {
                "by estimate": [_drawn(spectra) for spectra in found],
                "by batch size": once("svd0.batch_sizes", context, _by_batch_size),
            },
        }
        told = f"2 batches of {BATCH_SIZE} prompts, {len(gaps)} estimates, top {TOP}"
        case = Case(f"{gaps.shape[1]} matrices", {difference: size}, tolerance=tolerance)
        return _found([case], numbers, told)

    return on_model(measure, sharp=True)


def _size(values: Array) -> float:
    return abs(float(np.mean(values)))


def _size_interval(values: Array, alpha: float) -> tuple[float, float]:
    low, high = student(values, alpha)
    return max(low, -high, 0.0), max(-low, high)


def _spectra(context: Context) -> tuple[tuple[str, ...], list[Spectra]]:
    from zotheory.papers.svd0.real_subspaces import spectra

    rng, found = np.random.default_rng([context.seed, ESTIMATES, TOP]), []
    with points(context, lambda weights: [weights] * 2, BATCH_SIZE) as batches:
        for i in range(ESTIMATES):
            found.append(spectra(batches[i % len(batches)], TOPS, rng))
            context.tell(f"{context.claim}  estimate {i + 1} of {ESTIMATES}")
        return tuple(batches[0].gradients), found


def _by_batch_size(context: Context) -> dict[str, Any]:
    """Table 13: one estimate at each batch size, the gradient of the same batch beside it."""
    from zotheory.papers.svd0.real_subspaces import spectra

    rng, found = np.random.default_rng([context.seed, *BATCH_SIZES]), {}
    for size in BATCH_SIZES:
        with points(context, lambda weights: [weights], size) as (batch,):
            found[str(size)] = _drawn(spectra(batch, TOPS, rng))
    return found


def _drawn(spectra: Spectra) -> dict[str, Any]:
    """Quartiles over the matrices of every cosine: "origin", and "top r" for the r largest."""
    kept = {f"top {top}": cosines for top, cosines in spectra.after_svd.items()}
    return {
        name: {
            of: np.round(np.quantile(values, QUARTILES), 5).tolist()
            for of, values in zip(("MeZO", "noise"), cosines, strict=True)
        }
        for name, cosines in {"origin": spectra.origin, **kept}.items()
    }


@dataclass(frozen=True, eq=False)
class Averages:
    """Real gradients by name, and what averages over k directions on <G, W> keep of them."""

    gradients: Mapping[str, Any]
    seed: int
    _drawn: dict[tuple[str, int, int], Array] = field(default_factory=dict)

    def kept(self, name: str, k: int, rank: int) -> Array:
        """`AVERAGES` independent values of ||U^T G V||^2/||G||^2, the same at every call."""
        from zotheory.papers.svd0.real_subspaces import averaged_share

        key = name, k, rank
        if key not in self._drawn:
            rng = np.random.default_rng([self.seed, list(self.gradients).index(name), k, rank])
            draws = [averaged_share(self.gradients[name], k, rank, rng) for _ in range(AVERAGES)]
            self._drawn[key] = np.array(draws)
        return self._drawn[key]


def averaged(best: sp.Symbol, rank: int) -> Check:
    """The most that the average keeps for k <= 4 max(m, n) among the powers of two, by matrix."""

    def measure(statement: Statement, context: Context) -> Modelled:
        study = once("svd0.averages", context, _averages)
        cases, numbers = [], {}
        for name, gradient in study.gradients.items():
            context.tell(f"{context.claim}  averages for {name}")
            size = dict(zip((M, N, R), (*gradient.shape, rank), strict=True))
            target = float(statement.formula.rhs.subs(size))
            alpha = context.alpha / len(study.gradients)
            kept, numbers[name] = _most(study, name, rank, target, alpha)
            cases.append(Case(name, {best: kept, **size}))
        size = (
            f"gradients of {BATCH_SIZE} prompts, rank {rank}, whole matrices, not 128 x 128 of "
            f"rank one; k in powers of two; {AVERAGES} averages at each k on the linear loss with "
            "this gradient; lower bounds by betting, upper ones Student's"
        )
        shown = [
            n["shown from k"] / n["4 max(m, n)"] for n in numbers.values() if n["shown from k"]
        ]
        further = f"shown for {len(shown)} of {len(cases)} matrices"
        if shown:
            further += f", from k = {min(shown):.2f} to {max(shown):.2f} times 4 max(m, n) on"
        return _found(cases, numbers, size, further)

    return on_model(measure)


def _most(
    study: Averages, name: str, rank: int, target: float, alpha: float
) -> tuple[Quantity, dict[str, Any]]:
    """The largest kept share over k: from the largest k down, as long as all say the same of it.

    A k that is not looked at might keep everything.
    """
    m, n = study.gradients[name].shape
    limit = 4 * max(m, n)
    ladder = [2**i for i in reversed(range(limit.bit_length()))]
    ends: dict[int, tuple[float, float]] = {}
    for k in ladder:
        ends[k] = _share_interval(study.kept(name, k, rank), alpha / len(ladder))
        if decided(">=", Ends(*ends[k]), Ends(target, target)) != decided(
            ">=", Ends(*ends[ladder[0]]), Ends(target, target)
        ):
            break
    means = {k: float(study.kept(name, k, rank).mean()) for k in ends}
    lows, highs = zip(*ends.values(), strict=True)
    high = max(highs) if len(ends) == len(ladder) else 1.0
    numbers = {
        "shown from k": min((k for k, (low, _) in ends.items() if low >= target), default=None),
        "4 max(m, n)": limit,
        "kept / (r^2/(mn)) by k": {f"k={k}": kept * m * n / rank**2 for k, kept in means.items()},
    }
    return Quantity(max(means.values()), max(lows), high), numbers


def _share_interval(values: Array, alpha: float) -> tuple[float, float]:
    """For a mean of values in [0, 1]: from below by betting, from above by Student."""
    lower = BettingLower()([Accumulator.of(value[None]) for value in values], alpha / 2).lower
    return float(lower), min(student(values, alpha)[1], 1.0)


def _averages(context: Context) -> Averages:
    with points(context, lambda weights: [weights], BATCH_SIZE) as (found,):
        return Averages(dict(found.gradients), context.seed)


def _found(
    cases: Sequence[Case], numbers: Mapping[str, Any], size: str, further: str = ""
) -> Modelled:
    return Modelled(cases, numbers, {"setting": f"{size}; {DIFFERS}"}, further)
