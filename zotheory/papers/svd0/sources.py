"""What the subspace is taken from: noisy gradients, other estimators, and what Fig. 1 sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import getsource
from itertools import pairwise

import numpy as np
import sympy as sp

from proofs_check.cards.invariance import Factor, isotropic
from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared import smoothing
from zotheory.papers.shared.matrix_estimates import plain
from zotheory.papers.svd0 import frames
from zotheory.papers.svd0.algorithm1 import AVERAGE, PROPER
from zotheory.statistics import (
    Bernstein,
    Decision,
    decide_at_most,
    decide_less,
    decide_within,
)
from zotheory.vocabulary import (
    Check,
    Claim,
    Evidence,
    Kind,
    Setting,
    Statement,
    Verdict,
    conjunction,
    written,
)

SHARE = R**2 / (M * N)
AMOUNT = sp.Symbol("K", positive=True)
NOISY, CLEAN = sp.symbols("share_with_noise share_without", positive=True)
APART = sp.Symbol("largest relative difference of the mean shares")
SHIFT = sp.Symbol("mean of the estimate - f'(x)")
EPS = smoothing.EPS

# Table 17.

SIZE17 = {M: 48, N: 48, R: 6}
AMOUNTS = (0.5, 1.0, 2.0)


def _noisy(_: Statement) -> Mapping[sp.Expr, Derivation]:
    scale = sp.Symbol("scale", real=True)
    both = {name: Factor(("m", "n"), "Gaussian") for name in ("Z", "N")}
    moved = isotropic(lambda Z, N: Z + scale * N, both)
    clean, _ = frames.algorithm1_projection(1)
    steps = (
        "kappa Z + sqrt(K) |kappa| rms(Z) N = kappa (Z + scale N'), N' = sign(kappa) N Gaussian "
        "and independent of Z, scale = sqrt(K) rms(Z), which A Z B leaves as it is",
        *moved.steps,
        "so the singular subspaces have a law invariant under the same maps, and the mean share is "
        f"that without noise, for every G: {clean.value}",
    )
    return {NOISY: Derivation(clean.value, steps), CLEAN: Derivation(clean.value, clean.steps)}


def _noisy_witness(_: Statement, failed: Counterexample) -> str:
    sizes = {name: failed.inputs.get(name, value) for name, value in (("m", 3), ("n", 3), ("r", 1))}
    return f"""import itertools

import numpy as np

{inputs(sizes)}K = 1.0
{AVERAGE}
def kept(z, noise):
    estimate = np.sum(g * z) * z
    u, _, vt = np.linalg.svd(estimate + np.sqrt(K * np.mean(estimate**2)) * noise)
    return np.sum((u[:, :r].T @ g @ vt[:r].T) ** 2) / np.sum(g**2)

noise = rng.standard_normal((m, n))
signs = [np.sign(np.sum(g * (a @ z0 @ b))) for a, b in pairs]  # of kappa, which noise may share
clean = np.mean([kept(a @ z0 @ b, 0 * noise) for a, b in pairs])
noisy = np.mean([kept(a @ z0 @ b, s * (a @ noise @ b)) for s, (a, b) in zip(signs, pairs)])
print("claimed", 0.95 * clean)  # at most
print("actual", noisy)
"""


@dataclass(frozen=True)
class NoisyShares:
    """||P^T g||^2/||g||^2 for the top-r subspace of kappa Z + noise, averaged over m rank-one G.

    The noise's variance is K times the mean squared entry of kappa Z. G = e_i e_i^T, i = 1..m: up
    to its sign and size kappa Z, and with it the subspace's law, does not depend on which G it is,
    so that one draw serves them all; an average is at most r/m.
    """

    m: int
    n: int
    r: int
    amount: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values in [0, r/m]."""
        shape = size, self.m, self.n
        z, noise = (rng.standard_normal(shape, np.float32) for _ in range(2))
        rms = np.sqrt(np.square(z).mean(axis=(1, 2), keepdims=True))
        noisy = z + np.float32(self.amount**0.5) * rms * noise
        _, u = np.linalg.eigh(noisy @ noisy.swapaxes(1, 2))
        u = u[:, :, -self.r :]
        v = noisy.swapaxes(1, 2) @ u
        left = np.square(u).sum(axis=2)
        right = (np.square(v) / np.square(v).sum(axis=1, keepdims=True)).sum(axis=2)
        shared = min(self.m, self.n)
        kept = (left[:, :shared] * right[:, :shared]).mean(axis=1)
        return kept.astype(float).clip(0.0, self.r / shared)


