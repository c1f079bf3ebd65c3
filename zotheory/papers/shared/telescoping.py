"""What a descent inequality says of the squared gradients along a run.

    f_(t+1) <= f_t - S_t / K + c  for t = 0, ..., T,   f_t >= f*,   S_t >= 0,   K > 0, c >= 0.

Nothing else is known of the run, so the largest value of a functional of the S_t under these
premises is what they prove.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.results import Proved
from proofs_check.steps import follows

START, LEAST = sp.symbols("f_0 f_star", real=True)
FALL = sp.Symbol("K", positive=True)
NOISE = sp.Symbol("c", nonnegative=True)
HORIZON = sp.Symbol("T", integer=True, nonnegative=True)


def largest(functional: str) -> Derivation:
    """The largest S_T ("last") or (S_0 + ... + S_T)/(T + 1) ("average"), attained.

    f_0, f_star, K, c and T are the module's symbols. Raises ValueError for another functional.
    """
    share = {"last": sp.S.One, "average": 1 / (HORIZON + 1)}
    if functional not in share:
        raise ValueError(f"the functional is one of {sorted(share)}, got {functional!r}")
    total = FALL * (START - LEAST + (HORIZON + 1) * NOISE)
    value = share[functional] * total
    steps = (
        *_summed(total),
        *_attained(total),
        f"so the largest {functional} is {value}",
    )
    return Derivation(value, steps)


def _summed(total: sp.Expr) -> tuple[str, ...]:
    """S_0 + ... + S_T <= total, by induction over T."""
    before, after, square, partial = sp.symbols("f_t f_next S_t A", real=True)
    t = sp.Symbol("t", integer=True, nonnegative=True)
    bound = FALL * (START - before + t * NOISE)
    premises = (
        sp.Le(partial, bound),
        sp.Le(after, before - square / FALL + NOISE),
    )
    conclusion = sp.Le(partial + square, bound.subs({before: after, t: t + 1}, simultaneous=True))
    step = follows(premises, conclusion)
    end = follows(
        (sp.Le(partial, FALL * (START - after + (HORIZON + 1) * NOISE)), sp.Ge(after, LEAST)),
        sp.Le(partial, total),
    )
    for found in (step, end):
        if not isinstance(found, Proved):
            raise ArithmeticError(f"the sum does not telescope: {found}")
    return (
        f"A_t = S_0 + ... + S_(t-1) <= {bound}: true for t = 0, and from t to t + 1:",
        *step.steps,
        f"at t = T + 1, with f_(T+1) >= f_star: S_0 + ... + S_T <= {total}",
    )


def _attained(total: sp.Expr) -> tuple[str, ...]:
    """A run that meets every premise with equality and has the whole sum in S_T."""
    f_t = START + HORIZON * NOISE  # after T steps on which S_t = 0
    if sp.expand(f_t - total / FALL + NOISE - LEAST) != 0:
        raise ArithmeticError("the extremal run does not end at f_star")
    return (
        f"attained by S_t = 0, f_t = f_0 + t c for t < T, then S_T = {total}, f_(T+1) = f_star: "
        "every premise holds with equality",
    )
