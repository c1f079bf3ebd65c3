"""Theorem 1: the projection of several matrices, and what its last bound, Eq. 23, says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.matrices import R
from proofs_check.results import Enclosed, Proved
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, Recipe
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.estimates import linear, zeros
from zotheory.papers.shared.matrix_estimates import plain
from zotheory.papers.shared.somewhere import SOMEWHERE, exact_somewhere
from zotheory.papers.svd0 import frames
from zotheory.papers.svd0.convergence import BLOCKS, EPS, GAP, L1, RIGHT23, D, F
from zotheory.papers.svd0.convergence import Q as SIZE
from zotheory.statistics import Bernstein, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

# Two matrices in one P.

M1, N1, M2, N2 = sp.symbols("m1 n1 m2 n2", integer=True, positive=True)
FIRST, SECOND = sp.symbols("E[PP^T]_first E[PP^T]_second", positive=True)
OFF = sp.Symbol("E[P P^T] off its diagonal")
LAYERS = 2
Q_OVER_D = LAYERS * R**2 / (M1 * N1 + M2 * N2)
FIT = tuple(sp.Le(R, size, evaluate=False) for size in (M1, N1, M2, N2))


def _blocks(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Block by block: P P^T is block-diagonal, and each block is one matrix's."""
    diagonal, off = frames.algorithm1_projection(1)
    first, second = (
        diagonal.value.subs({frames.M: m, frames.N: n}) for m, n in ((M1, N1), (M2, N2))
    )
    steps = (
        "P = bdiag(V_1 kron U_1, V_2 kron U_2): P P^T is block-diagonal with the blocks "
        "V_i V_i^T kron U_i U_i^T, whatever the joint law of the blocks",
        *diagonal.steps,
        f"one estimate for both is one number times independent noise: the blocks are ({first}) I "
        f"and ({second}) I",
    )
    return {
        FIRST: Derivation(first, steps),
        SECOND: Derivation(second, ()),
        OFF: Derivation(off.value, ()),
    }


def _blocks_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
def mean_diagonal(m, n):
    # of V V^T kron U U^T: its trace is r^2, and the mn entries are equal on average, by the signed
    # permutations of rows and of columns that leave the law of Z as it is
    u, _, vt = np.linalg.svd(np.random.default_rng(0).standard_normal((m, n)))
    p = np.kron(vt[:r].T, u[:, :r])
    return np.mean(np.diag(p @ p.T))

claimed = 2 * r**2 / (m1 * n1 + m2 * n2)  # q/d
ends = [mean_diagonal(m1, n1), mean_diagonal(m2, n2)]
print("claimed", claimed)
print("actual", ends[0])
print("the other block:", ends[1])
"""


@dataclass(frozen=True)
class BlockEntries:
    """(P P^T)_11 in either block for the subspaces that svd0 draws on <G, W> of both matrices."""

    shapes: tuple[tuple[int, int], tuple[int, int]]
    rank: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        named = zeros({f"W{i}": shape for i, shape in enumerate(self.shapes)})
        gradients = [plain(*shape).gradient() for shape in self.shapes]
        closure = linear(
            named, [w.new_tensor(g) for (_, w), g in zip(named, gradients, strict=True)]
        )
        options = (("rank", self.rank), ("interval", 1), ("lr", 0.0))
        optimizer = Recipe("svd0", options).build(named, seed=int(rng.integers(SEEDS)))
        return np.array([list(self._entries(optimizer, closure)) for _ in range(size)]).clip(0, 1)

    def _entries(self, optimizer, closure) -> Iterator[float]:
        optimizer.step(lambda: float(closure()))
        for slot in optimizer.slots():
            u, v = slot.state["U"].numpy(), slot.state["V"].numpy()
            yield float((u[0] @ u[0]) * (v[0] @ v[0]))


def _measure_blocks(statement: Statement, _: Context) -> Sequence[Measurement]:
    sampler = BlockEntries(((2, 3), (4, 5)), 2)
    size = {M1: 2, N1: 3, M2: 4, N2: 5, R: 2}
    claimed = {relation.lhs: relation.rhs for relation in statement.formula.args}
    target = np.array([float(claimed[block].subs(size)) for block in (FIRST, SECOND)])
    decide = partial(
        decide_equal, method=Bernstein(), target=target, tolerance=0.1, scale=np.ones(2)
    )
    return [Measurement("svd0, 2 x 3 and 4 x 5, r = 2", sampler, decide, 25, 64)]


def _multiples(first: sp.Expr, second: sp.Expr) -> sp.And:
    return conjunction(sp.Eq(FIRST, first), sp.Eq(SECOND, second), sp.Eq(OFF, 0))


# Eq. 23: its terms, its rate, the smoothing that it asks for.

TOTAL = sp.Symbol("T", integer=True, positive=True)
LEAD = 16 * (SIZE + 4) * D * L1 * GAP / (SIZE * TOTAL)
SMOOTHING = 2 * EPS**2 * (SIZE + 6) ** 3 * (SIZE + 4) * D / SIZE * L1**3
REST = 3 * EPS**2 * (SIZE + 4) ** 2 * D / (2 * SIZE) * L1**2

EXCESS = sp.Symbol("least over c of the largest (second term of Eq. 23) / a")
RATE = sp.Symbol("right-hand side of Eq. 23 at eps = 0")
ROOT = sp.Symbol("sqrt(T/d)", positive=True)
SUBSPACE, WHOLE = sp.symbols("leading_at_q leading_at_d", positive=True)
MULTIPLIED = sp.Symbol("right-hand side of Eq. 22, multiplied")


def _printed() -> None:
    """The three terms as written here are Eq. 23's."""
    if sp.expand(RIGHT23.subs(BLOCKS, TOTAL / F) - (LEAD + SMOOTHING + REST)) != 0:
        raise ArithmeticError("Eq. 23 reads otherwise")


