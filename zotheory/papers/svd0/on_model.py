"""SVD-0's claims on a language model's own gradients: what subspaces keep, squared cosines, Fig. 1.

Subspaces, noise and estimates come from the code that trains, the two-point slopes from real
losses. Values are in units of what rotation invariance gives, matrix by matrix. Unless stated
otherwise intervals are Student's over independent refreshes, each the mean over all matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.modelled import BATCH_SIZE, WORDS, on_model, once, points
from zotheory.montecarlo import Accumulator
from zotheory.statistics import BettingLower
from zotheory.statistics.intervals import student
from zotheory.vocabulary import DRAWN, Check, Evidence, Kind, Statement, Verdict

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
SNIPPET = """import numpy as np

# means over {matrices} matrices, refresh by refresh, in units of {unit}
greater = np.array({greater})  # {names[0]}
lesser = np.array({lesser})  # {names[1]}
print("claimed", float({margin} * lesser.mean()))  # less than greater.mean()
print("actual", float(greater.mean()))
"""


@dataclass(frozen=True, eq=False)
class Refreshes:
    """Independent refreshes: by key of :func:`refresh`, an array (refreshes, matrices)."""

    matrices: tuple[str, ...]
    columns: Mapping[str, Array]

    def means(self, key: str) -> Array:
        """One mean over the matrices for each refresh."""
        return self.columns[key].mean(axis=1)


def ordered(columns: Mapping[sp.Symbol, str], unit: sp.Expr, margin: float) -> Check:
    """Each relation of the statement between the columns' means, as measured in `unit`.

    "a > b" is decided as a > margin b, "a = c unit" as a within margin - 1 of c.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        study = once("svd0.refreshes", context, _refreshes)
        return decide_order(statement, study, columns, unit, margin, context)

    return on_model(judge)


def decide_order(
    statement: Statement,
    study: Refreshes,
    columns: Mapping[sp.Symbol, str],
    unit: sp.Expr,
    margin: float,
    context: Context,
) -> Evidence:
    """The verdict on all relations together; the relations share the error probability."""
    formula = statement.formula  # And.args are sorted; And.make_args is a set, in no order
    relations = formula.args if isinstance(formula, sp.And) else (formula,)
    alpha, verdicts, lines, inputs = context.alpha / len(relations), [], [], {}
    for relation in relations:
        value = study.means(columns[relation.lhs])
        if isinstance(relation, sp.Eq):
            target = float(sp.simplify(relation.rhs / unit))
            interval = student(value, alpha)
            verdicts.append(_equals(interval, target, (margin - 1) * target))
            lines.append(f"{columns[relation.lhs]} {_told(value, interval)}")
            continue
        lesser = study.means(columns[relation.rhs])
        interval = student(value - margin * lesser, alpha)
        verdicts.append(_exceeds(interval, 0.0))
        difference = f"{columns[relation.lhs]} - {margin} {columns[relation.rhs]}"
        lines.append(f"{difference} {_told(value - margin * lesser, interval)}")
        if verdicts[-1] is Verdict.REFUTED and not inputs:
            inputs = _witness(relation, (value, lesser), margin, unit, len(study.matrices))
    numbers = {
        key: {
            "interval": student(study.means(key), context.alpha),
            "by layer, quartiles": _by_layer(study.matrices, study.columns[key]),
        }
        for key in columns.values()
    }
    summary = f"in units of {unit}: " + "; ".join(lines)
    size = f"{BATCHES} batches of {BATCH_SIZE} prompts, {len(value)} refreshes, rank {RANK}"
    return _evidence(_all(verdicts), summary, numbers, inputs, size, context)


def _witness(
    relation: sp.Basic, values: tuple[Array, Array], margin: float, unit: sp.Expr, matrices: int
) -> dict[str, Any]:
    greater, lesser = (np.round(value, 4) for value in values)
    snippet = SNIPPET.format(
        matrices=matrices,
        unit=unit,
        greater=np.array2string(greater, separator=", ", threshold=greater.size + 1),
        lesser=np.array2string(lesser, separator=", ", threshold=lesser.size + 1),
        names=(relation.lhs, relation.rhs),
        margin=margin,
    )
    claimed, actual = float(margin * lesser.mean()), float(greater.mean())
    return {"claimed": claimed, "actual": actual, "snippet": snippet}


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


