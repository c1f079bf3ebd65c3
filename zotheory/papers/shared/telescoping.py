"""What a descent inequality says of the squared gradients along a run.

    f_(t+1) <= f_t - S_t / K + c  for t = 0, ..., T,   f_t >= f*,   S_t >= 0,   K > 0, c >= 0.

Where every step has a loss of its own (another smoothing of one loss), f_(t+1) is the next step's
loss at the point reached, and may lie up to J above this step's.

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
JUMP = sp.Symbol("J", nonnegative=True)
HORIZON = sp.Symbol("T", integer=True, nonnegative=True)


def largest(functional: str, jump: sp.Expr = sp.S.Zero) -> Derivation:
    """The largest S_T ("last") or (S_0 + ... + S_T)/(T + 1) ("average"), attained.

    f_0, f_star, K, c and T are the module's symbols; `jump` is 0 or J. Raises ValueError for
    another functional.
    """
    share = {"last": sp.S.One, "average": 1 / (HORIZON + 1)}
    if functional not in share:
        raise ValueError(f"the functional is one of {sorted(share)}, got {functional!r}")
    total = FALL * (START - LEAST + (HORIZON + 1) * NOISE + HORIZON * jump)
    value = share[functional] * total
    steps = (
        *_summed(total, jump),
        *_attained(total, jump),
        f"so the largest {functional} is {value}",
    )
    return Derivation(value, steps)


def _summed(total: sp.Expr, jump: sp.Expr) -> tuple[str, ...]:
    """S_0 + ... + S_T <= total, by induction over T."""
    before, after, square, partial = sp.symbols("f_t f_next S_t A", real=True)
    t = sp.Symbol("t", integer=True, nonnegative=True)
    rise = sp.Symbol("rise", nonnegative=True)  # c + J, in one symbol
    bound = FALL * (START - before + t * rise)
    step = follows(
        (sp.Le(partial, bound), sp.Le(after, before - square / FALL + rise)),
        sp.Le(partial + square, bound.subs({before: after, t: t + 1}, simultaneous=True)),
    )
    whole = FALL * (START - LEAST + HORIZON * rise + NOISE)
    end = follows(
        (sp.Ge(before - square / FALL + NOISE, LEAST),),
        sp.Le(bound.subs(t, HORIZON) + square, whole),
    )
    if sp.expand(whole.subs(rise, NOISE + jump) - total) != 0:
        raise ArithmeticError(f"the sum is at most {whole}, not {total}")
    for found in (step, end):
        if not isinstance(found, Proved):
            raise ArithmeticError(f"the sum does not telescope: {found}")
    return (
        f"A_t = S_0 + ... + S_(t-1) <= {bound}, rise = {NOISE + jump}: true for t = 0, and from t "
        "to t + 1:",
        *step.steps,
        f"after step T, where the loss is >= f_star: S_0 + ... + S_T <= {total}",
        *end.steps,
    )


def _attained(total: sp.Expr, jump: sp.Expr) -> tuple[str, ...]:
    """A run that meets every premise with equality and has the whole sum in S_T."""
    f_t = START + HORIZON * (NOISE + jump)  # after T steps on which S_t = 0
    if sp.expand(f_t - total / FALL + NOISE - LEAST) != 0:
        raise ArithmeticError("the extremal run does not end at f_star")
    rise = NOISE + jump
    return (
        f"attained by S_t = 0, f_t = f_0 + t ({rise}) for t < T, then S_T = {total}, which ends at "
        "f_star: every premise holds with equality",
    )
