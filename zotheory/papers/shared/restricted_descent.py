"""The descent argument that LeZO and S-MeZO share: from Eq. 23 to Eq. 26 of either paper."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.moments import norm_moment
from proofs_check.results import Proved
from proofs_check.steps import follows
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared import telescoping
from zotheory.papers.shared.restricted import Paper
from zotheory.papers.shared.smoothing import EPS, L, N
from zotheory.papers.shared.telescoping import HORIZON, JUMP, LEAST, START
from zotheory.vocabulary import Claim, Kind, Setting, Statement

RATE = 1 / (4 * (N + 4) * L)
FALL = 8 * (N + 4) * L
STEP_NOISE = sp.Rational(3, 32) * EPS**2 * L * (N + 4)
EQ25 = FALL * ((START - LEAST) / (HORIZON + 1) + STEP_NOISE)
SMOOTHING = EPS**2 * L**2 / 2 * (N + 4) ** 3  # of Lemma 2

LAST = sp.Symbol("squared gradient at theta_T")
AVERAGE = sp.Symbol("average of the squared gradients at theta_0, ..., theta_T")
OWN_AVERAGE = sp.Symbol("average of E||grad L_t(theta_t)||^2, L_t smoothed as step t does")
EPS_TERM = sp.Symbol("eps-term of Eq. 26")

APART = EPS**2 * L * norm_moment(1, N)  # two smoothings of one loss: each within half of it
SIGMA = sp.Symbol("sigma", positive=True)
EPS_FROM = sp.Ge(EPS**2 * L**2 * N**3, SIGMA**2)  # eps >= sigma/(n^(3/2) L)
EPS_UP_TO = sp.Le(EPS**2 * L**2 * N**3, SIGMA**2)


def step_bound(second_moment: sp.Expr, square: sp.Expr) -> sp.Expr:
    """-eta S + (eta^2 L/2) E||estimate||^2 at eta = 1/(4(n+4)L), S = `square`: a step's change.

    E <grad, estimate> = S by Lemma 1, and the smoothed loss is L-smooth as the loss is.
    """
    return -RATE * square + RATE**2 * L / 2 * second_moment


def last_iterate(paper: Paper) -> Claim:
    """Eq. 25 names theta_T; the sum over Eq. 24 says something of all iterates together."""
    domain = (sp.Ge(START, LEAST),)
    return Claim(
        id=f"{paper.id}.eq25.last_iterate",
        where="Eq. 25",
        setting=Setting("a step of the proof, any L-smooth loss"),
        statement=Statement(
            "Summing Eq. 24 bounds the squared gradient at the last iterate theta_T (not only its "
            "average over t).",
            sp.Le(LAST, EQ25),
            domain,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_largest, _last_witness, step=True),),
        correction=Statement(
            "It bounds the average over t = 0, ..., T, hence the least of them and an iterate "
            "drawn at random, by the right side of Eq. 25.",
            sp.Le(AVERAGE, EQ25),
            domain,
        ),
    )


def _largest(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The largest values over all runs that satisfy Eq. 24 at every step."""
    values = {telescoping.FALL: FALL, telescoping.NOISE: STEP_NOISE}
    found = {LAST: telescoping.largest("last"), AVERAGE: telescoping.largest("average")}
    return {name: Derivation(d.value.subs(values), d.steps) for name, d in found.items()}


def _last_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
fall, noise = {sp.pycode(FALL)}, {sp.pycode(STEP_NOISE)}
# a run that satisfies Eq. 24 at every step: the squared gradient is 0 before step T
f = np.append(f_0 + noise * np.arange(T + 1), f_star)
square = np.zeros(T + 1)
square[T] = fall * (f[T] - f_star + noise)
assert np.all(np.diff(f) <= -square / fall + noise + 1e-12 * abs(f).max())
print("claimed", {sp.pycode(statement.formula.rhs)})
print("actual", square[T])


# the method itself in one coordinate, 20000 runs from next to a maximum: a loss with |L''| = 1
def loss(x):
    x = np.abs(x)
    return np.where(x < 1, -(x**2) / 2, (x - 2) ** 2 / 2 - 1)