def _told(values: Array, interval: tuple[float, float]) -> str:
    return f"{values.mean():.3f} in [{interval[0]:.3f}, {interval[1]:.3f}]"


def _by_layer(names: Sequence[str], values: Array) -> dict[str, Array]:
    """Quartiles of (refreshes, matrices) values in each decoder layer."""
    layers = [name.split(".layers.")[-1].split(".")[0] for name in names]
    return {
        f"layer {layer}": np.quantile(values[:, [x == layer for x in layers]], QUARTILES)
        for layer in dict.fromkeys(layers)
    }


def apart(difference: sp.Symbol) -> Check:
    """|mean cosine of MeZO estimates - mean cosine of noise| against what the statement says."""

    def judge(statement: Statement, context: Context) -> Evidence:
        names, found = once("svd0.spectra", context, _spectra)
        gaps = np.array([spectra.gap(TOP) for spectra in found])
        evidence = decide_apart(statement, names, gaps, difference, context)
        pictures = {
            "by estimate": [_drawn(spectra) for spectra in found],
            "by batch size": once("svd0.batch_sizes", context, _by_batch_size),
        }
        return replace(evidence, numbers={**evidence.numbers, DRAWN: pictures})

    return on_model(judge)


def decide_apart(
    statement: Statement,
    names: Sequence[str],
    gaps: Array,
    difference: sp.Symbol,
    context: Context,
    tolerance: float = 0.05,
) -> Evidence:
    """Whether |mean gap| lies above the claimed number, or is it to within the tolerance."""
    if statement.formula.lhs != difference:
        raise ValueError(f"the statement is not about {difference}")
    low, high = student(gaps.mean(axis=1), context.alpha)
    least, most = max(low, -high, 0.0), max(-low, high)
    claimed = float(statement.formula.rhs)
    if isinstance(statement.formula, sp.Gt):
        verdict = _exceeds((least, most), claimed)
    else:
        verdict = _equals((least, most), claimed, tolerance)
    summary = (
        f"difference of the mean cosines {gaps.mean():.2g} in [{low:.2g}, {high:.2g}], "
        f"{gaps.shape[1]} matrices"
    )
    numbers = {"difference by layer, quartiles": _by_layer(names, gaps), "interval": (low, high)}
    inputs: dict[str, Any] = {}
    if verdict is Verdict.REFUTED:
        values = np.round(gaps.mean(axis=1), 8).tolist()
        snippet = (
            "import numpy as np\n\n# differences of cosines, estimate by estimate\n"
            f'gaps = np.array({values})\nprint("claimed", {claimed})  # more than\n'
            'print("actual", abs(float(gaps.mean())))\n'
        )
        inputs = {"claimed": claimed, "actual": abs(float(np.mean(values))), "snippet": snippet}
    size = f"2 batches of {BATCH_SIZE} prompts, {len(gaps)} estimates, top {TOP}"
    return _evidence(verdict, summary, numbers, inputs, size, context)


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


