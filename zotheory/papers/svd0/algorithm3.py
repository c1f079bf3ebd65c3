"""Algorithm 3 as printed, executed: what its step does, and when it has a subspace at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, TensorSum, contraction, derive
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.matrix_estimates import Loss, plain
from zotheory.papers.shared.steps import (
    MEANT,
    PRINTED,
    Evaluate,
    Line,
    Perturb,
    Schedule,
    run,
)
from zotheory.statistics import Catoni, ClopperPearson, decide_at_most, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

Q = sp.Symbol("q", integer=True, positive=True)
EPS, ETA = sp.symbols("epsilon eta", positive=True)
ALONG = sp.Symbol("E <W_next - W, grad L>")
DISPLACED = sp.Symbol("coefficient of U Z V^T in W before the update")
UNDEFINED = sp.Symbol("steps without U and V")
INTERVAL = sp.Symbol("F", integer=True, positive=True)

# <grad L, U Z V^T> and the quadratic part of L along U Z V^T, in the coordinates z = vec Z.
SLOPE, CURVATURE = sp.symbols("slope curvature")
_G, _A, _Z = Fixed("g"), Fixed("A"), Gaussian("z")


def _slope() -> TensorSum:
    """<P^T grad L, z>."""
    a = Index("a", Q)
    return _G[a] * _Z[a]


def _curvature() -> TensorSum:
    """z^T A z, with A = P^T H P for the loss' quadratic part w^T H w; A = 0 for a linear loss."""
    a, b = Index("a", Q), Index("b", Q)
    return _Z[a] * _A[a, b] * _Z[b]


def _squared_length() -> TensorSum:
    """||z||^2."""
    a = Index("a", Q)
    return _Z[a] * _Z[a]


def _norm2() -> sp.Symbol:
    """||P^T grad L||^2."""
    a = Index("a", Q)
    return contraction(_G[a] * _G[a])


GRADIENT2 = _norm2()


@cache
def _executed(lines: Sequence[Line]) -> tuple[sp.Expr, sp.Expr]:
    """<W_next - W, grad L> and the displacement before the update, per U Z V^T.

    The lines are run on symbols: L(W + a U Z V^T) = L(W) + a slope + a^2 curvature.
    """
    start, noise, level = sp.symbols("W U_Z_V^T L(W)")

    def loss(weights: sp.Expr) -> sp.Expr:
        a = sp.expand(weights).coeff(noise)
        if sp.expand(weights - start - a * noise) != 0:
            raise ArithmeticError(f"{weights} is not W + a U Z V^T")
        return level + a * SLOPE + a**2 * CURVATURE

    done = run(lines, start, loss, noise, EPS, ETA)
    moved = sp.expand(done.after - start).coeff(noise)
    return sp.expand(moved * SLOPE), sp.expand(done.before - start).coeff(noise)


def _mean(polynomial: sp.Expr, curvature) -> sp.Expr:
    """The expectation of a polynomial in slope and curvature."""
    total = sp.S.Zero
    for (i, j), c in sp.Poly(polynomial, SLOPE, CURVATURE).terms():
        factors = [_slope() for _ in range(i)] + [curvature() for _ in range(j)]
        total += c * (derive(*factors).value if factors else 1)
    return sp.expand(total)