rng, start, steps, eps = np.random.default_rng(0), 1e-6, 296, 1e-3
x = np.full(20_000, start)
for _ in range(steps):
    z = rng.standard_normal(x.size)
    x -= (loss(x + eps * z) - loss(x - eps * z)) / (2 * eps) * z / (4 * 5)
gradient = np.where(np.abs(x) < 1, -x, np.sign(x) * (np.abs(x) - 2))
bound = 8 * 5 * ((loss(start) + 1) / (steps + 1) + 3 * eps**2 / 32 * 5)
print("a run of", steps, "steps: Eq. 25", bound, "mean square at its end", np.mean(gradient**2))
"""


def changing(paper: Paper, id: str, where: str, says: str, why: str) -> Claim:
    """The sum over Eq. 24 where every step has a smoothed loss of its own.

    `why` the sum does not telescope, in the paper's words. Every step perturbs n coordinates: a
    number that changes, too, does not help.
    """
    domain = (sp.Ge(START, LEAST), sp.Le(JUMP, APART))
    return Claim(
        id=id,
        where=where,
        setting=Setting("a step of the proof, any L-smooth loss"),
        statement=Statement(says, sp.Le(OWN_AVERAGE, EQ25), domain),
        needs=(Kind.EXACT,),
        checks=(exact(_largest_own, _changing_witness, step=True),),
        correction=Statement(
            f"{why} The two differ by at most eps^2 L n, as each is within (eps^2 L/2) n of L: "
            "with that much more noise at every step, Eq. 25's bound plus 8(n+4)L eps^2 L n "
            "follows, O(eps^2 L^2 n^2) as before.",
            sp.Le(OWN_AVERAGE, EQ25 + FALL * APART),
            domain,
        ),
    )


def _largest_own(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """J is how much the loss of the next step exceeds this step's at the point reached."""
    found = telescoping.largest("average", JUMP)
    values = {telescoping.FALL: FALL, telescoping.NOISE: STEP_NOISE}
    apart = (
        f"|E L(theta + eps z) - L(theta)| <= (eps^2 L/2) E||z||^2 = {APART / 2} for noise on any n "
        f"coordinates: J <= {APART}"
    )
    return {OWN_AVERAGE: Derivation(found.value.subs(values), (apart, *found.steps))}


def _changing_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
fall, noise = {sp.pycode(FALL)}, {sp.pycode(STEP_NOISE)}
# numbers that Eq. 24 allows: before[t] is step t's loss at theta_t, after[t] at theta_(t+1)
steps = np.arange(T + 1)
before = f_0 + (noise + J) * steps
square = np.where(steps == T, fall * (before - f_star + noise), 0)
after = before - square / fall + noise
scale = 1e-12 * abs(before).max()
assert np.all(after >= f_star - scale) and np.all(before[1:] - after[:-1] <= J + scale)
print("claimed", {sp.pycode(statement.formula.rhs)})
print("actual", square.mean())

# a loss with |L''| <= 1 in two weights, one of them perturbed at a time (n = 1): cos x + cos y,
# moved to and fro between two points, x perturbed at the one and y at the other
eps, L, least, runs = 0.1, 1.0, -2.0, 10_000
damped = np.exp(-(eps**2) / 2)  # E cos(x + eps z) = damped cos x
a = np.arccos(0.75)
points = np.array([[np.pi - a, a], [a, np.pi - a]])
fall, noise = 8 * 5 * L, 3 / 32 * eps**2 * L * 5


def smoothed(point, perturbed):
    return np.sum(np.where(np.arange(2) == perturbed, damped, 1.0) * np.cos(point))


squares = []
for t in range(runs):
    here, there, perturbed = points[t % 2], points[(t + 1) % 2], t % 2
    squares.append((damped * np.sin(here[perturbed])) ** 2)
    gained = smoothed(here, perturbed) - smoothed(there, perturbed)
    assert gained >= squares[-1] / fall - noise  # Eq. 24
