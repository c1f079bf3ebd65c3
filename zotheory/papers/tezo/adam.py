"""TeZO-Adam's step: the size of the first update, the state between steps, the peak within one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.draws import SEEDS, Recipe
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.tezo.theorem1 import SIZES
from zotheory.statistics import Bernstein, decide_within
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

if TYPE_CHECKING:
    from torch import Tensor

# The first update.

MEAN_SQUARE = sp.Symbol("E_tau (G_1)_ij^2")
LARGEST2 = sp.Symbol("sup over tau of (G_1)_ij^2")
BETAS = sp.Rational(9, 10), sp.Rational(99, 100)


def _first(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """Entry (i, j) with x_s = tau_s u_si v_sj: G = +-c sum x_s / sqrt(sum x_s^2)."""
    beta1, beta2 = statement.setting["betas"]
    square = (1 - beta1) ** 2 / (1 - beta2)
    _induction()
    steps = (
        "tau_M = (1 - beta1) kappa tau and tau_V = (1 - beta2) kappa^2 tau^2 after the first step: "
        "G_ij^2 = c^2 (sum_s x_s)^2/sum_s x_s^2 with x_s = tau_s u_si v_sj (kappa != 0), "
        f"c^2 = (1 - beta1)^2/(1 - beta2) = {square}",
        "given their sizes the signs of the x_s are independent and fair, also given u and v, "
        "since those of tau are; kappa, which depends on them, has cancelled",
        "over a sign, E (A + x)^2 = A^2 + x^2; term by term E (sum x_s)^2 = sum x_s^2: "
        f"E G_ij^2 = {square}",
        "A^2 <= (r-1) Q implies (A + x)^2 <= r (Q + x^2), as (r-1)(r (Q + x^2) - (A + x)^2) = "
        "r ((r-1) Q - A^2) + (A - (r-1) x)^2: by induction (sum x_s)^2 <= r sum x_s^2, with "
        "equality where all x_s are equal",
    )
    return {
        MEAN_SQUARE: Derivation(square, steps),
        LARGEST2: Derivation(square * R, ()),
    }


def _induction() -> None:
    """The two algebraic steps above. Raises ArithmeticError if one is wrong."""
    a, q, x, r = sp.symbols("A Q x r", real=True)
    over_sign = ((a + x) ** 2 + (a - x) ** 2) / 2
    gap = (r - 1) * (r * (q + x**2) - (a + x) ** 2)
    parts = r * ((r - 1) * q - a**2) + (a - (r - 1) * x) ** 2
    if sp.expand(over_sign - a**2 - x**2) != 0 or sp.expand(gap - parts) != 0:
        raise ArithmeticError("a step of the induction over r does not hold")


def _measure_first(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The mean over all entries of a 16 x 16 weight, by the recipe that trains."""
    betas = tuple(map(float, statement.setting["betas"]))
    target = float(next(r for r in statement.formula.args if r.has(MEAN_SQUARE)).rhs)
    rank = 2
    largest = rank * (1 - betas[0]) ** 2 / (1 - betas[1])
    decide = partial(
        decide_within,
        method=Bernstein(0.0, largest * (1 + 1e-9)),
        target=target,
        tolerance=0.08,
        scale=1.0,
    )
    sampler = FirstUpdate(16, 16, rank, betas)
    return [Measurement(f"m=n=16 r={rank}", sampler, decide, 50, 80, first_look=20)]


@dataclass(frozen=True)
class FirstUpdate:
    """The mean of (G_1)_ij^2 over the entries of an m x n weight: `tezo_adam`, a seed a sample.

    The loss is the sum of the weights, and the smoothing term 1e-30, the least the recipe takes
    being above 0. Values lie in [0, r (1 - beta1)^2 / (1 - beta2)].
    """

    m: int
    n: int
    r: int
    betas: tuple[float, float]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        import torch

        options = (("rank", self.r), ("betas", self.betas), ("delta", 1e-30), ("lr", 1.0))
        found = np.empty(size)
        for k, seed in enumerate(rng.integers(SEEDS, size=size)):
            weight = torch.zeros(self.m, self.n, dtype=torch.float64, requires_grad=True)
            optimizer = Recipe("tezo_adam", (*options, ("seed", int(seed)))).build([("W", weight)])
            optimizer.step(lambda weight=weight: float(weight.detach().sum()))
            found[k] = float(weight.detach().square().mean())
        return found