def _step(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    lines = statement.setting["lines"]
    along, displaced = _executed(lines)
    mean = _mean(along, _curvature)
    steps = (
        *map(str, lines),
        f"<W_next - W, grad L> = {along}, slope = <grad L, U Z V^T>, curvature = that of L "
        "along U Z V^T (0 on a linear loss)",
        f"its mean over z: {mean}, ||g|| = ||P^T grad L||",
    )
    return {
        ALONG: Derivation(mean, steps),
        DISPLACED: Derivation(displaced, (f"before the update: W + ({displaced}) U Z V^T",)),
    }


def _step_witness(statement: Statement, failed: Counterexample) -> str:
    """m = n = r = 1, U = V = 1, L(w) = g w: the lines at the nodes of a Gauss rule for z."""
    body = "\n    ".join(_code(line) for line in statement.setting["lines"])
    values = {"eta": 1, "epsilon": 1, **failed.inputs}
    gradient = sp.sqrt(values.pop(str(GRADIENT2)))
    means = {"moved": "mean step along the gradient", "away": "mean displacement per z"}
    telling = "moved" if "eta" in failed.inputs else "away"
    other = next(name for name in means if name != telling)
    return f"""import numpy as np

{inputs({**values, "g": gradient})}
start = 0.5
nodes, weights = np.polynomial.hermite_e.hermegauss(8)
loss = lambda w: g * w
moved, away = [], []
for z in nodes:
    w = start
    {body}
    moved.append((w - start) * g)
    away.append((before - start) / z)
mean = lambda values: float(weights @ np.array(values) / weights.sum())
print("claimed", 0.0)
print("actual", mean({telling}))
print("{means[other]}:", mean({other}))
"""


def _code(line: Line) -> str:
    if isinstance(line, Evaluate):
        return f"{line.name} = loss(w)"
    if isinstance(line, Perturb):
        return f"w = w + ({line.scale}) * epsilon * z"
    slope = f"({line.first} - {line.second}) / (2 * epsilon)"
    return f"before, w = w, w - eta * {slope} * z"


def _measure_step(statement: Statement, _: Context) -> Sequence[Measurement]:
    """On a linear and on a quadratic loss, m = 3, n = 4, r = 2; eps and eta of one size."""
    m, n, r, eps, eta = 3, 4, 2, 0.25, 1.0
    linear = plain(m, n)
    bowl = tuple(map(tuple, np.eye(m * n).tolist()))
    quadratic = Loss(m, n, hessian=bowl, point=linear.linear)
    measurements = []
    for name, loss in (("linear", linear), ("quadratic", quadratic)):
        along, displaced = (
            PrintedStep(statement.setting["lines"], loss, r, eps, eta, quantity)
            for quantity in ("along", "displaced")
        )
        method = Catoni(_along_variance(along, curved=name == "quadratic"))
        decide = partial(decide_at_most, method=method, bound=0.0)
        measurements.append(Measurement(f"{name} loss, along grad L", along, decide, 500, 64))
        decide = partial(
            decide_equal, method=ClopperPearson(), target=0.0, tolerance=0.02, scale=1.0
        )
        at = f"{name} loss, weights displaced"
        measurements.append(Measurement(at, displaced, decide, 50, 64))
    return measurements


def _along_variance(sampler: PrintedStep, curved: bool) -> float:
    """Of the sampler's "along", exactly; H = I where the loss is curved, so A = I."""
    u, v = sampler.bases()
    norm2 = float(np.square(u.T @ sampler.loss.gradient() @ v).sum())
    along, _ = _executed(sampler.lines)
    along = along.subs({EPS: sampler.eps, ETA: sampler.eta, **({} if curved else {CURVATURE: 0})})
    first, second = (_mean(sp.expand(power), _squared_length) for power in (along, along**2))
    at = {Q: sampler.r**2, GRADIENT2: norm2}
    return float((second - first**2).subs(at)) / (sampler.eta * norm2) ** 2


def _undefined(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """How many steps precede the first t with (t + shift) mod F = 0, for every F >= 2."""
    schedule: Schedule = statement.setting["schedule"]
    first = schedule.start + schedule.shift
    if first not in (0, 1):
        raise ValueError(f"the residue of {first} modulo F is not known for every F >= 2")
    value = INTERVAL - first if first else sp.S.Zero
    for interval in range(2, 13):
        drawn = list(schedule.drawn_at(interval, 3 * interval))
        if sum(at is None for _, at in drawn) != value.subs(INTERVAL, interval):
            raise ArithmeticError(f"executed with F = {interval}: {drawn}, not {value} undefined")
    steps = (
        f"t starts at {schedule.start}; the test is (t + {schedule.shift}) mod F = 0, whose left "
        f"side is {first} at first, as F >= 2",
        f"it next holds after {value} steps, until when the else-branch copies what is undefined; "
        "from then on every step draws or copies what is defined",
        "executed for F = 2, ..., 12: the same",
    )
    return {UNDEFINED: Derivation(value, steps)}


def _undefined_witness(statement: Statement, failed: Counterexample) -> str:
    schedule: Schedule = statement.setting["schedule"]
    return f"""import numpy as np

{inputs(failed.inputs)}
defined, undefined = False, 0
for t in np.arange({schedule.start}, {schedule.start} + 3 * F):
    if (t + {schedule.shift}) % F == 0:
        defined = True  # lines 5 and 6
    undefined += not defined  # line 8 copies U, V of step t - 1
print("claimed", 0)
print("actual", undefined)
"""


def _step_statement(says: str, lines: tuple[Line, ...]) -> Statement:
    return Statement(
        says,
        conjunction(sp.Lt(ALONG, 0), sp.Eq(DISPLACED, 0)),
        (sp.Gt(GRADIENT2, 0, evaluate=False),),
        setting={"lines": lines},
    )


CLAIMS = (
    Claim(
        id="svd0.alg3.as_printed",
        where="Algorithm 3, lines 11 to 20",
        setting=Setting("Algorithm 3 as printed, any loss"),
        statement=_step_statement(
            "The step as printed (evaluate, perturb by eps, evaluate, perturb by eps, update) "
            "moves against the gradient on average and returns the weights before updating.",
            PRINTED,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_step, _step_witness), measured(_measure_step)),
        correction=_step_statement(
            "A step that perturbs by eps, evaluates, perturbs by -2 eps, evaluates, perturbs by "
            "eps and updates does both. As printed the mean step is +(eta/2) P P^T grad L, uphill, "
            "from weights that are 2 eps U Z V^T away.",
            MEANT,
        ),
    ),
    Claim(
        id="svd0.alg3.first_subspace",
        where="Algorithm 3, lines 1 to 9",
        setting=Setting("Algorithm 3 as printed, any F > 1"),
        statement=Statement(
            "With t starting at 1 and the test t mod F = 0, U and V are defined at every step for "
            "F > 1.",
            sp.Eq(UNDEFINED, 0),
            (sp.Gt(INTERVAL, 1, evaluate=False),),
            setting={"schedule": Schedule(start=1, shift=0)},
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_undefined, _undefined_witness),),
        correction=Statement(
            "They are with the test (t - 1) mod F = 0, as Sec. 4.2 says in words (at the start "
            "and every F steps); with the printed one the first F - 1 steps have no U and V.",
            sp.Eq(UNDEFINED, 0),
            (sp.Gt(INTERVAL, 1, evaluate=False),),
            setting={"schedule": Schedule(start=1, shift=-1)},
        ),
    ),
)


