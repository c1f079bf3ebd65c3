"""With the gradient's own singular frames, a diagonal core is better than a full one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.cards.invariance import Factor, isotropic
from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.statistics import Bernstein, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement

DIAGONAL, FULL = sp.symbols("cos2_of_U_diag(z)_V^T cos2_of_U_Z_V^T", positive=True)
SHARE = sp.Symbol("kept", positive=True)  # sum of the r largest sigma^2 over ||G||^2


def _cosines(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """<G, U X V^T> = <Sigma, X> with Sigma diagonal, and ||U X V^T|| = ||X||."""
    factor = {"Z": Factor(("m", "n"), "Gaussian")}
    found = isotropic(lambda Z: Z, factor)  # E cos^2(A, Z) = 1/(mn) for every A
    full = SHARE * found.value.subs({M: R, N: R})
    diagonal = SHARE * found.value.subs({M: R, N: 1})
    steps = (
        "U^T G V = Sigma = diag(sigma_1..sigma_r): <G, U X V^T> = <Sigma, X>, ||U X V^T|| = ||X||, "
        "so cos^2(G, U X V^T) = kept cos^2(Sigma, X), kept = ||Sigma||^2/||G||^2",
        *found.steps,
        f"X = Z, r x r: {full}; X = diag(z): <Sigma, X> = <sigma, z>, a vector of r entries: "
        f"{diagonal}",
    )
    return {DIAGONAL: Derivation(diagonal, steps), FULL: Derivation(full, ())}


@dataclass(frozen=True)
class CoreCosines:
    """cos^2(G, U diag(z) V^T) and cos^2(G, U Z V^T), G = diag(1, 1/2, ..., 1/m) in m x n."""

    m: int
    n: int
    r: int

    @property
    def gradient(self) -> np.ndarray:
        """G, turned from both sides by fixed orthogonal matrices."""
        left, right = (
            np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))[0]
            for d in (self.m, self.n)
        )
        sigma = np.zeros((self.m, self.n))
        np.fill_diagonal(sigma, 1 / np.arange(1.0, min(self.m, self.n) + 1))
        return left @ sigma @ right

    @property
    def kept(self) -> float:
        """||Sigma||^2/||G||^2."""
        squares = np.square(np.linalg.svd(self.gradient, compute_uv=False))
        return float(squares[: self.r].sum() / squares.sum())

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        g, r = self.gradient, self.r
        u, _, vt = np.linalg.svd(g)
        z = rng.standard_normal((size, r))
        cores = z[:, :, None] * np.eye(r), rng.standard_normal((size, r, r))
        columns = []
        for core in cores:
            moved = u[:, :r] @ core @ vt[:r]
            squares = np.square(moved).sum(axis=(1, 2)) * np.square(g).sum()
            columns.append(np.einsum("bij,ij->b", moved, g) ** 2 / squares)
        return np.stack(columns, axis=1).clip(0.0, 1.0)


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The full core's mean is kept/r^2; the other is the claimed multiple of it."""
    times = statement.formula.rhs / FULL
    measurements = []
    for m, n, r in ((4, 5, 2), (6, 5, 3)):
        sampler = CoreCosines(m, n, r)
        full = sampler.kept / r**2
        target = np.array([float(times.subs(R, r)) * full, full])
        decide = partial(
            decide_equal, method=Bernstein(), target=target, tolerance=0.02, scale=np.ones(2)
        )
        measurements.append(Measurement(f"m={m} n={n} r={r}", sampler, decide, 1_000, 64))
    return measurements


CLAIMS = (
    Claim(
        id="own.diagonal_core",
        where="ours, for svd0 Sec. 4.1",
        setting=Setting("ours: a linear loss, exact singular frames of G"),
        statement=Statement(
            "Given the exact top-r singular frames of G (rank at least r), on a linear loss the "
            "direction U diag(z) V^T with r Gaussian entries has r times the E cos^2 of U Z V^T "
            "with r x r Gaussian entries.",
            sp.Eq(DIAGONAL, R * FULL),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_cosines), measured(_measure)),
        mutant=Statement("It has r^2 times that E cos^2.", sp.Eq(DIAGONAL, R**2 * FULL)),
    ),
)
