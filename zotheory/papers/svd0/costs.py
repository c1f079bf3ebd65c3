"""What Algorithm 3 costs as printed: projection matrices, forward passes, an SVD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.snippets import inputs
from zotheory.vocabulary import Claim, Kind, Setting, Statement

LAYERS = sp.Symbol("l", integer=True, positive=True)
HELD = sp.Symbol("projection matrices held between two steps")
PASSES = sp.Symbol("forward passes of lines 3 to 6 at a renewal")
DEGREE = sp.Symbol("order in n of (operations of SVD-0 / operations of MeZO)")
SIDE, INTERVAL = sp.symbols("n F", integer=True, positive=True)
SIZES = ((1, 2), (2, 2), (3, 5), (7, 3))  # l, F


class AsPrinted:
    """Lines 3 to 10 of Algorithm 3 on l small matrices, line by line, with a loss that counts.

    A renewal is at t mod F = 0 as printed; the first is made at t = 0, without which there is
    nothing to carry over.
    """

    shape, rank, eps = (4, 3), 2, 1e-3

    def __init__(self, layers: int, interval: int) -> None:
        self.rng = np.random.default_rng([layers, interval])
        self.weights = [self.rng.standard_normal(self.shape) for _ in range(layers)]
        self.interval = interval
        self.projections: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.passes = 0

    def loss(self) -> float:
        """One forward pass."""
        self.passes += 1
        return float(sum(np.log(np.cosh(w)).sum() for w in self.weights))

    def estimate(self, i: int) -> np.ndarray:
        """EstimateGradient(W_i, eps): MeZO's, two evaluations."""
        noise = self.rng.standard_normal(self.shape)
        losses = []
        for sign in (1, -1):
            self.weights[i] = self.weights[i] + sign * self.eps * noise
            losses.append(self.loss())
            self.weights[i] = self.weights[i] - sign * self.eps * noise
        return (losses[0] - losses[1]) / (2 * self.eps) * noise

    def step(self, t: int) -> None:
        """Lines 3 to 10."""
        for i in range(len(self.weights)):
            if t % self.interval == 0:
                u, _, vt = np.linalg.svd(self.estimate(i))
                self.projections[i] = u[:, : self.rank], vt[: self.rank].T
            # else line 8: U_i^t <- U_i^(t-1), V_i^t <- V_i^(t-1)

    @property
    def held(self) -> int:
        """How many different arrays the next step's line 8 needs."""
        return len({id(array) for pair in self.projections.values() for array in pair})


def _held(_: Statement, __: Context) -> Iterator[Case]:
    for layers, interval in SIZES[1:]:
        printed = AsPrinted(layers, interval)
        counts = []
        for t in range(2 * interval):
            printed.step(t)
            counts.append(printed.held)
        yield Case({"l": layers, "F": interval}, {HELD: max(counts), LAYERS: layers})


def _passes(_: Statement, __: Context) -> Iterator[Case]:
    for layers, interval in SIZES:
        printed = AsPrinted(layers, interval)
        printed.step(0)
        yield Case({"l": layers, "F": interval}, {PASSES: printed.passes, LAYERS: layers})


def _held_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
rng, r, held = np.random.default_rng(0), 2, {{}}
for t in range(2 * F):
    for i in range(l):
        if t % F == 0:
            u, _, vt = np.linalg.svd(rng.standard_normal((4, 3)))
            held[i] = u[:, :r], vt[:r].T
        # else line 8: U_i and V_i of the step before
print("claimed", 2)  # at most
print("actual", len({{id(x) for pair in held.values() for x in pair}}))
"""


def _passes_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
passes, rng = 0, np.random.default_rng(0)
weights = [rng.standard_normal((4, 3)) for _ in range(l)]

def loss():
    global passes
    passes += 1
    return sum(np.log(np.cosh(w)).sum() for w in weights)

for i in range(l):  # lines 3 to 5: one two-point estimate for each W_i
    z = rng.standard_normal((4, 3))
    for sign in (1, -1):
        weights[i] = weights[i] + sign * 1e-3 * z
        loss()
        weights[i] = weights[i] - sign * 1e-3 * z
print("claimed", 2)  # of one MeZO step
print("actual", passes)
"""