# Samples of one printed step of a subspace method.


@dataclass(frozen=True)
class PrintedStep:
    """What one step does, as its lines say, in a given random subspace of dimension r^2.

    quantity "along": <W_after - W, grad f> / (eta ||P^T grad f||^2); "displaced": 1.0 where the
    weights just before the update are not those at the start (up to 1e-9).
    """

    lines: tuple[Line, ...]
    loss: Loss
    r: int
    eps: float
    eta: float
    quantity: str

    def bases(self) -> tuple[np.ndarray, np.ndarray]:
        """U and V, the same for all samples."""
        rng = np.random.default_rng(0)
        frames = (np.linalg.qr(rng.standard_normal((d, self.r)))[0] for d in self.sizes)
        return tuple(frames)

    @property
    def sizes(self) -> tuple[int, int]:
        """m and n."""
        return self.loss.m, self.loss.n

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        u, v = self.bases()
        noise = u @ rng.standard_normal((size, self.r, self.r)) @ v.T
        start = np.broadcast_to(self.loss.weights(), noise.shape)

        def loss(weights: np.ndarray) -> np.ndarray:
            return self.loss.values(weights)[:, None, None]

        done = run(self.lines, start, loss, noise, self.eps, self.eta)
        if self.quantity == "displaced":
            return (np.abs(done.before - start).max(axis=(1, 2)) > 1e-9).astype(float)
        gradient = self.loss.gradient()
        kept = np.square(u.T @ gradient @ v).sum()
        return np.einsum("bij,ij->b", done.after - start, gradient) / (self.eta * kept)
