"""Forward passes: of a step (Sec. 3.1), of a run (Sec. 4.2, App. A), and what each buys (4.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import sympy as sp

from proofs_check.cards.ratio import number
from proofs_check.enclosures import enclose
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import Counterexample
from zotheory.evidence.grids import Grid
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior.comparison import passes
from zotheory.papers.prior.printed_steps import Method
from zotheory.papers.prior.quantities import DIMENSION, guided
from zotheory.papers.prior.selection import Reduced, Statistic, scaled_cosine
from zotheory.statistics import Catoni, Decision, decide_at_least
from zotheory.vocabulary import Claim, Kind, Setting, Statement

M = sp.Symbol("M", integer=True, positive=True)
STEP = sp.Symbol("passes of a step", integer=True, positive=True)
GV_RUN = sp.Symbol("passes of 10000 MeZO-GV steps", integer=True, positive=True)
MEZO_RUN = sp.Symbol("passes of 20000 MeZO steps", integer=True, positive=True)
_GRIDS = (Grid.read(Path(__file__).parent / "grids" / f"table{i}.csv") for i in (7, 8))
COUNTS = tuple(
    sorted({int(k) for g in _GRIDS for (_, name), ks in g.lists.items() if name == "k" for k in ks})
)


def _printed_passes(candidates: int) -> int:
    """Losses that a step of Algorithm 1 with its subroutine asks for, as printed."""
    made = 0

    def loss(theta: np.ndarray) -> np.ndarray:
        nonlocal made
        made += 1
        return theta.sum(axis=1)

    rng, theta = np.random.default_rng(0), np.zeros((1, 3))
    step = Method("guided", 1e-3, candidates)
    step.estimate(loss, theta, lambda: rng.standard_normal(theta.shape))
    return made


def _step(_: Statement, __: Context) -> Iterator[Case]:
    """As printed; beside it the code that trains."""
    for candidates in (2, *COUNTS):
        yield Case(
            {"M": candidates},
            {M: sp.Integer(candidates), STEP: _printed_passes(candidates)},
            {"by the code that trains": passes("guided", candidates)},
        )


def _runs(_: Statement, __: Context) -> Iterator[Case]:
    """The steps of App. A times the passes of one."""
    for candidates in COUNTS:
        yield Case(
            {"M": candidates},
            {
                M: sp.Integer(candidates),
                GV_RUN: 10_000 * passes("guided", candidates),
                MEZO_RUN: 20_000 * passes("plain", 1),
            },
        )


_COUNTING = """import numpy as np

rng, theta, made = np.random.default_rng(0), np.zeros(8), 0


def loss(at):
    global made
    made += 1
    return np.sin(at).sum()