def averaged(rank: int, size: Mapping[sp.Symbol, int]) -> Check:
    """From which k on the average keeps the statement's multiple of r^2/(mn), matrix by matrix.

    size: the m, n, r for which the statement's right side is that multiple of r^2/(mn).
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        study = once("svd0.averages", context, _averages)
        multiple = float((statement.formula.rhs / (R**2 / (M * N))).subs(size))
        return decide_averaged(study, multiple, rank, context)

    return on_model(judge)


def decide_averaged(study: Averages, multiple: float, rank: int, context: Context) -> Evidence:
    """Confirmed if every matrix has such a k, refuted if one has none among the powers of two."""
    verdicts, numbers = [], {}
    for name, gradient in study.gradients.items():
        context.tell(f"{context.claim}  averages for {name}")
        m, n = gradient.shape
        share, limit = rank**2 / (m * n), 4 * max(m, n)
        ladder = [2**i for i in reversed(range(limit.bit_length()))]
        alpha = context.alpha / len(ladder) / len(study.gradients)
        found, told = {}, {}
        for k in ladder:
            values = study.kept(name, k, rank)
            found[k] = _keeps(values, multiple * share, alpha)
            told[k] = float(values.mean() / share)
            if found[k] is Verdict.INCONCLUSIVE or found[k] is not found[ladder[0]]:
                break
        enough = [k for k, verdict in found.items() if verdict is Verdict.CONFIRMED]
        refuted = [found.get(k) for k in ladder] == [Verdict.REFUTED] * len(ladder)
        unsettled = Verdict.REFUTED if refuted else Verdict.INCONCLUSIVE
        verdicts.append(Verdict.CONFIRMED if enough else unsettled)
        numbers[name] = {
            "shown from k": min(enough, default=None),
            "4 max(m, n)": limit,
            "kept / (r^2/(mn)) by k": {f"k={k}": value for k, value in told.items()},
        }
    shown = [n["shown from k"] / n["4 max(m, n)"] for n in numbers.values() if n["shown from k"]]
    summary = (
        f"{len(shown)} of {len(verdicts)} matrices keep {multiple:g} times the random share from "
        f"some k <= 4 max(m, n) on"
    )
    if shown:
        summary += f"; from k = {min(shown):.2f} to {max(shown):.2f} times 4 max(m, n)"
    size = (
        f"gradients of {BATCH_SIZE} prompts, rank {rank}, whole matrices, not 128 x 128 of rank "
        f"one; k in powers of two; {AVERAGES} averages at each k on the linear loss with this "
        "gradient; lower bounds by betting, upper ones Student's"
    )
    return _evidence(_all(verdicts), summary, numbers, {}, size, context)


def _keeps(values: Array, target: float, alpha: float) -> Verdict:
    """Judge "mean >= target" for values in [0, 1]: from below by betting, from above by Student."""
    if target > 1:
        return Verdict.REFUTED
    lower = BettingLower()([Accumulator.of(value[None]) for value in values], alpha / 2).lower
    if lower >= target:
        return Verdict.CONFIRMED
    below = student(values, alpha)[1] < target
    return Verdict.REFUTED if below else Verdict.INCONCLUSIVE


def _averages(context: Context) -> Averages:
    with points(context, lambda weights: [weights], BATCH_SIZE) as (found,):
        return Averages(dict(found.gradients), context.seed)


def _exceeds(interval: tuple[float, float], bound: float) -> Verdict:
    if interval[0] > bound:
        return Verdict.CONFIRMED
    return Verdict.REFUTED if interval[1] <= bound else Verdict.INCONCLUSIVE


def _equals(interval: tuple[float, float], target: float, tolerance: float) -> Verdict:
    if not interval[0] <= target <= interval[1]:
        return Verdict.REFUTED
    inside = target - tolerance <= interval[0] and interval[1] <= target + tolerance
    return Verdict.CONFIRMED if inside else Verdict.INCONCLUSIVE


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    """Of a conjunction."""
    if Verdict.REFUTED in verdicts:
        return Verdict.REFUTED
    confirmed = all(verdict is Verdict.CONFIRMED for verdict in verdicts)
    return Verdict.CONFIRMED if confirmed else Verdict.INCONCLUSIVE


def _evidence(
    verdict: Verdict,
    summary: str,
    numbers: Mapping[str, Any],
    inputs: Mapping[str, Any],
    size: str,
    context: Context,
) -> Evidence:
    setting = {
        "model": context.model,
        "setting": f"{size}; {DIFFERS}",
        "error probability": context.alpha,
        "seed": context.seed,
    }
    return Evidence(Kind.MODEL, verdict, summary, numbers, {**inputs, **setting})
