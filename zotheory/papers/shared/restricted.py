"""What LeZO and S-MeZO both prove of Gaussian noise on n kept coordinates.

Both restrict the noise to some coordinates (those of kept layers; those of a mask) and repeat the
theory of Gaussian smoothing there, in different words. `Paper` holds the words; each function makes
the claim of one statement for one paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import Counterexample, conjuncts, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.searched import searched
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared import smoothing
from zotheory.papers.shared.estimates import Estimates, Sine
from zotheory.papers.shared.smoothing import EPS, SMOOTHED_SQUARE, L, N
from zotheory.search import Bound, Problem, as_bound
from zotheory.search.smoothing import bias as bias_problem
from zotheory.search.smoothing import gradient_norm, second_moment
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Check, Claim, Kind, Setting, Statement, conjunction

MEAN_KEPT, MEAN_LEFT = sp.Symbol("E estimate_i, i kept"), sp.Symbol("E estimate_i, i left out")
SMOOTHED_ENTRY, ENTRY = sp.Symbol("i-th of the smoothed gradient"), sp.Symbol("i-th of grad L")
SECOND_MOMENT = sp.Symbol("E||estimate||^2")
VALUES = sp.Symbol("number of gradients that the loss has", integer=True)

SEARCH_SHARE = 0.5  # these searches converge early
SQUARE_EPS = EPS**2 * L**2


@dataclass(frozen=True)
class Paper:
    """A paper's names.

    id: the claims' prefix. gradient, smoothed: the kept part of the gradient of the loss, and of
    the smoothed loss.
    """

    id: str
    gradient: str
    smoothed: str

    @property
    def gradient_square(self) -> sp.Symbol:
        """The squared norm of the kept part of the gradient."""
        return sp.Symbol(f"||{self.gradient}||^2", nonnegative=True)

    @property
    def smoothed_square(self) -> sp.Symbol:
        """The squared norm of the kept part of the smoothed loss's gradient."""
        return sp.Symbol(f"||{self.smoothed}||^2", nonnegative=True)

    def named(self, found: Derivation) -> Derivation:
        """A derivation of `smoothing` in this paper's symbols."""
        return Derivation(found.value.subs(SMOOTHED_SQUARE, self.smoothed_square), found.steps)

    def search_bound(self, statement: Statement) -> Bound:
        """The statement's right side for the search, which supplies the norm, not its square."""
        norm = sp.Symbol("smoothed_gradient", nonnegative=True)
        return as_bound(statement.bound.subs(self.smoothed_square, norm**2))


# Assumption 1


def assumption1(paper: Paper, where: str) -> Claim:
    """The printed Lipschitz condition, with the square of the distance on its right."""

    def condition(says: str, exponent: int, constant: sp.Expr) -> Statement:
        return Statement(
            says,
            sp.Ge(VALUES, 2),
            (sp.Gt(L, 0, evaluate=False),),
            setting={"exponent": exponent, "constant": constant},
        )

    return Claim(
        id=f"{paper.id}.assumption1",
        where=where,
        setting=Setting("any loss that meets Assumption 1 as printed"),
        statement=condition(
            "The printed condition ||grad L(a) - grad L(b)|| <= (L/2)||a-b||^2 for all a, b admits "
            "a loss that is not affine.",
            2,
            L / 2,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_gradients, _gradients_witness),),
        correction=condition(
            "||grad L(a) - grad L(b)|| <= L ||a-b|| does, and with it "
            "|L(a) - L(b) - <grad L(b), a-b>| <= (L/2)||a-b||^2, which the proofs use.",
            1,
            L,
        ),
    )