def _degree(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """MeZO: two passes and the noise, each a constant number of operations an entry."""
    per_entry, c = sp.symbols("b c", positive=True)
    mezo = per_entry * SIDE**2
    ratio = sp.cancel((mezo + c * SIDE**3 / statement.setting["F"]) / mezo)
    top, bottom = (sp.degree(x, SIDE) for x in sp.fraction(sp.together(ratio)))
    steps = (
        f"one n x n matrix, a fixed number of tokens: MeZO makes {mezo} operations a step, b > 0",
        f"an SVD of c n^3 every F = {statement.setting['F']} steps: the ratio is {ratio}",
        f"of order n^{top - bottom}: bounded where that is n^0 at most",
    )
    return {DEGREE: Derivation(sp.Integer(top - bottom), steps)}


def _degree_witness(_: Statement, failed: Counterexample) -> str:
    return """import numpy as np

b, c, F = 1e6, 20.0, 1000  # operations of MeZO an entry, of an SVD n^3; fixed
ratio = lambda n: (b * n**2 + c * n**3 / F) / (b * n**2)
n = 2.0**80
print("claimed", 0.0)  # at most: log2 of how the ratio grows as n doubles
print("actual", float(np.log2(ratio(2 * n) / ratio(n))))
"""


TWO_MATRICES = Claim(
    id="svd0.table2.two_matrices",
    where="Sec. 4.2, Alg. 3 lines 3 to 11",
    setting=Setting("Algorithm 3 as printed, any number l >= 2 of matrices"),
    statement=Statement(
        "Between two steps of Algorithm 3 as printed (line 8 carries U_i and V_i over), at most "
        "two projection matrices (one U, one V) are held, whatever the number l >= 2 of weight "
        "matrices and F > 1.",
        sp.Le(HELD, 2),
    ),
    needs=(Kind.COUNTED,),
    checks=(counted(_held, _held_witness),),
    correction=Statement(
        "2 l of them are held: a U_i and a V_i for each of the l weight matrices.",
        sp.Eq(HELD, 2 * LAYERS),
    ),
)

RENEWAL_PASSES = Claim(
    id="svd0.alg3.renewal_passes",
    where="Alg. 3, lines 3 to 6",
    setting=Setting("Algorithm 3 as printed, any number of matrices"),
    statement=Statement(
        "Following lines 3 to 6 as printed, each call of EstimateGradient one two-point estimate, "
        "a renewal makes as many forward passes as one MeZO step, whatever the number l of "
        "matrices.",
        sp.Eq(PASSES, 2),
    ),
    needs=(Kind.COUNTED,),
    checks=(counted(_passes, _passes_witness),),
    correction=Statement(
        "It makes 2 l, two for each of the l matrices; one joint estimate of all would make 2.",
        sp.Eq(PASSES, 2 * LAYERS),
    ),
)

SVD_COMPLEXITY = Claim(
    id="svd0.svd_complexity",
    where="Sec. 4.2",
    setting=Setting("one n x n matrix, n -> infinity, F and the tokens of a step fixed"),
    statement=Statement(
        "With F and the number of tokens per step fixed and one n x n matrix, n -> infinity, the "
        "operations per step of SVD-0 (an SVD costed at c n^3, c > 0, every F steps) stay within a "
        "constant factor of MeZO's. (Read: the upper bound of the training time complexity "
        "remains unchanged.)",
        sp.Le(DEGREE, 0),
        (sp.Ge(SIDE, 1, evaluate=False),),
        setting={"F": INTERVAL},
    ),
    needs=(Kind.EXACT,),
    checks=(exact(_degree, _degree_witness).refutes("at a fixed F"),),
    correction=Statement(
        "They do where F grows with n, as F = n: at fixed F the ratio grows as n, for an SVD costs "
        "n^3 and a MeZO step n^2.",
        sp.Le(DEGREE, 0),
        (sp.Ge(SIDE, 1, evaluate=False),),
        setting={"F": SIDE},
    ),
)