def mezo_gv(M, eps=1e-3):  # Algorithm 1 with its subroutine
    z = rng.standard_normal((M, theta.size))
    order = np.argsort([loss(theta + eps * zi) for zi in z])
    v = z[order[: M // 2]].mean(axis=0) - z[order[M // 2 :]].mean(axis=0)
    return (loss(theta + eps * v) - loss(theta - eps * v)) / (2 * eps) * v


def mezo(eps=1e-3):
    z = rng.standard_normal(theta.size)
    return (loss(theta + eps * z) - loss(theta - eps * z)) / (2 * eps) * z


def passes(step):
    global made
    made = 0
    step()
    return made


"""


def _step_witness(_: Statement, failed: Counterexample) -> str:
    return f"""{_COUNTING}print("claimed", 2)
print("actual", passes(lambda: mezo_gv({failed.inputs["M"]})))
"""


def _run_witness(_: Statement, failed: Counterexample) -> str:
    return f"""{_COUNTING}print("claimed: at most", 20_000 * passes(mezo))
print("actual", 10_000 * passes(lambda: mezo_gv({failed.inputs["M"]})))
"""


# d E cos^2 per pass, limit of large d.


RISE = sp.Symbol("least rise of d E cos^2 per pass, M to M + 2")
NEIGHBOURS = tuple(range(2, 13, 2))


def _rises(_: Statement) -> Sequence[Case]:
    """E A^2/spread over M + 2 at each M: the least difference of neighbours, enclosed."""
    laws = [guided(k, k // 2) for k in NEIGHBOURS]
    each = [
        enclose(law.second / law.spread / (k + 2)) for k, law in zip(NEIGHBOURS, laws, strict=True)
    ]
    rises = [
        (sp.Rational(b.low) - sp.Rational(a.high), sp.Rational(b.high) - sp.Rational(a.low))
        for a, b in pairwise(each)
    ]
    steps = (
        "d cos^2 = d A^2/(A^2 + spread chi2_(d-1)) -> A^2/spread, and so its mean, since it is at "
        "most A^2/spread d/chi2_(d-1); M + 2 passes a step",
        *(f"M = {k}: {value}" for k, value in zip(NEIGHBOURS, each, strict=True)),
    )
    ends = tuple(min(end) for end in zip(*rises, strict=True))
    return [Case({"M": "2, 4, ..., 12"}, {RISE: ends}, steps=steps)]


@dataclass(frozen=True)
class Rises:
    """d cos^2 over M + 2 at M + 2 candidates less that at M, drawn apart: a column for each M."""

    d: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        columns = []
        for pair in pairwise(NEIGHBOURS):
            few, many = (
                Statistic(Reduced("guided", k, self.d), scaled_cosine)(rng, size) / (k + 2)
                for k in pair
            )
            columns.append(many - few)
        return np.stack(columns, axis=1)


def _measure_rises(statement: Statement, _: Context) -> Sequence[Measurement]:
    """All of them at once, reduced at d = 10^5; that one falls is the opposite.

    X = A^2/spread: d^2 cos^4 <= d^2 X^2/chi^4, E chi^-4 = 1/((d-3)(d-5)); by Jensen E d cos^2 is at
    least E X - E X^2/(d-1). These bound the variance.
    """
    d = DIMENSION
    scale, bounds = d**2 / ((d - 3) * (d - 5)), {}
    for k in NEIGHBOURS:
        law = guided(k, k // 2)
        first, second = number(law.second / law.spread), number(law.fourth / law.spread**2)
        bounds[k] = (scale * second - (first - second / (d - 1)) ** 2) / (k + 2) ** 2
    method = Catoni(np.array([bounds[a] + bounds[b] for a, b in pairwise(NEIGHBOURS)]))
    rise = partial(decide_at_least, method=method, bound=0.0)
    decide = rise if isinstance(statement.formula, sp.Gt) else partial(opposite, decide=rise)
    return [Measurement(f"M = 2, ..., 12, d={d}", Rises(d), decide, 3_000, 64)]


def opposite(*args: object, decide: Callable[..., Decision], **options: object) -> Decision:
    """The verdict on the statement that `decide` judges the negation of."""
    found = decide(*args, **options)
    turned = {"confirmed": "refuted", "refuted": "confirmed"}
    return replace(found, verdict=turned.get(found.verdict, found.verdict))


def _rise_witness(_: Statement, __: Counterexample) -> str:
    return """import math

import numpy as np

t = np.linspace(-12, 12, 24_001)
phi = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
above = np.array([math.erfc(x / math.sqrt(2)) / 2 for x in t])  # 1 - Phi(t)
below = above[::-1]
low, high = -phi / below, phi / above  # means below t and above t


def per_pass(M):  # E A^2/spread/(M + 2), given the M/2-th least y = t
    s = M // 2
    ways = M * math.comb(M - 1, s - 1)
    density = ways * below ** (s - 1) * above ** (M - s) * phi
    sums = [  # mean and second moment of a sum of n normals truncated to one side of t
        (n * mean, n * (1 + t * mean) + n * (n - 1) * mean**2)
        for n, mean in ((s - 1, low), (M - s, high))
    ]
    (l1, l2), (h1, h2) = sums
    square = (t**2 + l2 + 2 * t * l1 + h2 - 2 * (t + l1) * h1) / s**2  # A^2
    square = np.where(density > 1e-25, square, 0)
    return np.sum(square * density) * (t[1] - t[0]) / (4 / M) / (M + 2)


values = [per_pass(M) for M in (2, 4, 6, 8, 10, 12)]
print("per pass at M = 2, 4, ..., 12:", *values)
print("claimed: below", 0)  # the least rise
print("actual", min(np.diff(values)))
"""


CLAIMS = (
    Claim(
        id="prior.sec31.two_passes",
        where="Sec. 3.1, under Eq. 6",
        statement=Statement(
            "A step of Algorithm 1 with its subroutine makes two forward passes, for every M >= 2.",
            sp.Eq(STEP, 2),
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_step, _step_witness),),
        correction=Statement(
            "It makes M + 2: one for each candidate, two for the difference along v (of which "
            "the text may speak).",
            sp.Eq(STEP, M + 2),
        ),
        setting=Setting(paper="Algorithms 1 and 2, every M"),
    ),
    Claim(
        id="prior.half_the_steps",
        where="Sec. 4.2, Tables 3 and 9, App. A",
        statement=Statement(
            "10,000 MeZO-GV steps spend at most as many forward passes as 20,000 MeZO steps, for "
            "every M of Tables 7 and 8 (k = 4, 8, 12).",
            sp.Le(GV_RUN, MEZO_RUN),
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_runs, _run_witness),),
        correction=Statement(
            "They spend (M + 2)/4 times as many: 1.5, 2.5 and 3.5 times at M = 4, 8 and 12 (as "
            "many at M = 2, which the tables do not list).",
            sp.Eq(GV_RUN, (M + 2) * MEZO_RUN / 4),
        ),
        setting=Setting(paper="10,000 steps of MeZO-GV beside 20,000 of MeZO, q = 1 (App. A)"),
    ),
)

PER_PASS = (
    Claim(
        id="prior.sec44.per_pass",
        where="Sec. 4.4",
        statement=Statement(
            "On a linear loss (alpha = 1/2, limit of large d) d E cos^2 of MeZO-GV per forward "
            "pass, M + 2 of them a step, falls between some two neighbours of M = 2, 4, 6, 8, 10, "
            "12. (Read: a theoretical analysis confirms that excessive evaluations are not always "
            "beneficial.)",
            sp.Lt(RISE, 0),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(enclosed(_rises, _rise_witness), measured(_measure_rises)),
        correction=Statement(
            "It rises between all of them, from 0.250 at M = 2 to 0.505 at M = 12: by this measure "
            "further evaluations pay.",
            sp.Gt(RISE, 0),
        ),
        setting=Setting(
            paper="a theoretical analysis of the number of evaluations, which the paper does not "
            "give; OPT-13B on WIC, COPA and WSC (Fig. 3)",
            judged="a linear loss in the limit of large d, alignment per forward pass",
        ),
    ),
)