# The state between steps.

EXTRA = sp.Symbol("numbers kept beyond TeZO's", integer=True)
GRID = tuple(product((7, 130), (5, 263), (1, 2, 4)))


def _state(statement: Statement, context: Context) -> Iterator[Case]:
    """Two steps of the recipes on one m x n weight: all numbers that their state then holds."""
    for m, n, r in GRID:
        more, plain = (
            kept(name, m, n, r, context.seed) for name in (statement.setting["method"], "tezo")
        )
        yield Case({"m": m, "n": n, "r": r}, {M: m, N: n, R: r, EXTRA: more - plain})


def kept(name: str, m: int, n: int, r: int, seed: int) -> int:
    """How many numbers a recipe's state holds after two steps."""
    import torch

    import estimators
    from zotheory.evidence.instruments import Passes, state_tensors

    weight = torch.nn.Parameter(torch.zeros(m, n, dtype=torch.float64))
    optimizer, closure = getattr(estimators, name)([weight], rank=r, seed=seed), Passes()
    for _ in range(2):
        optimizer.step(closure)
    return sum(tensor.numel() for tensor in state_tensors(optimizer))


# The peak within an update: lines 10 to 19 as they stand.

EXCESS = sp.Symbol("peak of TeZO-Adam - peak of TeZO, in numbers", integer=True)
SMALLEST = sp.Symbol("the same at m = n = 1, same r", integer=True)


def _peaks(_: Statement, context: Context) -> Iterator[Case]:
    """Both updates, W a new tensor in line 19 or written in place (the least that it can take)."""
    for in_place, (m, n, r) in product((False, True), GRID):
        excess, smallest = (
            peak(adam_lines, *size, r, in_place) - peak(tezo_lines, *size, r, in_place)
            for size in ((m, n), (1, 1))
        )
        at = {"m": m, "n": n, "r": r, "line 19": "in place" if in_place else "a new tensor"}
        yield Case(at, {M: m, N: n, R: r, EXCESS: excess, SMALLEST: smallest})


Lines = Callable[["Factors", bool], None]


@dataclass
class Factors:
    """What Algorithm 1 holds when an update begins: W, u, v and TeZO-Adam's moments."""

    W: Tensor
    u: Tensor
    v: Tensor
    tau_M: Tensor
    tau_V: Tensor


def peak(lines: Lines, m: int, n: int, r: int, in_place: bool) -> int:
    """The largest number of numbers alive at once during these lines, of one m x n weight."""
    import torch

    from zotheory.evidence.instruments import Memory

    shapes = ((m, n), (r, m), (r, n), (r,), (r,))
    held = Factors(*(torch.ones(shape, dtype=torch.float64) for shape in shapes))
    first = vars(held).values() if lines is adam_lines else (held.W, held.u, held.v)
    with Memory(first) as memory:
        lines(held, in_place)
    return memory.peak // 8


def tezo_lines(held: Factors, in_place: bool) -> None:
    """Lines 10, 11 and 19."""
    import torch

    tau = torch.randn(len(held.u), dtype=torch.float64)
    G = _sum(held.W, held.u, held.v, tau)
    del tau
    _line_19(held, G, in_place)


def adam_lines(held: Factors, in_place: bool) -> None:
    """Lines 10 and 14 to 19; tau_M and tau_V are written in place, G_t over M_t if W_l is."""
    import torch

    tau = torch.randn(len(held.u), dtype=torch.float64)
    held.tau_M.mul_(0.9).add_(tau, alpha=0.1)
    held.tau_V.mul_(0.99).addcmul_(tau, tau, value=0.01)
    del tau
    M_t = _sum(held.W, held.u, held.v, held.tau_M)
    V_t = _sum(held.W, held.u, held.v, held.tau_V, squares=True)
    G = V_t.add_(1e-5).sqrt_() if in_place else torch.add(V_t, 1e-5).sqrt_()
    torch.div(M_t, G, out=G)
    del M_t, V_t
    _line_19(held, G, in_place)


