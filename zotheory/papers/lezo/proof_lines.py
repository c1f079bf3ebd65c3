"""Eq. 12, 13 and 17 to 19: lines of the proofs as they are printed."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.gaussian import Derivation
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.snippets import inputs
from zotheory.papers.lezo.smoothing import SQUARE
from zotheory.papers.shared import smoothing
from zotheory.papers.shared.smoothing import EPS, L, N
from zotheory.vocabulary import Claim, Kind, Setting, Statement

PLUS = sp.Symbol("E[L(theta + eps z') z'_i/eps]", real=True)
MINUS = sp.Symbol("E[L(theta - eps z') z'_i/eps]", real=True)
SLOPE = sp.Symbol("slope", real=True)  # d_i of the smoothed loss

NORM2 = sp.Symbol("z2", nonnegative=True)  # ||z'||^2
GAP = EPS**2 * L * N / 2  # Eq. 16
EQ17_PRINTED = EPS**2 / 2 * L**2 * N**2 + EPS**4 * L**2 * N**2
EQ17_MEANT = 2 * GAP**2 + 2 * GAP**2
EQ18 = EPS**4 * L**2 / 2 * NORM2**2 + 2 * EPS**2 * SQUARE * NORM2
EQ19 = 2 * EPS**4 * L**2 * N**2 + EPS**4 * L**2 * NORM2**2 + 4 * EPS**2 * SQUARE * NORM2


def _signed(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Both means are multiples of the smoothed loss's slope, any number: of a linear loss, say."""
    means = {PLUS: smoothing.mean({1: 1 / EPS}), MINUS: smoothing.mean({-1: 1 / EPS})}
    return {name: Derivation(k.value * SLOPE, k.steps) for name, k in means.items()}


def _put_in(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """The mean at theta - eps z' as the step's premise has it."""
    (premise,) = statement.domain
    if premise.lhs != MINUS:
        raise ValueError(f"the premise must say what {MINUS} is, got {premise}")
    return {MINUS: Derivation(premise.rhs, (f"put in: {premise.lhs} = {premise.rhs}",))}


_LINEAR = """# the loss slope * theta in one dimension, at theta = 0 with eps = 1
z, w = np.polynomial.hermite_e.hermegauss(8)
plus = w @ (slope * z * z) / w.sum()
"""


def _sign_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
{_LINEAR}minus = w @ (slope * -z * z) / w.sum()
print("claimed", plus)
print("actual", minus)
"""


def _eq13_witness(statement: Statement, failed: Counterexample) -> str:
    (premise,) = statement.domain
    minus = sp.pycode(premise.rhs.subs(PLUS, sp.Symbol("plus")))
    return f"""import numpy as np

slope = {sp.pycode(failed.inputs[str(PLUS)])}
{_LINEAR}minus = {minus}  # Eq. 12 put in
print("claimed", plus)  # the first line of Eq. 13
print("actual", (plus - minus) / 2)  # its second line
"""


def _eq19_witness(statement: Statement, failed: Counterexample) -> str:
    names = {SQUARE: sp.Symbol("square")}
    values = {name.replace(str(SQUARE), "square"): x for name, x in failed.inputs.items()}
    left, right = (sp.pycode(side.subs(names)) for side in statement.formula.args)
    return f"""import numpy as np

{inputs(values)}
# z2: ||z'||^2; square: ||R grad L_R||^2
sides = np.array([{left}, {right}], dtype=float)
print("claimed", sides[1])
print("actual", sides[0])
"""


def _eq12(says: str, sign: int) -> Statement:
    return Statement(says, sp.Eq(MINUS, sign * PLUS))


def _eq13(says: str, sign: int) -> Statement:
    return Statement(says, sp.Eq((PLUS - MINUS) / 2, PLUS), (sp.Eq(MINUS, sign * PLUS),))


def _eq19(says: str, eq17: sp.Expr) -> Statement:
    return Statement(says, sp.Le(2 * eq17 + 2 * EQ18, EQ19, evaluate=False))


CLAIMS = (
    Claim(
        id="lezo.eq12.sign",
        where="Eq. 12",
        setting=Setting("a step of the proof, any smooth loss and eps"),
        statement=_eq12(
            "E[L(theta - eps z') z'/eps] = E[L(theta + eps z') z'/eps], for every smooth loss L "
            "and every eps > 0.",
            1,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_signed, _sign_witness),),
        correction=_eq12(
            "E[L(theta - eps z') z'/eps] = -E[L(theta + eps z') z'/eps]: with z' goes -z', in the "
            "factor behind the loss, too.",
            -1,
        ),
    ),
    Claim(
        id="lezo.eq13.from_eq12",
        where="Eq. 13",
        setting=Setting("a step of the proof, any smooth loss and eps"),
        statement=_eq13(
            "As a step of proof: with Eq. 12 as printed put in, Eq. 13's second line, "
            "(1/2)(E[L(theta + eps z') z'/eps] - E[L(theta - eps z') z'/eps]), equals its first, "
            "E[L(theta + eps z') z'/eps], for every smooth loss.",
            1,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_put_in, _eq13_witness, step=True),),
        correction=_eq13(
            "It is 0 then. With Eq. 12 as it should read, a minus sign on its right side, the "
            "second line of Eq. 13 equals the first, and Lemma 1 stands.",
            -1,
        ),
    ),
    Claim(
        id="lezo.eq17.to_eq19",
        where="Eq. 17 to Eq. 19",
        setting=Setting("a step of the proof, any n, eps and L"),
        statement=_eq19(
            "As a step of proof: twice Eq. 17's last line as our text has it, (eps^2/2) L^2 n^2 + "
            "eps^4 L^2 n^2, plus twice Eq. 18's is at most Eq. 19's right side, with its "
            "2 eps^4 L^2 n^2, for every eps > 0.",
            EQ17_PRINTED,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(witness=_eq19_witness, step=True),),
        correction=_eq19(
            "It is with (eps^4/2) L^2 n^2 + (eps^4/2) L^2 n^2 as Eq. 17's last line, which is what "
            "Eq. 16 gives.",
            EQ17_MEANT,
        ),
    ),
)
