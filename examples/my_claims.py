"""A claim of one's own about plain SPSA: `zotheory verify examples/my_claims.py`."""

from functools import partial

import sympy as sp

from proofs_check.gaussian import Fixed, Gaussian, Index, contraction, derive, expect
from zotheory import Claim, Kind, Measurement, Statement, exact, measured
from zotheory.statistics import Catoni, decide_equal

n = sp.Symbol("n", integer=True, positive=True)
(i, j, k), g, z = (Index(x, n) for x in "ijk"), Fixed("g"), Gaussian("z")
ESTIMATE2, NORM2 = sp.Symbol("E||<g,z> z||^2"), contraction(g[i] * g[i])
square = g[i] * z[i] * g[j] * z[j] * z[k] * z[k]  # <g,z>^2 ||z||^2


def sample(rng, size):  # at n = 10, ||g|| = 1
    z = rng.standard_normal((size, 10))
    return z[:, 0] ** 2 * (z**2).sum(axis=1)


def plan(statement, context):
    at = {n: 10, NORM2: 1}
    variance = float((expect(square * square.fresh()) - expect(square) ** 2).subs(at))
    target = float(statement.bound.subs(at))
    decide = partial(decide_equal, method=Catoni(variance), target=target, tolerance=0.02)
    return [Measurement("n = 10", sample, decide, shard_size=10_000, max_shards=256)]


def says(constant):
    formula = sp.Eq(ESTIMATE2, (n + constant) * NORM2)
    return Statement(f"E||<g,z> z||^2 = (n+{constant}) ||g||^2 for z ~ N(0, I_n).", formula)


checks = (exact(lambda _: {ESTIMATE2: derive(square)}), measured(plan))
needs = (Kind.EXACT, Kind.MEASURED)
CLAIMS = [Claim("mine.spsa", "Nesterov-Spokoiny", says(2), needs, checks, mutant=says(4))]