def _measure_noisy(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Against r^2/(mn), what is kept without noise (svd0.lemma16.algorithm1)."""
    sizes = tuple(SIZE17.values())
    bound = float(SHARE.subs(SIZE17))
    method = Bernstein(0.0, sizes[2] / sizes[0])
    decide = partial(decide_at_most, method=method, bound=0.95 * bound)
    if isinstance(statement.formula, sp.Eq):
        decide = partial(decide_within, method=method, target=bound, tolerance=0.049)
    return [
        Measurement(f"K = {k}, m = n = 48, r = 6", NoisyShares(*sizes, k), decide, 250, 44, 40)
        for k in AMOUNTS
    ]


# Table 22.

SIZE22 = {M: 16, N: 16, R: 4}
SOURCES = ("MeZO", "SPSA", "NES")


def _sources(_: Statement) -> Mapping[sp.Expr, Derivation]:
    gaussian, _ = frames.algorithm1_projection(1)
    signs = isotropic(lambda Z: Z, {"Z": Factor(("m", "n"), "signs")})
    steps = (
        *gaussian.steps,
        "NES with one antithetic pair: (f(W + s Z) - f(W - s Z))/(2 s) Z, MeZO's estimate itself",
        "SPSA: kappa Z with random signs Z: " + signs.steps[0],
        "signed permutations are all that the argument above uses, so the mean share is the same "
        "(where the r-th and the (r+1)-th singular value are equal, with a choice that moves with "
        "the permutations)",
        "the three mean shares are equal: their largest relative difference is 0",
    )
    return {APART: Derivation(sp.S.Zero, steps)}


def _sources_witness(_: Statement, failed: Counterexample) -> str:
    sizes = {"m": 3, "n": 3, "r": 1}
    return f"""import itertools

import numpy as np

{inputs(sizes)}{AVERAGE}
def kept(z):
    u, _, vt = np.linalg.svd(np.sum(g * z) * z)
    return np.sum((u[:, :r].T @ g @ vt[:r].T) ** 2) / np.sum(g**2)

signs = np.array([[1, 1, 1], [1, -1, 1], [1, 1, 1.0]])
shares = [np.mean([kept(a @ z @ b) for a, b in pairs]) for z in (z0, signs, -z0)]
print("claimed", 0.05)  # more than
print("actual", abs(round(max(shares) / min(shares) - 1, 9)))
print("mean shares of MeZO, SPSA, NES:", *map(float, shares))
"""


@dataclass(frozen=True)
class SourceShares:
    """||P^T g||^2/||g||^2 of the subspaces from a MeZO, an SPSA and a NES gradient, in columns.

    On <G, W> with a fixed Gaussian G, m x n.
    """

    m: int
    n: int
    r: int

    @property
    def gradient(self) -> np.ndarray:
        """G / ||G||."""
        found = plain(self.m, self.n).gradient()
        return found / np.linalg.norm(found)

    @property
    def largest(self) -> float:
        """No subspace keeps more than the r largest singular values of G."""
        return float(np.square(np.linalg.svd(self.gradient, compute_uv=False)[: self.r]).sum())

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        shape = size, self.m, self.n
        noises = (
            rng.standard_normal(shape),
            rng.choice((-1.0, 1.0), shape),
            rng.standard_normal(shape),
        )
        return np.stack([self._kept(z) for z in noises], axis=1).clip(0.0, self.largest)

    def _kept(self, z: np.ndarray) -> np.ndarray:
        kappa = np.einsum("bij,ij->b", z, self.gradient)
        u, _, vt = np.linalg.svd(kappa[:, None, None] * z)
        core = u[:, :, : self.r].swapaxes(1, 2) @ self.gradient @ vt[:, : self.r].swapaxes(1, 2)
        return np.square(core).sum(axis=(1, 2))


def _measure_sources(statement: Statement, _: Context) -> Sequence[Measurement]:
    """All within 2.4% of r^2/(mn): then no two differ by 5%."""
    sampler = SourceShares(*SIZE22.values())
    target = np.full(len(SOURCES), float(SHARE.subs(SIZE22)))
    decide = partial(
        decide_within, method=Bernstein(0.0, sampler.largest), target=target, tolerance=0.024
    )
    if isinstance(statement.formula, sp.Gt):
        decide = partial(_some_two_apart, within=decide)
    return [Measurement("m = n = 16, r = 4", sampler, decide, 500, 100, 50)]


def _some_two_apart(shards, *, alpha: float, within) -> Decision:
    """Refuted where all lie in one band; outside it they may still be near one another."""
    decision = within(shards, alpha=alpha)
    verdict = "refuted" if decision.verdict == "confirmed" else "inconclusive"
    return replace(decision, verdict=verdict)


# Fig. 1: the cosine of singular values for spectra of G that fall as i^-a.

POWERS = (0.0, 0.5, 1.0, 2.0)
TOP = 24


@dataclass(frozen=True)
class SpectraOfNoise:
    """(cosine at one power, cosine at the next): of the top-24 singular values of a MeZO gradient
    and of G = diag(i^-a, i <= 24), 128 x 128, each with a draw of its own.
    """

    powers: tuple[float, float]
    size: int = 128

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        return np.stack([self._column(rng, size, a) for a in self.powers], axis=1).clip(0.0, 1.0)

    def _column(self, rng: np.random.Generator, size: int, power: float) -> np.ndarray:
        true = np.arange(1.0, TOP + 1) ** -power
        z = rng.standard_normal((size, self.size, self.size))
        kappa = np.einsum("bii,i->b", z[:, :TOP, :TOP], true)
        values = np.linalg.eigvalsh(z @ z.swapaxes(1, 2))[:, : -TOP - 1 : -1]
        found = np.abs(kappa)[:, None] * np.sqrt(values)
        return found @ true / np.linalg.norm(found, axis=1) / np.linalg.norm(true)


def _measure_spectra(statement: Statement, _: Context) -> Sequence[Measurement]:
    """ "Grows" and "falls" from each of the spectra to the next steeper one."""
    pairs = tuple(pairwise(POWERS))
    falls = isinstance(statement.formula.args[0], sp.Gt)
    return [
        Measurement(
            f"a = {a} and {b}",
            SpectraOfNoise((b, a) if falls else (a, b)),
            partial(decide_less, method=Bernstein()),
            20,
            100,
            16,
        )
        for a, b in pairs
    ]


def example() -> tuple[float, float]:
    """Mean cosines at a = 1/2 and at a = 0, of twenty draws of noise from seed 0."""
    import numpy as np

    z = np.random.default_rng(0).standard_normal((20, 128, 128))
    found = np.linalg.svd(z, compute_uv=False)[:, :24]  # <G, Z> Z: its size drops out
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    true = [np.arange(1.0, 25) ** -a for a in (0.5, 0.0)]
    half, flat = (float(np.mean(found @ (t / np.linalg.norm(t)))) for t in true)
    return half, flat


def _with_example(check: Check) -> Check:
    """A refutation's certificate holds numbers that a stranger can print."""

    def judge(statement: Statement, context: Context) -> Evidence:
        evidence = check.judge(statement, context)
        if (
            evidence.verdict is not Verdict.REFUTED
            or evidence.numbers["a = 0.0 and 0.5"]["verdict"] != "refuted"
        ):
            return evidence
        half, flat = example()
        certificate = {
            **evidence.certificate,
            "inputs": {"m": 128, "n": 128},
            "relation": written(statement.formula.args[0]),
            "claimed": half,
            "actual": flat,
            "snippet": getsource(example)
            + '\n\nhalf, flat = example()\nprint("claimed", half)\nprint("actual", flat)\n',
        }
        return replace(evidence, certificate=certificate)

    return Check(Kind.MEASURED, judge)


COSINES = tuple(sp.Symbol(f"mean cosine at a = {sp.nsimplify(a)}") for a in POWERS)

# Sec. 5.


def _shift(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """E d/dx f(x + eps z) - f'(x) for a polynomial f in one coordinate."""
    x, z = sp.symbols("x z", real=True)
    f = statement.setting["f"]
    stein = smoothing.mean()
    slope = sp.Poly(sp.diff(f(x + EPS * z), x), z)
    mean = sum(c * smoothing.scalar_moment(k) for (k,), c in slope.terms())
    value = sp.expand(stein.value * mean - sp.diff(f(x), x))
    steps = (*stein.steps, f"f(x) = {f(x)}: the mean less f'(x) is {value}")
    return {SHIFT: Derivation(value, steps)}


def _shift_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
x, z_w = 0.5, np.polynomial.hermite_e.hermegauss(6)
z, w = z_w[0], z_w[1] / z_w[1].sum()
estimate = ((x + eps * z) ** 3 - (x - eps * z) ** 3) / (2 * eps) * z
print("claimed", 0.0)
print("actual", float(w @ estimate - 3 * x**2))
"""


_A, _B, _C = sp.symbols("a b c", real=True)

SPSA = Claim(
    id="svd0.sec5.spsa_unbiased",
    where="Sec. 5, under Lemma 1",
    setting=Setting("any smooth loss, any eps > 0"),
    statement=Statement(
        "At every eps > 0 and for every smooth f, the mean of the two-point Gaussian estimate is "
        "grad f.",
        sp.Eq(SHIFT, 0),
        (sp.Gt(EPS, 0, evaluate=False),),
        setting={"f": lambda x: x**3},
    ),
    needs=(Kind.EXACT,),
    checks=(exact(_shift, _shift_witness),),
    correction=Statement(
        "It is the gradient of the smoothed loss, grad f_eps, and grad f at every eps where f is a "
        "quadratic (shown coordinate by coordinate).",
        sp.Eq(SHIFT, 0),
        (sp.Gt(EPS, 0, evaluate=False),),
        setting={"f": lambda x: _A * x**2 + _B * x + _C},
    ),
)

LOW_RANK = Claim(
    id="svd0.fig1.low_rank",
    where="Sec. 3, Fig. 1, Table 13",
    statement=Statement(
        "On a linear loss with m = n = 128 the mean cosine between the vectors of the top-24 "
        "singular values of a one-direction MeZO gradient and of G grows as the spectrum of G "
        "steepens: G with singular values i^-a for i = 1..24 and 0 beyond, a = 0, 1/2, 1, 2. "
        "(Read: a high value is a sign of low-rank structure.)",
        conjunction(*(sp.Lt(a, b) for a, b in pairwise(COSINES))),
    ),
    needs=(Kind.MEASURED,),
    checks=(_with_example(measured(_measure_spectra)),),
    correction=Statement(
        "It falls from each of them to the next: it is highest for a flat spectrum, which the "
        "noise's own largest singular values resemble.",
        conjunction(*(sp.Gt(a, b) for a, b in pairwise(COSINES))),
    ),
    setting=Setting("OPT-1.3B on RTE", "a linear loss, G of 128 x 128 with a given spectrum"),
)

NOISE = Claim(
    id="svd0.table17.noise",
    where="App. C, Table 17",
    statement=Statement(
        "Independent zero-mean Gaussian noise whose variance is K times the mean squared entry of "
        "that draw's one-direction MeZO gradient, added before the SVD, lowers the mean share "
        "||P^T g||^2/||g||^2 kept by the top-r subspace by at least 5%, at each of K = 0.5, 1, 2, "
        "against K = 0. (Linear loss, rank-one G, m = n = 48, r = 6; at least 10,000 draws each.)",
        sp.Le(NOISY, sp.Rational(95, 100) * CLEAN),
        PROPER,
    ),
    needs=(Kind.MEASURED,),
    checks=(exact(_noisy, _noisy_witness), measured(_measure_noisy)),
    correction=Statement(
        "It leaves the share as it is, r^2/(mn): a one-direction gradient is a multiple of noise, "
        "to which more noise of any amount adds nothing new.",
        sp.Eq(NOISY, CLEAN),
        PROPER,
    ),
    setting=Setting(
        "accuracies of OPT-1.3B on three tasks", "what the subspace keeps of G on a linear loss"
    ),
)

ESTIMATORS = Claim(
    id="svd0.table22.estimators",
    where="App. C, Table 22",
    statement=Statement(
        "As sources of a one-direction subspace, MeZO (Gaussian direction), SPSA (Rademacher "
        "direction) and NES (one antithetic Gaussian pair) keep different mean shares E||P^T "
        "g||^2/||g||^2: some two of the three differ by more than 5%. (Linear loss, m = n = 16, r "
        "= 4, one fixed G with independent Gaussian entries.)",
        sp.Gt(APART, sp.Rational(1, 20)),
        tuple(sp.Eq(symbol, size, evaluate=False) for symbol, size in SIZE22.items()),
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_sources, _sources_witness), measured(_measure_sources)),
    correction=Statement(
        "The three mean shares are equal, r^2/(mn), for every G.",
        sp.Eq(APART, 0),
        tuple(sp.Eq(symbol, size, evaluate=False) for symbol, size in SIZE22.items()),
    ),
    setting=Setting(
        "accuracies of OPT-1.3B on SST-2", "what the subspace keeps of G on a linear loss"
    ),
)
