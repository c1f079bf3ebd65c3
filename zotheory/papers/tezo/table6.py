"""Table 6: which hyperparameters have a range to search, and what a common rho means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import sympy as sp

from proofs_check import matrices
from proofs_check.gaussian import Gaussian, derive
from proofs_check.matrices import M, N, R, indices
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import Counterexample
from zotheory.evidence.printed import above, printed
from zotheory.evidence.tables import Table
from zotheory.papers.tezo import lemma1_mean
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE6 = Table.read(Path(__file__).parent / "tables" / "table6.csv")
FIRST, SECOND = TABLE6.columns[
    :2
]  # values of the search range; with a second one there is a choice
SEARCHED = {
    method: sp.Symbol(f"hyperparameters to search for {method}", integer=True)
    for method in ("MeZO", "SubZO", "LOZO", "TeZO")
}


def _searched(method: str) -> sp.Expr:
    """How many of the method's rows list a second value, other than the first."""
    rows = [r for r in TABLE6.rows if r.startswith(f"{method}: ") and TABLE6.has(r, SECOND)]
    return sp.Add(*(above(sp.Abs(TABLE6[r, FIRST] - TABLE6[r, SECOND]), 0) for r in rows))


CHECK = printed(TABLE6, derive=lambda _: {s: _searched(method) for method, s in SEARCHED.items()})

# How far a perturbation of the same rho moves the weights.

SIZE, RANKS, RHO = 4096, (32, 64, 128, 256), 1e-3
RATIO = sp.Symbol("(root-mean-square ||rho Z||_F of TeZO)/(of MeZO)", positive=True)
TOLERANCE = 0.02  # of what one draw of the factors shows: about four standard deviations


def _lengths(_: Statement) -> Sequence[Case]:
    """E||Z||^2 of both, by pairings, at the ranks of Table 6."""
    tezo = matrices.mean(lemma1_mean.norm2)
    z, (i, j) = Gaussian("z"), indices()
    mezo = derive(z[i, j] * z[i, j])
    ratio = sp.sqrt(sp.cancel(tezo.value / mezo.value))
    steps = (
        *tezo.steps,
        *mezo.steps,
        f"E||rho Z||^2 = rho^2 {tezo.value} for TeZO, rho^2 {mezo.value} for MeZO: the ratio of "
        f"their roots is {ratio}",
    )
    at = ({M: SIZE, N: SIZE, R: r} for r in RANKS)
    return [
        Case(
            {"m": SIZE, "n": SIZE, "r": int(sizes[R])},
            {RATIO: ratio.subs(sizes), **sizes},
            {},
            steps,
        )
        for sizes in at
    ]


def _moved(_: Statement, context: Context) -> Iterator[Case]:
    """What the printed lines add to a weight of 0: MeZO's z once, TeZO's mean over tau.

    Z is linear in tau, whose entries are independent of variance 1: over tau the mean square of
    rho Z is the sum of rho^2 ||u_s||^2 ||v_s||^2 over the factors that were drawn.
    """
    import torch

    from zotheory.papers.shared import steps as written

    sizes = {"eps": RHO, "lr": 1e-6, "economical": True}
    weights = [torch.zeros(SIZE, SIZE)]
    written.MeZO(weights, **sizes).perturb(1, seed=context.seed)
    mezo = float(weights[0].norm())
    for r in RANKS:
        method = written.TeZOAdam(weights, rank=r, seed=context.seed, **sizes)
        u, v = (factor.double().square().sum(dim=0) for factor in method.factors[0])
        tezo = RHO * float((u * v).sum().sqrt())
        yield Case(
            {"m": SIZE, "n": SIZE, "r": r},
            {RATIO: tezo / mezo, R: r},
            {"TeZO": tezo, "MeZO": mezo},
            tolerance=TOLERANCE * r**0.5,
        )


def _length_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

m = n = {SIZE}
r = {failed.inputs["r"]}
x, weight = np.polynomial.hermite_e.hermegauss(4)
second = weight @ x**2 / weight.sum()  # E z^2 of one normal number
print("claimed", 1.1)  # at most
print("actual", float(np.sqrt(m * n * r * second**3 / (m * n * second))))
rng = np.random.default_rng(0)
(u, v), tau = rng.standard_normal((2, m, r)), rng.standard_normal((200, r))
gram = (u.T @ u) * (v.T @ v)  # ||Z||^2 = tau^T gram tau
print("simulated", float(np.sqrt(np.einsum("bs,st,bt->b", tau, gram, tau).mean() / (m * n))))
"""


CLAIMS = (
    Claim(
        id="tezo.a13.hyperparameters",
        where="App. A.1.3 against Table 6",
        statement=Statement(
            "The dynamic rank 'eliminates the need for additional hyperparameter tuning': Table 6 "
            "gives a search range of two or more values to no more hyperparameters for TeZO than "
            "for MeZO.",
            sp.Le(SEARCHED["TeZO"], SEARCHED["MeZO"]),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "To no more than for SubZO or LOZO.",
            conjunction(*(sp.Le(SEARCHED["TeZO"], SEARCHED[other]) for other in ("SubZO", "LOZO"))),
        ),
        setting=Setting("hyperparameters for RoBERTa-large, OPT-13B and LLaMA-7B"),
    ),
    Claim(
        id="tezo.table6.same_perturbation",
        where="Table 6, App. A.3",
        setting=Setting("rho = 1e-3 for all methods, m = n = 4096, r = 32 to 256"),
        statement=Statement(
            "With the common rho = 1e-3 ('we fix these across all methods to ensure fairness', "
            "read as perturbations of the same size), the root-mean-square Frobenius norm of rho Z "
            "by Algorithm 1's line 25 (fresh Gaussian factors) is within 10% of MeZO's, at m = n = "
            "4096 and r = 32, 64, 128, 256.",
            conjunction(sp.Ge(RATIO, sp.Rational(9, 10)), sp.Le(RATIO, sp.Rational(11, 10))),
        ),
        needs=(Kind.EXACT, Kind.COUNTED),
        checks=(enclosed(_lengths, _length_witness), counted(_moved, _length_witness)),
        correction=Statement(
            "It is sqrt(r) times MeZO's: 5.7 to 16 times.", sp.Eq(RATIO, sp.sqrt(R))
        ),
    ),
)
