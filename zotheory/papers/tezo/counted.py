"""Claims counted on the estimators themselves: Table 2, momentum, memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.exact import exact
from zotheory.papers.tezo import memory
from zotheory.vocabulary import Claim, Kind, Setting, Statement

if TYPE_CHECKING:
    import torch

T = sp.Symbol("T", integer=True, positive=True)
SIZES = tuple(sp.Ge(size, 1, evaluate=False) for size in (M, N, R, T))
NUMBERS = sp.Symbol("random numbers")

# Two values for m, n and T and three for r: two polynomials of degree 1 in the former and 2 in r
# that agree on this grid are the same. The largest tensor has more entries than a block of noise.
GRID = tuple(product((7, 130), (5, 263), (1, 2, 4), (2, 3)))


def _random_numbers(statement: Statement, context: Context) -> Iterator[Case]:
    """Steps of the method on one m x n weight of 64 bits, all draws recorded."""
    import torch

    import estimators
    from zotheory.evidence.instruments import Draws, Passes

    recipe = getattr(estimators, statement.setting["method"])
    repeated = statement.setting.get("repeated", False)
    for m, n, r, steps in GRID:
        options = {**statement.setting.get("options", {}), "seed": context.seed}
        if statement.setting["method"] != "mezo":
            options["rank"] = r
        optimizer = recipe([torch.nn.Parameter(torch.zeros(m, n, dtype=torch.float64))], **options)
        closure = Passes()
        with Draws() as draws:
            for _ in range(steps):
                optimizer.step(closure)
        yield Case(
            {"m": m, "n": n, "r": r, "T": steps},
            {M: m, N: n, R: r, T: steps, NUMBERS: draws.drawn if repeated else draws.distinct},
            {"drawn, repetitions counted": draws.drawn, "forward passes": closure.made},
        )


def _table2(method: str, says: str, claimed: sp.Expr, mutant: Statement, **options: Any) -> Claim:
    return Claim(
        id=f"tezo.table2.{method}",
        where="Table 2",
        setting=Setting("one m x n weight, T steps"),
        statement=_drawn(method, says, claimed, **options),
        needs=(Kind.COUNTED,),
        checks=(counted(_random_numbers),),
        mutant=mutant,
    )


def _drawn(
    method: str, says: str, claimed: sp.Expr, repeated: bool = False, **options: Any
) -> Statement:
    setting = {"method": method, "repeated": repeated, "options": options}
    return Statement(says, sp.Eq(NUMBERS, claimed), SIZES, setting=setting)


TABLE2 = (
    _table2(
        "mezo",
        "MeZO draws m n T distinct random numbers for one m x n weight in T steps.",
        M * N * T,
        _drawn("mezo", "The same, repetitions counted.", M * N * T, repeated=True),
    ),
    _table2(
        "subzo",
        "SubZO with update interval 1 draws (m+n+r) r T.",
        (M + N + R) * R * T,
        _drawn("subzo", "SubZO draws (m+n) r T.", (M + N) * R * T, interval=1),
        interval=1,
    ),
    _table2(
        "lozo",
        "LOZO with update interval 1 draws (m+n) r T.",
        (M + N) * R * T,
        _drawn("lozo", "LOZO with update interval 2 does.", (M + N) * R * T, interval=2),
        interval=1,
    ),
    _table2(
        "tezo",
        "TeZO draws (m+n+T) r.",
        (M + N + T) * R,
        _drawn("tezo", "TeZO with fresh factors does.", (M + N + T) * R, interval=1),
    ),
)

FACTORED = sp.Symbol("moment of kappa tau, expanded")
DENSE = sp.Symbol("moment of kappa Z")


def _induction(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """One entry of both sides, by induction over the steps t and the number of terms r."""
    power = statement.setting["power"]
    beta, kappa, a, z, mu, tau, w = sp.symbols("beta kappa a z mu tau w", real=True)
    term = w**power
    factored = beta * a + (1 - beta) * (kappa * z) ** power
    factored += (beta * mu + (1 - beta) * (kappa * tau) ** power) * term
    dense = beta * (a + mu * term) + (1 - beta) * (kappa * (z + tau * w)) ** power
    steps = (
        "t = 0, or r = 0 terms: both sides are 0",
        "entry (i, j), w = u_i v_j of term r, mu its moment, tau its coordinate; a and z are the "
        "moment and the entry of Z_t from terms 1 to r - 1",
        f"r - 1 terms after step t (hypothesis) and term r: {factored}",
        f"r terms before step t (hypothesis), then the dense step: {dense}",
    )
    return {FACTORED: Derivation(factored, steps), DENSE: Derivation(dense, ())}


def _moments(statement: Statement, context: Context) -> Iterator[Case]:
    """Steps in 64 bits: the state expanded, beside the same average of the dense estimates."""
    import torch

    import estimators

    power = statement.setting["power"]
    recipe, name, beta = {
        1: (estimators.tezo_m, "momentum", 0.9),
        2: (estimators.tezo_adam, "v", 0.99),
    }[power]
    for (m, n, r), steps in product(((12, 9, 3), (60, 50, 8)), (20,)):
        source = torch.Generator().manual_seed(context.seed)
        target = torch.randn(m, n, dtype=torch.float64, generator=source)
        weight = torch.nn.Parameter(torch.zeros(m, n, dtype=torch.float64))
        options = {"rank": r, "lr": 1e-3, "seed": context.seed, "restore": "copy"}
        optimizer = recipe([("W", weight)], **options)

        def closure(weight=weight, target=target) -> torch.Tensor:
            return (weight - target).square().mean()

        dense = torch.zeros(m, n, dtype=torch.float64)
        for step in range(1, steps + 1):
            dense.mul_(beta).add_(optimizer.estimate(closure)["W"] ** power, alpha=1 - beta)
            optimizer.step(closure)
            state = optimizer.state[weight]
            left, right = state["U"] ** power, state["V"] ** power
            expanded = (left * state[name]) @ right.T
            worst = int((expanded - dense).abs().argmax())
            yield Case(
                {"m": m, "n": n, "r": r, "step": step, "entry": divmod(worst, n)},
                {FACTORED: float(expanded.view(-1)[worst]), DENSE: float(dense.view(-1)[worst])},
                tolerance=float(1e-12 * dense.abs().max()),
            )


def _momentum(says: str, power: int) -> Statement:
    return Statement(says, sp.Eq(FACTORED, DENSE), setting={"power": power})


STATE = (
    Claim(
        id="tezo.momentum.exact",
        where="Sec. 4.3, TeZO-m",
        setting=Setting("Algorithm 1's TeZO-m, any loss and any number of steps"),
        statement=_momentum(
            "Momentum kept on kappa_t tau_t and expanded with u, v equals dense momentum of "
            "kappa_t Z_t, exactly, at every step.",
            power=1,
        ),
        needs=(Kind.EXACT, Kind.COUNTED),
        checks=(exact(_induction), counted(_moments)),
        mutant=_momentum(
            "The same of the second moment, kept on (kappa_t tau_t)^2 and expanded with u^2, v^2.",
            power=2,
        ),
    ),
    *memory.CLAIMS,
)