def _gradients(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """How many values a gradient can have with ||grad L(a) - grad L(b)|| <= c ||a - b||^p."""
    p, c = statement.setting["exponent"], statement.setting["constant"]
    k, r = sp.symbols("k r", positive=True)
    allowed = sp.simplify(k * c * (r / k) ** p)
    limit = sp.limit(allowed, k, sp.oo)
    steps = (
        f"the segment from a to b, of length r, in k equal parts: ||grad L(a) - grad L(b)|| <= "
        f"k c (r/k)^{p} = {allowed} for every k",
        f"as k grows: {limit}",
    )
    if limit == 0:
        return {VALUES: Derivation(sp.S.One, (*steps, "the gradient is constant: L is affine"))}
    if p != 1:
        raise ValueError(f"no example for the exponent {p}")
    example = f"(c/2)||x||^2 has the gradient c x, and ||c a - c b|| = c ||a - b||, c = {c}"
    return {VALUES: Derivation(sp.Integer(2), (*steps, example, "two of its gradients: 0 and c"))}


def _gradients_witness(statement: Statement, failed: Counterexample) -> str:
    constant = sp.pycode(statement.setting["constant"])
    return f"""import numpy as np

{inputs(failed.inputs)}
# the most that two gradients at distance 1 can differ by, over k steps of length 1/k
k = 10.0 ** np.arange(0, 13, 3)
allowed = k * ({constant}) * (1 / k) ** {statement.setting["exponent"]}
for steps, most in zip(k, allowed):
    print(f"{{steps:.0e}} steps: at most {{most:.1e}}")
vanishes = allowed[-1] < 1e-9 * allowed[0]
print("claimed", 2)  # at least two gradients, as of every loss that is not affine
print("actual", 1 if vanishes else 2)
"""


# Lemma 1


@dataclass(frozen=True)
class Example:
    """Estimates of a `Sine` loss: at which weights, by which recipe, with which kept coordinates.

    `at` says so in words; the estimates are those at `eps`.
    """

    at: str
    estimates: Estimates
    kept: tuple[bool, ...]
    eps: float


def lemma1(paper: Paper, where: str, says: str, example: Example) -> Claim:
    """The mean of the two-point estimate is the gradient of the smoothed loss."""
    zero = sp.Eq(MEAN_LEFT, 0)
    return Claim(
        id=f"{paper.id}.lemma1",
        where=where,
        setting=Setting("any loss, the same n weights perturbed, any eps"),
        statement=Statement(says, conjunction(sp.Eq(MEAN_KEPT, SMOOTHED_ENTRY), zero)),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_mean), measured(partial(_measure_mean, example))),
        mutant=Statement(
            f"The mean of the estimate is {paper.gradient}, of the loss itself.",
            conjunction(sp.Eq(MEAN_KEPT, ENTRY), zero),
        ),
    )


def _mean(_: Statement) -> Mapping[sp.Expr, Derivation]:
    found = smoothing.mean()
    shift = sp.Symbol("shift by smoothing", real=True)
    plain = sp.Symbol("d_i L", real=True)
    smoothed = Derivation(
        plain + shift,
        (f"the shift need not be 0: for L(x) = x^3 it is {smoothing.cubic_shift()}",),
    )
    left = Derivation(sp.S.Zero, ("the noise is 0 there, and the estimate a multiple of it",))
    return {
        MEAN_KEPT: Derivation(found.value * smoothed.value, found.steps),
        MEAN_LEFT: left,
        SMOOTHED_ENTRY: smoothed,
        ENTRY: Derivation(plain, ()),
    }


def _measure_mean(example: Example, statement: Statement, _: Context) -> Sequence[Measurement]:
    """|estimate_i| <= |z_i| / eps, as the sine is bounded: its variance is at most 1/eps^2."""
    claimed = {relation.lhs: relation.rhs for relation in conjuncts(statement.formula)}
    loss, weights = example.estimates.loss, sum(example.estimates.weights, ())
    known = {
        name: loss.smoothed_gradient(weights, example.kept, eps)
        for name, eps in ((SMOOTHED_ENTRY, example.eps), (ENTRY, 0.0))
    }
    target = np.where(
        example.kept,
        sp.lambdify(list(known), claimed[MEAN_KEPT])(*known.values()),
        float(claimed[MEAN_LEFT]),
    )
    method = Catoni(np.full(len(target), example.eps**-2))
    decide = partial(decide_equal, method=method, target=target, tolerance=0.1, scale=1.0)
    return [Measurement(example.at, example.estimates, decide, 100, 256)]


