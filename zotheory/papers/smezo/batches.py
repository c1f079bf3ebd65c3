"""How often a small step made on one batch lowers another batch's loss, for two papers' claims.

One study of a language model serves them all; its directions are independent draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.compared import Quantity
from zotheory.evidence.modelled import BATCH_SIZE, WORDS, language_model, once, sentences
from zotheory.montecarlo import Accumulator
from zotheory.statistics import ClopperPearson, Interval

if TYPE_CHECKING:
    import sympy as sp

    from zotheory.model.language_model import LanguageModel
    from zotheory.model.prompts import Batch
    from zotheory.papers.smezo.directions import NoiseStudy, StepStudy


BATCHES = 4
DIRECTIONS, LENGTH = 144, 3e-5  # twelve for every ordered pair of batches
SHORT = 7  # words of a sentence where only steps are made
DRAWS, SHARE, NORMS = 64, 0.2, (0.01, 0.03, 0.05)
SIMULATED = 400_000  # pairs of inner products, drawn from the measured Gram matrices
QUARTILES = np.arange(5) / 4
NAMES = ("loss over the whole vocabulary", "loss over the label words")
DIFFERS = (
    "the paper's figures are of larger models along MeZO's fine-tuning on RTE, its data batches of "
    f"16 + 16; here a small model before fine-tuning, {BATCHES} batches of {BATCH_SIZE} review "
    f"sentences of at most {SHORT} words"
)


def steps(context: Context) -> StepStudy:
    """The study of steps, measured once a run. Raises AssetMissing without model or text."""
    return once("steps on batches", context, _steps)


def noise(context: Context) -> NoiseStudy:
    """The study of noise on large and on small weights, measured once a run."""
    return once("noise on weights", context, _noise)


def _steps(context: Context) -> StepStudy:
    from zotheory.papers.smezo.directions import measure_steps

    model, batches = _borrowed(context, SHORT)
    told = _told(context, "direction")
    return measure_steps(
        model, batches, directions=DIRECTIONS, length=LENGTH, seed=context.seed, tell=told
    )


def _noise(context: Context) -> NoiseStudy:
    from zotheory.papers.smezo.directions import measure_noise

    model, batches = _borrowed(context, WORDS)
    told = _told(context, "draw")
    return measure_noise(
        model, batches, share=SHARE, norms=NORMS, draws=DRAWS, seed=context.seed, tell=told
    )


def _borrowed(context: Context, words: int) -> tuple[LanguageModel, list[Batch]]:
    from zotheory.papers.smezo.directions import make_batches

    model, text = language_model(context), sentences(context, words)
    return model, make_batches(model, text, count=BATCHES, size=BATCH_SIZE, seed=context.seed)


def _told(context: Context, what: str):
    return lambda done, of: context.tell(f"{context.claim}  {what} {done + 1} of {of}")


def binomial(outcomes: np.ndarray, alpha: float) -> Interval:
    """Clopper-Pearson intervals of independent rows of outcomes, shape (n, k), all k at once."""
    return ClopperPearson()([Accumulator.of(outcomes.astype(float))], alpha)


def agree(products: np.ndarray, directions: int) -> np.ndarray:
    """(T // q, 2): whether sum over q directions of the product of i's and j's slopes is > 0.

    That is when the step along -(sum of i's estimates) lowers j's loss, to first order. products:
    (T, 2), of consecutive directions of one pair.
    """
    rows = len(products) // directions
    return products[: rows * directions].reshape(rows, directions, 2).sum(axis=1) > 0


def law(formula: sp.Expr, study: StepStudy) -> np.ndarray:
    """(2,) a formula in the cosine, averaged over the directions' pairs."""
    found = study.cosines[:, study.pairs[:, 0], study.pairs[:, 1]]
    return np.array([np.mean([float(formula.subs(COSINE, c)) for c in row]) for row in found])


def lowered(
    study: StepStudy, real: np.ndarray, directions: int, alpha: float, seed: int
) -> Interval:
    """An interval for P(real outcome), by loss: the outcomes' own, and by a control variate.

    P(real) = P(linear) + P(real, not linear) - P(linear, not real): the outcome of the loss's
    linear part, <g_i, z><g_j, z> summed, has a law that the Gram matrices fix, and is simulated;
    the differences are rare, and counted. real: (T // q, 2) of bool.
    """
    linear = agree(study.linear[:, :, 0] * study.linear[:, :, 1], directions)
    own = binomial(real, alpha / 10)
    simulated = binomial(_simulated(study, directions, seed), alpha / 10)
    # Of these only the upper ends are used, which half the error probability misses.
    counted = binomial(np.hstack([real & ~linear, linear & ~real]), 2 * (alpha - alpha / 5))
    gained, lost = counted.upper.reshape(2, 2)
    differ = counted.estimate.reshape(2, 2)
    return Interval(
        simulated.estimate + differ[0] - differ[1],
        np.maximum(own.lower, simulated.lower - lost),
        np.minimum(own.upper, simulated.upper + gained),
    )


def _simulated(study: StepStudy, directions: int, seed: int) -> np.ndarray:
    """(n, 2) outcomes for Gaussian z: (<g_i, z>, <g_j, z>) is normal, with the Gram's cosine."""
    rng = np.random.default_rng(seed)
    pairs = study.pairs[rng.integers(len(study.pairs), size=SIMULATED)]
    columns = []
    for cosines in study.cosines:
        c = cosines[pairs[:, 0], pairs[:, 1]][:, None]
        x, w = rng.standard_normal((2, SIMULATED, directions))
        columns.append((x * (c * x + np.sqrt(1 - c * c) * w)).sum(axis=1) > 0)
    return np.stack(columns, axis=1)


def at_cosine(study: StepStudy, cosine: float) -> np.ndarray:
    """(T, 2): whether i's step lowers a loss whose gradient has the given cosine with i's.

    That loss is cos f_i/||g_i|| + sin (f_j - k f_i)/||g_j - k g_i||, k = <g_i, g_j>/||g_i||^2: at
    the cosine 1 the batch's own, at 0 one with an orthogonal gradient.
    """
    i, j = study.pairs.T
    own, cross, other = (study.gram[:, a, b].T for a, b in ((i, i), (i, j), (j, j)))
    k = cross / own
    rest = np.sqrt(other - k * cross)
    change_i, change_j = study.changes[:, :, 0], study.changes[:, :, 1]
    sine = np.sqrt(1 - cosine**2)
    return cosine * change_i / np.sqrt(own) + sine * (change_j - k * change_i) / rest < 0


def told(found: Interval, outcomes: np.ndarray | None = None) -> dict[str, Quantity]:
    """By loss, the estimate with its interval; of the outcomes themselves if they are given."""
    rows = np.stack([found.estimate, found.lower, found.upper], axis=1).tolist()
    if outcomes is None:
        return {name: Quantity(*row) for name, row in zip(NAMES, rows, strict=True)}
    return {
        name: Quantity(float(own.mean()), *ends, own, "np.mean(values)")
        for name, (_, *ends), own in zip(NAMES, rows, outcomes.T, strict=True)
    }


def by_loss(values: Any) -> dict[str, Any]:
    """Figures of the two losses under their names."""
    return dict(zip(NAMES, np.asarray(values).tolist(), strict=True))


def shares(study: StepStudy, outcomes: np.ndarray) -> dict[str, Any]:
    """Share of outcomes by loss, and the spread of the shares and the cosines over batch pairs."""
    pairs, rows = _of_pairs(study, len(outcomes))
    of_pair = np.array([outcomes[row].mean(axis=0) for row in rows])
    cosines = study.cosines[:, pairs[:, 0], pairs[:, 1]]
    return {
        "share": by_loss(outcomes.mean(axis=0)),
        "by pair of batches, quartiles": by_loss(np.quantile(of_pair, QUARTILES, axis=0).T),
        "cosines of the pairs, quartiles": by_loss(np.quantile(cosines, QUARTILES, axis=1).T),
    }


def by_pair(study: StepStudy, outcomes: np.ndarray) -> dict[str, Any]:
    """For every ordered pair of batches its directions, how many had the outcome, its cosines.

    outcomes: (T // q, 2), one of q consecutive directions of a pair.
    """
    pairs, rows = _of_pairs(study, len(outcomes))
    return {
        "pairs of batches": pairs.tolist(),
        "draws by pair": [int(row.sum()) for row in rows],
        "outcomes by pair": by_loss(np.array([outcomes[row].sum(axis=0) for row in rows]).T),
        "cosine by pair": by_loss(study.cosines[:, pairs[:, 0], pairs[:, 1]]),
    }


def _of_pairs(study: StepStudy, outcomes: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The ordered pairs of batches, (P, 2), and for each which of the outcomes are its own."""
    own = study.pairs[:: len(study.pairs) // outcomes][:outcomes]
    pairs = np.unique(own, axis=0)
    return pairs, [(own == pair).all(axis=1) for pair in pairs]


def setting(study: StepStudy, context: Context) -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "model": language_model(context).name,
        "directions": len(study.pairs),
        "step": f"{study.length:g} z along -estimate, slopes from losses at +-{study.length:g} z",
        "error probability": f"{context.alpha:g}",
        "differs": DIFFERS,
        "seed": context.seed,
    }


# How often a step that lowers one linear loss lowers another one.
#
# The step is -sum_i <g_1, Z_i> Z_i over q Gaussian directions, times a positive number; it changes
# the second loss by that times -||g_1|| ||g_2|| sum_i x_i y_i, where the pairs (x_i, y_i) are
# standard normal with correlation cos(g_1, g_2), and independent.


COSINE = sp.Symbol("cos(g1, g2)", real=True)
_T = sp.Symbol("t", real=True)


def agreement(directions: int) -> Derivation:
    """P(sum_i x_i y_i > 0) as a function of the correlation, -1 <= cos <= 1."""
    weight = (1 - _T**2) ** (sp.Rational(directions, 2) - 1)
    total = sp.integrate(weight, (_T, -1, 1))
    gained = sp.integrate(weight, (_T, 0, COSINE), conds="none")
    value = sp.Rational(1, 2) + sp.simplify(gained / total)
    steps = (
        "4 x y = (x + y)^2 - (x - y)^2; x + y ~ N(0, 2 (1 + cos)) and x - y ~ N(0, 2 (1 - cos)) "
        "are independent",
        f"so sum_i x_i y_i > 0 where (1 + cos) A > (1 - cos) B, A and B ~ chi^2 of {directions} "
        "degrees of freedom: where t > -cos, t = (A - B)/(A + B)",
        f"A/(A + B) ~ Beta({directions}/2, {directions}/2): t has the density {weight / total} on "
        "[-1, 1], which is even",
        f"P(t > -cos) = 1/2 + int_0^cos = {value}",
    )
    return Derivation(value, steps)