def _sum(W: Tensor, u: Tensor, v: Tensor, weights: Tensor, squares: bool = False) -> Tensor:
    """sum_s c_s u_s v_s^T, or of u_s^2 and v_s^2, into one new tensor, row by row of it."""
    import torch

    total = torch.zeros_like(W)
    for c, left, right in zip(weights.tolist(), u, v, strict=True):
        for row, entry in zip(total, left.tolist(), strict=True):
            if squares:
                row.addcmul_(right, right, value=c * entry**2)
            else:
                row.add_(right, alpha=c * entry)
    return total


def _line_19(held: Factors, G: Tensor, in_place: bool) -> None:
    if in_place:
        held.W.sub_(G, alpha=1e-6)
    else:
        held.W = held.W.sub(G, alpha=1e-6)


def _peak_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import tracemalloc

import numpy as np


def update(adam, m, n, r):  # lines 10 to 19; each left-hand side a tensor, W a new one
    W, u, v = np.ones((m, n)), np.ones((m, r)), np.ones((n, r))
    tracemalloc.start()
    if adam:
        M = (u * 0.1) @ v.T
        V = (u**2 * 0.01) @ (v**2).T
        G = V + 1e-5
        np.divide(M, np.sqrt(G, out=G), out=G)
        del M, V
    else:
        G = u @ v.T
    step = np.multiply(G, -1e-6, out=G)
    W = W + step
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found // 8


r = {failed.inputs["r"]}
claimed, actual = (update(1, k, k, r) - update(0, k, k, r) for k in (64, 512))
print("claimed", claimed)  # at m = n = 64: the size is to make no difference
print("actual", actual)  # at m = n = 512
"""


def _state_of(says: str, method: str) -> Statement:
    return Statement(says, sp.Eq(EXTRA, 2 * R), SIZES, setting={"method": method})


FIRST_STEP = conjunction(sp.Eq(MEAN_SQUARE, 1), sp.Le(LARGEST2, R))

CLAIMS = (
    Claim(
        id="tezo.adam.first_step",
        where="Algorithm 1, lines 14 to 18 (ours)",
        setting=Setting(
            "the first step of Algorithm 1's TeZO-Adam with no smoothing term, any u, v and r"
        ),
        statement=Statement(
            "With smoothing term 0, zero initial state, beta1 = 0.9, beta2 = 0.99: the first "
            "TeZO-Adam update G_t has mean square 1 over tau at every coordinate, and no entry "
            "beyond sqrt(r) in size, for every u, v without zero entries, r >= 1.",
            FIRST_STEP,
            SIZES,
            setting={"betas": BETAS},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_first), measured(_measure_first)),
        mutant=Statement(
            "The same with beta2 = 0.999.",
            FIRST_STEP,
            SIZES,
            setting={"betas": (BETAS[0], sp.Rational(999, 1000))},
        ),
    ),
    Claim(
        id="tezo.adam.state",
        where="Sec. 4.3, TeZO-Adam",
        setting=Setting("TeZO-Adam on one m x n weight of rank r"),
        statement=_state_of(
            "Between steps TeZO-Adam holds, beyond what TeZO holds, 2 r numbers for an m x n "
            "weight of rank r, for every m and n.",
            "tezo_adam",
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_state),),
        mutant=_state_of("The same of TeZO-m.", "tezo_m"),
    ),
    Claim(
        id="tezo.adam.step_peak",
        where="Sec. 4.3 ('without being affected by the model dimension d'), Algorithm 1",
        setting=Setting(
            "Algorithm 1's update of one m x n weight, lines 10 to 19 executed literally"
        ),
        statement=Statement(
            "The peak memory during an update by Algorithm 1's lines 10 to 19, executed literally "
            "one weight at a time (every left-hand side a tensor, freed after its last use), "
            "exceeds TeZO's own peak by an amount that does not depend on m and n at fixed r.",
            sp.Eq(EXCESS, SMALLEST),
            SIZES,
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_peaks, _peak_witness),),
        correction=Statement(
            "It exceeds it by m n numbers or more: M_t and V_t stand beside each other before G_t "
            "is formed, in place or not.",
            sp.Ge(EXCESS, M * N),
            SIZES,
        ),
    ),
)