def sine(
    recipe: str, layers: tuple[tuple[float, ...], ...], dropped: tuple[int, ...] | None = None
) -> Estimates:
    """Estimates at eps = 1, half of the layers or weights left out, of sin(<direction, w>)."""
    direction = (0.8, 0.6, -0.5, 0.3)
    options = (("sparsity", 0.5), ("eps", 1.0))
    return Estimates(Recipe(recipe, options), layers, Sine(direction), dropped)


# Eq. 14, Lemma 2 and Eq. 20


def bias(paper: Paper, id: str, setting: str) -> Claim:
    """The distance of the estimate's mean from the kept part of the gradient."""
    square = sp.Symbol(f"||E[estimate] - {paper.gradient}||^2")

    def bound(says: str, power: int) -> Statement:
        return Statement(says, sp.Le(square, SQUARE_EPS / 4 * (N + 3) ** power))

    return Claim(
        id=id,
        where="Eq. 14",
        setting=Setting(setting),
        statement=bound(
            f"For every L-smooth loss: ||E[estimate] - {paper.gradient}|| <= (eps L/2)(n+3)^(3/2).",
            3,
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(
            bounded(paper, square, smoothing.bias_square),
            searched(_bias_problem, share=SEARCH_SHARE),
        ),
        mutant=bound("The same with (n+3)^(1/2) in place of (n+3)^(3/2).", 1),
    )


def _bias_problem(statement: Statement) -> Problem:
    return bias_problem(sp.sqrt(statement.bound))


def lemma2(paper: Paper, where: str) -> Claim:
    """The gradient by the smoothed gradient."""

    def bound(says: str, power: int) -> Statement:
        rhs = 2 * paper.smoothed_square + SQUARE_EPS / 2 * (N + 4) ** power
        return Statement(says, sp.Le(paper.gradient_square, rhs))

    return Claim(
        id=f"{paper.id}.lemma2",
        where=where,
        setting=Setting("any L-smooth loss, n weights perturbed"),
        statement=bound(
            f"For every L-smooth loss: ||{paper.gradient}||^2 <= 2||{paper.smoothed}||^2 + "
            "(eps^2 L^2/2)(n+4)^3.",
            3,
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(
            bounded(paper, paper.gradient_square, smoothing.gradient_square),
            searched(lambda s: gradient_norm(paper.search_bound(s)), share=SEARCH_SHARE),
        ),
        mutant=bound("The same with n + 4 in place of (n+4)^3.", 1),
    )


def eq20(paper: Paper, says: str) -> Claim:
    """The second moment of the estimate by the smoothed gradient."""
    smooth = 3 * SQUARE_EPS * (N + 4) ** 3
    return Claim(
        id=f"{paper.id}.eq20",
        where="Eq. 20",
        setting=Setting("any L-smooth loss, n weights perturbed"),
        statement=Statement(
            says, sp.Le(SECOND_MOMENT, smooth + 4 * (N + 4) ** 2 * paper.smoothed_square)
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(
            bounded(paper, SECOND_MOMENT, smoothing.second_moment),
            searched(lambda s: second_moment(paper.search_bound(s)), share=SEARCH_SHARE),
        ),
        mutant=Statement(
            "The same with n + 1 in place of 4(n+4)^2; a linear loss has n + 2.",
            sp.Le(SECOND_MOMENT, smooth + (N + 1) * paper.smoothed_square),
        ),
    )


def bounded(paper: Paper, quantity: sp.Symbol, derive) -> Check:
    """A bound for every L-smooth loss; it proves what lies above it and refutes nothing."""
    return exact(lambda _: {quantity: paper.named(derive())}, attained=False)
