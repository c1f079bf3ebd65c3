"""Appendix A.5: what "ZO + fine-tuning full parameters" can reach, and the size of LoRA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.snippets import inputs
from zotheory.papers.tezo import descent
from zotheory.papers.tezo.theorem1 import SIZES
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

DIMENSION = sp.Symbol("dim span of all W_T - W_0")
FEWER = (*SIZES, sp.Lt(R, M * N))
METHODS = ("tezo", "tezo_m")
ALL_DIMENSIONS = "as a span of all dimensions"  # not as an update of every entry


def _span(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Of the displacements for one draw of u and v, which has it with probability 1."""
    dimension = descent.span_dimension()
    steps = (
        "TeZO and TeZO-m (lines 11 to 13, 19): G_t = sum_s c_s u_s v_s^T with c = kappa_t tau or "
        "tau_M, so that W_T - W_0 is in S = span{u_s v_s^T: s <= r}, whatever losses and tau are",
        "after one step W_1 - W_0 is a multiple of sum_s tau_s u_s v_s^T; tau takes values near "
        "every vector, so that these span S, and more steps add nothing",
        f"dim S = {dimension} almost surely for r <= mn: some r x r minor of the matrix of the "
        "u_s v_s^T is a polynomial that does not vanish identically",
    )
    return {DIMENSION: Derivation(dimension, steps)}


def _span_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
# Algorithm 1's TeZO with arbitrary losses: kappa_t is any number. u and v are drawn once.
rng, steps = np.random.default_rng(0), 4 * m * n
u, v = rng.standard_normal((r, m)), rng.standard_normal((r, n))
W, displacements = np.zeros((m, n)), []
for _ in range(steps):
    tau, kappa = rng.standard_normal(r), rng.standard_normal()
    W = W - kappa * (u.T * tau) @ v
    displacements.append(W.ravel())
print("claimed", float(m * n))
print("actual", float(np.linalg.matrix_rank(np.array(displacements))))
"""


def _displacements(_: Statement, context: Context) -> Iterator[Case]:
    """Runs of the recipes on random losses: the rank of what they have moved by, all steps."""
    for name, (m, n, r) in product(METHODS, ((2, 3, 1), (4, 3, 2), (6, 5, 5))):
        at = {"method": name, "m": m, "n": n, "r": r, "T": 2 * m * n}
        moved = displacements(name, m, n, r, 2 * m * n, context.seed)
        values = {M: m, N: n, R: r, DIMENSION: int(np.linalg.matrix_rank(moved, tol=1e-9))}
        yield Case(at, values)


def displacements(name: str, m: int, n: int, r: int, steps: int, seed: int) -> np.ndarray:
    """W_t - W_0 for t = 1, ..., `steps` as rows, each of norm 1; every loss value is random."""
    import torch

    import estimators

    weight = torch.nn.Parameter(torch.zeros(m, n, dtype=torch.float64))
    optimizer = getattr(estimators, name)([weight], lr=1.0, rank=r, seed=seed)
    rng, rows = np.random.default_rng(seed), []
    for _ in range(steps):
        optimizer.step(lambda: float(rng.standard_normal()))
        rows.append(weight.detach().numpy().ravel().copy())
    return np.array([row / np.linalg.norm(row) for row in rows])


# LoRA's factors on OPT-13B.

NEAREST = sp.Symbol("LoRA parameters, the count nearest to 300M", integer=True, positive=True)
MOST = sp.Symbol("LoRA parameters, the largest count", integer=True, positive=True)
STATED, LARGEST_RANK = 300_000_000, 16


def _lora(_: Statement, context: Context) -> Iterator[Case]:
    """Every rank r on every subset of a block's matrices: r (rows + columns) for each of them."""
    import torch

    from zotheory.papers.shared.architectures import opt_13b

    context.tell(f"{context.claim}  building OPT-13B without weights")
    sizes: dict[str, list[int]] = {}
    for name, module in opt_13b().named_modules():
        if ".layers." in name and isinstance(module, torch.nn.Linear):
            kind = name.rpartition(".")[2]
            sizes.setdefault(kind, []).append(module.in_features + module.out_features)
    if len(sizes) != 6:
        raise ArithmeticError(f"a block has six matrices, found {sorted(sizes)}")
    counts = {
        (rank, kinds): rank * sum(sum(sizes[kind]) for kind in kinds)
        for rank in range(1, LARGEST_RANK + 1)
        for k in range(1, len(sizes) + 1)
        for kinds in combinations(sizes, k)
    }
    rank, kinds = min(counts, key=lambda at: max(counts[at] / STATED, STATED / counts[at]))
    yield Case(
        {"model": "OPT-13B", "rank": rank, "matrices": ", ".join(kinds)},
        {NEAREST: counts[rank, kinds], MOST: max(counts.values())},
        {"ranks and subsets": len(counts)},
    )


def _lora_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

blocks, width, forward, r = 40, 5120, 20480, {failed.inputs["rank"]}  # OPT-13B
attention = 4 * [width + width]  # rows + columns of W_Q, W_K, W_V, W_O
print("claimed", {int(failed.claimed)})  # at least: half of 300M
print("actual", int(np.sum(attention + 2 * [width + forward]) * r * blocks))
"""


CLAIMS = (
    Claim(
        id="tezo.a5.full_parameters",
        where="App. A.5 and Algorithm 1",
        setting=Setting("Algorithm 1 with its factors drawn once, any losses and number of steps"),
        statement=Statement(
            "'ZO + fine-tuning full parameters': for TeZO and TeZO-m by Algorithm 1 (factors drawn "
            "once), r < mn and any number of steps, the displacements W_T - W_0 that arbitrary "
            "losses and draws of tau can produce span all mn dimensions of an m x n weight.",
            sp.Eq(DIMENSION, M * N),
            FEWER,
        ),
        needs=(Kind.EXACT, Kind.COUNTED),
        checks=(
            exact(_span, _span_witness).refutes(ALL_DIMENSIONS),
            counted(_displacements).refutes(ALL_DIMENSIONS),
        ),
        correction=Statement("They span r dimensions.", sp.Eq(DIMENSION, R), FEWER),
    ),
    Claim(
        id="tezo.a5.lora300m",
        where="App. A.5",
        setting=Setting("OPT-13B with LoRA factors of some rank up to 16"),
        statement=Statement(
            "'The LoRA model for the 13B model has approximately 300M parameters' (within a factor "
            "2): so for OPT-13B (40 blocks, width 5120, feed-forward 20480), LoRA factors of some "
            "rank r <= 16 on some subset of the six matrices of every block.",
            conjunction(sp.Ge(NEAREST, STATED // 2), sp.Le(NEAREST, 2 * STATED)),
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_lora, _lora_witness),),
        correction=Statement(
            "They have at most 59 million parameters, a fifth of 300M.",
            sp.Le(MOST, 59_000_000),
        ),
    ),
)