def _excess(statement: Statement) -> Mapping[sp.Expr, Enclosed]:
    """With eps = c a^power/(q^(3/2) d^(1/2) L1^(3/2)): is some c good for all q, d, L1 and a?"""
    _printed()
    power = statement.setting["power of a"]
    c, a = sp.symbols("c a", positive=True)
    eps = c * a**power / (SIZE ** sp.Rational(3, 2) * sp.sqrt(D) * L1 ** sp.Rational(3, 2))
    ratio = sp.powsimp(sp.simplify(SMOOTHING.subs(EPS, eps) / a))
    shape = (SIZE + 6) ** 3 * (SIZE + 4) / SIZE**4
    left = sp.simplify(ratio / shape)
    worst = shape.subs(SIZE, 1)
    if left.has(SIZE, D, L1):
        raise ArithmeticError(f"d, L1 or a power of q remain: {left}")
    falling = decide(shape, worst, (sp.Ge(SIZE, 1, evaluate=False),))
    if not isinstance(falling, Proved):
        raise ArithmeticError(f"{shape} may exceed its value at q = 1")
    steps = (
        f"second term / a = {left} {shape}: neither d nor L1 remains",
        f"{shape} <= {worst}, with equality at q = 1",
        *falling.steps,
    )
    if power == 0:
        at = sp.simplify(left.subs(a, c**2) * worst)  # a = c^2, or 1 where c > 1: no smaller
        told = f"for c <= 1 take a = c^2: {at}; for c > 1 take a = 1: {2 * worst} c^2, more"
        return {EXCESS: Enclosed(at, None, (*steps, told))}
    best = 1 / sp.sqrt(2 * worst)
    at = sp.simplify(left.subs(c, best) * worst)
    return {EXCESS: Enclosed(sp.S.Zero, at, (*steps, f"with c = {best}: at most {at}"))}


def _excess_witness(_: Statement, failed: Counterexample) -> str:
    return """import numpy as np

q, d, L1 = 1, 1, 1.0  # the second term does not depend on d and L1
ratios = []
for c in 10.0 ** np.arange(-12, 4):
    a = min(1.0, c**2)
    eps = c / (q**1.5 * d**0.5 * L1**1.5)
    ratios.append(2 * eps**2 * (q + 6) ** 3 * (q + 4) * d / q * L1**3 / a)
print("claimed", 1.0)  # at most, for one of the c
print("actual", min(ratios))
"""


def _rate(_: Statement) -> Mapping[sp.Expr, Derivation]:
    _printed()
    value = sp.cancel((LEAD + SMOOTHING + REST).subs(EPS, 0).subs(TOTAL, D * ROOT**2))
    step = f"eps -> 0 leaves the first term; with T = d (sqrt(T/d))^2 it is {value}"
    return {RATE: Derivation(value, (step,))}


def _leading(_: Statement) -> Mapping[sp.Expr, Derivation]:
    _printed()
    return {
        SUBSPACE: Derivation(LEAD, (f"the leading term at q: {LEAD}",)),
        WHOLE: Derivation(LEAD.subs(SIZE, D), (f"at q = d: {LEAD.subs(SIZE, D)}",)),
    }