bound = fall * ((smoothed(points[0], 0) - least) / runs + noise)
print("a run of", runs, "steps of a smooth loss: Eq. 25", bound, "average", np.mean(squares))
"""


def eps_term(paper: Paper) -> Claim:
    """Eq. 26 doubles the first part of Eq. 25, but not the second."""

    def term(says: str, more: sp.Expr) -> Statement:
        return Statement(says, sp.Eq(EPS_TERM, EPS**2 * L**2 / 2 * (N + 4) ** 2 * (N + more)))

    return Claim(
        id=f"{paper.id}.eq26.constant",
        where="Eq. 26",
        setting=Setting("a step of the proof, any n, eps and L"),
        statement=term(
            "2 x (Eq. 25) + (eps^2 L^2/2)(n+4)^3 has the eps-term (eps^2 L^2/2)(n+4)^2 (n + 11/2).",
            sp.Rational(11, 2),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(derived_eps_term, _eps_term_witness),),
        correction=term("It has the eps-term (eps^2 L^2/2)(n+4)^2 (n + 7).", sp.Integer(7)),
    )


def derived_eps_term(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """What is left of 2 x (Eq. 25) + (eps^2 L^2/2)(n+4)^3 where f_0 = f*."""
    value = sp.factor((2 * EQ25 + SMOOTHING).subs(START, LEAST))
    return {EPS_TERM: Derivation(value, (f"2 ({FALL * STEP_NOISE}) + {SMOOTHING} = {value}",))}


def _eps_term_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
claimed = {sp.pycode(statement.formula.rhs)}
eq25 = {sp.pycode(FALL * STEP_NOISE)}
terms = np.array([2 * eq25, {sp.pycode(SMOOTHING)}])
print("claimed", float(claimed))
print("actual", float(terms.sum()))
"""


def eps_direction(paper: Paper) -> Claim:
    """The choice of eps above Eq. 27, printed as a lower bound."""

    def chosen(says: str, permitted: sp.Basic) -> Statement:
        return Statement(says, sp.Le(EPS_TERM, 100 * SIGMA**2), (permitted,))

    return Claim(
        id=f"{paper.id}.eq27.eps_direction",
        where="above Eq. 27",
        setting=Setting("a step of the proof, any n, sigma, L"),
        statement=chosen(
            "Choosing eps = Omega(sigma/(n^(3/2) L)), a lower bound on eps, suffices for the "
            "eps-term to be O(sigma^2).",
            EPS_FROM,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_eps_term_grows, _eps_direction_witness),),
        correction=chosen(
            "An upper bound does: with eps <= sigma/(n^(3/2) L) the eps-term is at most "
            "100 sigma^2. Above a lower bound it exceeds every multiple of sigma^2.",
            EPS_UP_TO,
        ),
    )


def _eps_term_grows(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """Eq. 26's term as it should read; on a set that 2 eps is in with eps, it has no limit."""
    found = derived_eps_term(statement)[EPS_TERM]
    (permitted,) = statement.domain
    doubled = follows((permitted,), permitted.subs(EPS, 2 * EPS))
    grows = sp.cancel(found.value.subs(EPS, 2 * EPS) / found.value)
    steps = found.steps
    if isinstance(doubled, Proved) and grows > 1:
        steps += (
            f"with eps, 2 eps is permitted, where the term is {grows} times as large: it exceeds "
            "every multiple of sigma^2, whatever the constant",
        )
    return {EPS_TERM: Derivation(found.value, steps)}


def _eps_direction_witness(statement: Statement, failed: Counterexample) -> str:
    term = sp.pycode(derived_eps_term(statement)[EPS_TERM].value)
    return f"""import numpy as np

{inputs(failed.inputs)}
assert eps >= sigma / (n**1.5 * L)
print("claimed", {sp.pycode(statement.formula.rhs)})
print("actual", {term})
for eps in eps * 10.0 ** np.arange(1, 4):
    print("at eps =", eps, "it is", {term})
"""