def _leading_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
leading = lambda q: 16 * np.float64(q + 4) * d * L1 * phi_gap / (q * T)
print("claimed", float(leading(d)))  # less than
print("actual", float(leading(q)))
"""


def _multiplied(_: Statement) -> Mapping[sp.Expr, Derivation]:
    right = GAP + TOTAL * (EPS**2 * (SIZE + 6) ** 3 / 8 * L1**2 + 3 * EPS**2 * (SIZE + 4) / 32 * L1)
    factor = 16 * D * (SIZE + 4) * L1 / (SIZE * TOTAL)
    value = sp.expand(right * factor)
    left = sp.cancel(SIZE / (16 * D * (SIZE + 4) * L1) * factor)
    steps = (
        f"Eq. 22's right side: {right}",
        f"times {factor}: {value}; on the left {left} of the sum remains",
    )
    return {MULTIPLIED: Derivation(value, steps)}


BELOW_D = (sp.Lt(SIZE, D), sp.Gt(GAP, 0, evaluate=False))

SEVERAL_LAYERS = Claim(
    id="svd0.thm1.several_layers",
    where="Prop. 1, Theorem 1, Eq. 18",
    setting=Setting("the block-diagonal P of Prop. 1 over l >= 2 matrices, one query a renewal"),
    statement=Statement(
        "For the block-diagonal P of Prop. 1 over l >= 2 matrices with r columns in every U_i, V_i "
        "(from Algorithm 1, one direction), E[P P^T] = (q/d) I with q = l r^2 and d = sum m_i n_i, "
        "for all sizes m_i, n_i.",
        _multiples(Q_OVER_D, Q_OVER_D),
        FIT,
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_blocks, _blocks_witness), measured(_measure_blocks)),
    correction=Statement(
        "Its i-th block is (r^2/(m_i n_i)) I: a multiple of the identity only where all matrices "
        "have the same number of entries (shown for l = 2).",
        _multiples(R**2 / (M1 * N1), R**2 / (M2 * N2)),
        FIT,
    ),
)

BOUND = (
    Claim(
        id="svd0.thm1.eps_bound",
        where="Theorem 1, last display of its proof",
        setting=Setting("the proof's choice of eps, any q, d, L1 and accuracy"),
        statement=Statement(
            "There is a constant c > 0, the same for every q >= 1, d >= q, L1 > 0 and every "
            "accuracy a in (0, 1], for which smoothing eps = c/(q^(3/2) d^(1/2) L1^(3/2)) makes "
            "the second term of Eq. 23 at most a.",
            sp.Le(EXCESS, 1),
            (sp.Ge(SIZE, 1, evaluate=False), sp.Le(SIZE, D, evaluate=False)),
            setting={"power of a": sp.S.Zero},
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_excess, _excess_witness),),
        correction=Statement(
            "With the accuracy's root in it there is: eps = c sqrt(a)/(q^(3/2) d^(1/2) L1^(3/2)), "
            "c = 1/sqrt(3430). Without it the second term is 2 c^2 (q+6)^3 (q+4)/q^4 > 2 c^2, "
            "whatever a is.",
            sp.Le(EXCESS, 1),
            (sp.Ge(SIZE, 1, evaluate=False), sp.Le(SIZE, D, evaluate=False)),
            setting={"power of a": sp.Rational(1, 2)},
        ),
    ),
    Claim(
        id="svd0.thm1.rate",
        where="Theorem 1, end of its proof",
        setting=Setting("the end of the proof, any q, d and T >= d"),
        statement=Statement(
            "For eps -> 0 the right-hand side of Eq. 23 is at most C sqrt(d/T) with C = 80 L1 "
            "(phi_0 - f*), for all q >= 1, d >= q and every T >= d.",
            sp.Le(RATE, 80 * L1 * GAP / ROOT),
            (sp.Ge(ROOT, 1, evaluate=False),),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_rate),),
        mutant=Statement(
            "The same with C = 79 L1 (phi_0 - f*).",
            sp.Le(RATE, 79 * L1 * GAP / ROOT),
            (sp.Ge(ROOT, 1, evaluate=False),),
        ),
    ),
    Claim(
        id="svd0.eq23.small_q",
        where="Eq. 23",
        setting=Setting("the leading term of Eq. 23 at equal d, T, L1"),
        statement=Statement(
            "For some 1 <= q < d the leading term of Eq. 23 (the one with phi_0 - f*) is smaller "
            "than the same term at q = d, the full space, at equal d, L1, T. (Read: the bound "
            "shows a gain of a subspace.)",
            sp.Lt(SUBSPACE, WHOLE),
            BELOW_D,
            setting={SOMEWHERE: True},
        ),
        needs=(Kind.EXACT,),
        checks=(exact_somewhere(_leading, _leading_witness),),
        correction=Statement(
            "It is larger at every q < d: it falls with q, as 1 + 4/q.",
            sp.Gt(SUBSPACE, WHOLE),
            BELOW_D,
        ),
    ),
    Claim(
        id="svd0.eq23.constants",
        where="Eq. 22 to Eq. 23",
        setting=Setting("a step of the proof, any q, d, T and L1"),
        statement=Statement(
            "Multiplying Eq. 22 by 16 d (q+4) L1/(q T) gives exactly the three terms on the right "
            "of Eq. 23.",
            sp.Eq(MULTIPLIED, LEAD + SMOOTHING + REST),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_multiplied),),
        mutant=Statement(
            "The same with 3 eps^2 (q+4) d/(2q) L1^2 as the third term.",
            sp.Eq(MULTIPLIED, LEAD + SMOOTHING + REST / (SIZE + 4)),
        ),
    ),
)
