"""Table 16 and the step's length: first and second moments of the estimates on a linear loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.cards import card
from proofs_check.cards.card import Card
from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.estimates import Estimates, Linear, SquaredError
from zotheory.papers.shared.somewhere import SOMEWHERE, exact_somewhere
from zotheory.papers.svd0.algorithm1 import PROPER
from zotheory.papers.svd0.subspaces import leading_share, random_share
from zotheory.statistics import Catoni, decide_at_least, decide_equal, decide_less
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

CARDS = {"MeZO": "gaussian", "SubZero": "subspace", "SVD-0": "svd_subspace"}
TRACES = {name: sp.Symbol(f"trace of the covariance of {name} / ||G||^2") for name in CARDS}
UNBIASED = {name: sp.Symbol(f"the same of {name}, scaled to mean G") for name in CARDS}
LENGTHS = {name: sp.Symbol(f"mean step of {name} along -G / (eta ||G||)") for name in CARDS}
RATIO = sp.Symbol("trace of SVD-0's covariance / trace of MeZO's")
LENGTH = sp.Symbol("mean component along -g of SVD-0's step / MeZO's")
D = sp.Symbol("d", integer=True, positive=True)
ERROR = sp.Symbol("E||estimate - g||^2/||g||^2 at d")
LARGER = sp.Symbol("the same at d + 1")

SHARE = R**2 / (M * N)
PAPERS = {M: 2048, N: 2048, R: 24}
AT_PAPERS = tuple(sp.Eq(symbol, size, evaluate=False) for symbol, size in PAPERS.items())
OPT = "fine-tuning OPT-1.3B on SST-2; the gradient of a batch, r and the scaling are not given"


def _moments(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """trace = E||estimate||^2 - ||mean||^2 = scale^2 x relative variance, from the cards."""
    found: dict[sp.Expr, Derivation] = {}
    cards = {name: card(of) for name, of in CARDS.items()}
    for name, known in cards.items():
        trace = sp.factor(_trace(known))
        told = (
            *known.steps,
            f"{name}: mean ({known.scale}) G; trace of the covariance {trace} ||G||^2",
        )
        found[TRACES[name]] = Derivation(trace, told)
        found[UNBIASED[name]] = Derivation(known.relative_variance, told)
        found[LENGTHS[name]] = Derivation(known.scale, told)
    for quantity, of in ((RATIO, TRACES), (LENGTH, LENGTHS)):
        first, second = found[of["SVD-0"]], found[of["MeZO"]]
        value = sp.factor(first.value / second.value)
        found[quantity] = Derivation(value, (*first.steps, *second.steps, f"their ratio: {value}"))
    return found


def _trace(known: Card) -> sp.Expr:
    return known.scale**2 * known.relative_variance


def _traces_witness(statement: Statement, failed: Counterexample) -> str:
    """By averages over signed permutations, which give second moments exactly."""
    quantity = "scaled" if statement.formula.has(UNBIASED["SVD-0"]) else "trace"
    other = "mezo" if statement.formula.has(UNBIASED["MeZO"]) else "subzero"
    return f"""import numpy as np

{inputs(failed.inputs)}
# Given the subspace the estimate is Gaussian in q = r^2 dimensions: E||estimate||^2 = (q + 2) kept,
# kept = ||U^T G V||^2 / ||G||^2; averaged over U and V, kept is r^2/(mn) and the mean r^2/(mn) G.
# Both averages by the turns of Z (all signed permutations of rows and of columns, at G = e_1 e_1^T)
rng = np.random.default_rng(0)

def kept(u, v):  # the mean over all permutations of rows and of columns
    return np.mean([[np.sum(u[i] ** 2) * np.sum(v[j] ** 2) for i in range(m)] for j in range(n)])

def moments(share, q):
    trace = (q + 2) * share - share**2
    return {{"trace": trace, "scaled": trace / share**2}}

z = rng.standard_normal((m, n))
u, _, vt = np.linalg.svd(z[0, 0] * z)  # of the MeZO gradient <G, Z> Z
q1, q2 = (np.linalg.qr(rng.standard_normal((d, r)))[0] for d in (m, n))
svd0 = moments(kept(u[:, :r], vt[:r].T), r * r)["{quantity}"]
others = {{"subzero": moments(kept(q1, q2), r * r), "mezo": moments(1.0, m * n)}}
print("claimed", others["{other}"]["{quantity}"])  # less than
print("actual", svd0)
"""


def _ratio_witness(statement: Statement, failed: Counterexample) -> str:
    values = {"m": 2048, "n": 2048, "r": 24, **failed.inputs}
    quantity = "ratio" if statement.formula.has(RATIO) else "length"
    return f"""import numpy as np

{inputs(values)}
share, q = np.float64(r * r) / (m * n), r * r  # E||U^T G V||^2/||G||^2 and the subspace's dimension
ratio = ((q + 2) * share - share**2) / (m * n + 1)  # of the traces: SVD-0's, MeZO's
length = share  # of the means: r^2/(mn) G against G
print("claimed", {float(failed.claimed)})
print("actual", float({quantity}))
rng = np.random.default_rng(0)
chi = lambda k: rng.chisquare(k, 200_000)
kept = np.prod([a / (a + b) for a, b in ((chi(r), chi(d - r)) for d in (m, n))], axis=0)
slope, rest = chi(1), chi(q - 1)
print("simulated mean along g", np.mean(kept * slope))
print("simulated E||estimate||^2", np.mean(kept * slope * (slope + rest)))
"""


# Samples: given the share kept of G, the estimate is Gaussian in q dimensions.


@dataclass(frozen=True)
class Moments:
    """||estimate||^2, or <G, estimate>, over ||G||^2, divided by scale^2 or scale; G of rank one.

    One column a method. The subspace of SVD-0 is drawn by the singular vectors of a MeZO gradient,
    or for `drawn_as_random` as SubZero's, whose law it has (svd0.lemma16.algorithm1).
    """

    methods: tuple[str, ...]
    m: int
    n: int
    r: int
    power: int = 2
    scaled: bool = False
    drawn_as_random: bool = False

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, or values if there is one method."""
        columns = [self._column(rng, size, method) for method in self.methods]
        return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)

    def _column(self, rng: np.random.Generator, size: int, method: str) -> np.ndarray:
        sizes = self.m, self.n, self.r
        kept, q = np.ones(size), self.m * self.n
        if method != "MeZO":
            q = self.r**2
            known = method == "SVD-0" and not self.drawn_as_random
            kept = leading_share(rng, size, *sizes, 1) if known else random_share(rng, size, *sizes)
        slope = rng.chisquare(1, size)
        value = kept * slope
        if self.power == 2:
            value = value * (slope + (rng.chisquare(q - 1, size) if q > 1 else 0.0))
        return value / (self.scale(method) ** self.power if self.scaled else 1.0)

    def scale(self, method: str) -> float:
        """The mean of the estimate is so many times G."""
        return 1.0 if method == "MeZO" else self.r**2 / (self.m * self.n)

    def variances(self) -> np.ndarray:
        """Upper bounds: the second moments, E kept^2 by those of beta variables."""
        found = []
        for method in self.methods:
            kept, q = 1.0, self.m * self.n
            if method != "MeZO":
                q, r = self.r**2, self.r
                kept = np.prod([r * (r + 2) / (d * (d + 2)) for d in (self.m, self.n)])
            fourth = 3 * (q + 4) * (q + 6) if self.power == 2 else 3
            divided = self.scale(method) ** (2 * self.power) if self.scaled else 1.0
            found.append(kept * fourth / divided)
        return np.array(found) if len(found) > 1 else np.float64(found[0])


def _measure_below(statement: Statement, _: Context) -> Sequence[Measurement]:
    """ "Below" is measured as: by a fifth; the two means agree, so second moments are compared."""
    sampler, size = Moments(("SVD-0", "SubZero"), 4, 5, 2), {M: 4, N: 5, R: 2}
    method = Catoni(sampler.variances())
    decide = partial(decide_less, method=method, margin=0.8)
    if isinstance(statement.formula, sp.And):
        traces = np.array([float(relation.rhs.subs(size)) for relation in statement.formula.args])
        target = traces + float(SHARE.subs(size)) ** 2
        decide = partial(decide_equal, method=method, target=target, tolerance=0.2)
    return [Measurement("reduced, m=4 n=5 r=2: E||estimate||^2", sampler, decide, 1_000, 256)]


def _measure_unbiased(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Scaled to one mean, the order of traces is that of second moments."""
    measurements = []
    methods = ("SVD-0", "MeZO")
    if isinstance(statement.formula, sp.Gt):
        methods = methods[::-1]
    for m, n, r in ((2, 2, 1), (3, 4, 2)):
        sampler = Moments(methods, m, n, r, scaled=True)
        decide = partial(decide_less, method=Catoni(sampler.variances()))
        at = f"reduced, m={m} n={n} r={r}: E||estimate||^2, mean G"
        measurements.append(Measurement(at, sampler, decide, 1_000, 256))
    return measurements


def _measure_ratio(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At the paper's size, SVD-0's subspace drawn by its law; a formula also at a small one."""
    power = 2 if statement.formula.has(RATIO) else 1
    papers = tuple(PAPERS.values())
    points = [("reduced", Moments(("SVD-0",), *papers, power, drawn_as_random=True), papers)]
    if isinstance(statement.formula, sp.Eq):
        points.append(("reduced", Moments(("SVD-0",), 4, 5, 2, power), (4, 5, 2)))
    measurements = []
    for how, sampler, (m, n, r) in points:
        size, method = {M: m, N: n, R: r}, Catoni(sampler.variances())
        unit = m * n + 1 if power == 2 else 1  # MeZO's trace, MeZO's mean
        mean2 = float(SHARE.subs(size)) ** 2 if power == 2 else 0.0
        relation = statement.formula
        if isinstance(relation, sp.Eq):
            target = float(relation.rhs.subs(size)) * unit + mean2
            decide = partial(decide_equal, method=method, target=target, tolerance=0.15)
        else:
            least = next(x for x in relation.args if isinstance(x, sp.Ge))
            decide = partial(decide_at_least, method=method, bound=float(least.rhs) * unit + mean2)
        what = "E||estimate||^2" if power == 2 else "mean along G"
        at = f"{how}, m={m} n={n} r={r}: {what}"
        measurements.append(Measurement(at, sampler, decide, 500, 256))
    return measurements


# Sec. 6.4: the error of MeZO's estimate in d dimensions.


def _errors(_: Statement) -> Mapping[sp.Expr, Derivation]:
    known = card("gaussian")
    value = sp.expand(known.relative_variance.subs({M: D, N: 1}))
    steps = (*known.steps, f"d entries are a d x 1 matrix: E||estimate - g||^2/||g||^2 = {value}")
    return {
        ERROR: Derivation(value, steps),
        LARGER: Derivation(value.subs(D, D + 1), (f"at d + 1: {value.subs(D, D + 1)}",)),
    }


def _errors_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import itertools

import numpy as np

{inputs(failed.inputs)}
nodes, weights = np.polynomial.hermite_e.hermegauss(4)  # exact: degree 4 in each coordinate

def error(d):  # E||<g, z> z - g||^2 for g = e_1
    z = np.array(list(itertools.product(nodes, repeat=d)))
    w = np.prod(list(itertools.product(weights / weights.sum(), repeat=d)), axis=1)
    return float(w @ np.sum((z[:, :1] * z - np.eye(d)[0]) ** 2, axis=1))

print("claimed", error(d))  # less than
print("actual", error(d + 1))
"""


def _measure_errors(statement: Statement, _: Context) -> Sequence[Measurement]:
    """By the recipe mezo, at d = 2 and 32; E||estimate - g||^4 bounds the variance."""
    measurements = []
    sizes = (32, 2) if isinstance(statement.formula, sp.Lt) else (2, 32)
    sampler = Errors(sizes)
    fourth = np.array([3.0 * (d + 4) * (d + 6) + 2 * (d + 2) + 1 for d in sizes])
    decide = partial(decide_less, method=Catoni(fourth))
    at = f"mezo, d={sizes[0]} against d={sizes[1]}"
    measurements.append(Measurement(at, sampler, decide, 25, 128))
    return measurements


@dataclass(frozen=True)
class Errors:
    """||estimate - g||^2/||g||^2 by the recipe mezo in several dimensions, in columns."""

    sizes: tuple[int, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        columns = []
        for d in self.sizes:
            gradient = tuple(np.arange(1.0, d + 1) / np.linalg.norm(np.arange(1.0, d + 1)))
            estimates = Estimates(Recipe("mezo"), ((0.0,) * d,), Linear(gradient))
            columns.append(SquaredError(estimates, gradient)(rng, size))
        return np.stack(columns, axis=1)


AS_PRINTED = (SHARE * (R**2 + 2 - SHARE)) / (M * N + 1)

STEP_LENGTH = Claim(
    id="svd0.alg2.step_length",
    where="Eq. 1, Eq. 2, Alg. 2 line 4, Alg. 3 line 20, Tables 10 and 11",
    statement=Statement(
        "On a linear loss and at equal learning rate, the mean component along -g of SVD-0's step "
        "as printed (no factor on U Z V^T, one-direction subspace) is within a factor 10 of "
        "MeZO's, at m = n = 2048, r = 24. (Tables 10 and 11 give both methods the same learning "
        "rates.)",
        conjunction(sp.Ge(LENGTH, sp.Rational(1, 10)), sp.Le(LENGTH, 10)),
        AT_PAPERS,
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_moments, _ratio_witness), measured(_measure_ratio)),
    correction=Statement(
        "It is r^2/(mn) of MeZO's, about 1/7282 at this size: with the same learning rate SVD-0 "
        "moves that much less along -g.",
        sp.Eq(LENGTH, SHARE),
        PROPER,
    ),
    setting=Setting("OPT-13B and OPT-1.3B at the learning rates of Tables 10 and 11"),
)

TABLE16 = (
    Claim(
        id="svd0.table16.below_subzero",
        where="App. C, Table 16",
        statement=Statement(
            "On a linear loss, with the same r and the same scaling, the trace of the covariance "
            "of the SVD-0 estimate (one-direction subspace, random over subspace and core) is "
            "strictly below SubZero's for some m, n, r < min(m, n) and G. (Table 16: 5.0 against "
            "5.6.)",
            sp.Lt(TRACES["SVD-0"], TRACES["SubZero"]),
            PROPER,
            setting={SOMEWHERE: True},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact_somewhere(_moments, _traces_witness), measured(_measure_below)),
        correction=Statement(
            "The two traces are equal, s (r^2 + 2 - s) ||G||^2 with s = r^2/(mn), for every G.",
            conjunction(
                sp.Eq(TRACES["SVD-0"], SHARE * (R**2 + 2 - SHARE)),
                sp.Eq(TRACES["SubZero"], SHARE * (R**2 + 2 - SHARE)),
            ),
            PROPER,
        ),
        setting=Setting(OPT, "a linear loss, averaged over subspace and core"),
    ),
    Claim(
        id="svd0.table16.unbiased_below_mezo",
        where="App. C, Table 16",
        statement=Statement(
            "On a linear loss, with the SVD-0 estimate (one-direction subspace) multiplied by the "
            "constant that makes its mean over subspace and core equal to g, the trace of its "
            "covariance is below that of MeZO's estimate for some m, n and r < min(m, n). "
            "(Table 16: 5.0 against 5.5.)",
            sp.Lt(UNBIASED["SVD-0"], UNBIASED["MeZO"]),
            PROPER,
            setting={SOMEWHERE: True},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact_somewhere(_moments, _traces_witness), measured(_measure_unbiased)),
        correction=Statement(
            "It is above MeZO's at all of them: mn + 2mn/r^2 - 1 against mn + 1.",
            sp.Gt(UNBIASED["SVD-0"], UNBIASED["MeZO"]),
            PROPER,
        ),
        setting=Setting(OPT, "a linear loss, averaged over subspace and core"),
    ),
    Claim(
        id="svd0.table16.ratio",
        where="App. C, Table 16 with Eq. 2",
        statement=Statement(
            "On a linear loss at m = n = 2048, r = 24, the trace of the covariance of the SVD-0 "
            "estimate as printed (no factor on U Z V^T) lies between 1/2 and 1 of that of MeZO's "
            "estimate. (Table 16: 5.0 against 5.5; the exact ratio, with the formula measured at a "
            "size of your own, decides.)",
            conjunction(sp.Ge(RATIO, sp.Rational(1, 2)), sp.Le(RATIO, 1)),
            AT_PAPERS,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_moments, _ratio_witness), measured(_measure_ratio)),
        correction=Statement(
            "It is s (r^2 + 2 - s)/(mn + 1) with s = r^2/(mn), 1.9e-8 at this size.",
            sp.Eq(RATIO, AS_PRINTED),
            PROPER,
        ),
        setting=Setting(OPT, "a linear loss, one matrix of 2048 x 2048"),
    ),
)

LIMITATION = Claim(
    id="svd0.limitation.small_models",
    where="Sec. 6.4",
    statement=Statement(
        "On a linear loss MeZO's relative error E||estimate - g||^2/||g||^2 falls as the number of "
        "parameters d grows. (Read: smaller models have the greater approximation error.)",
        sp.Lt(LARGER, ERROR),
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_errors, _errors_witness), measured(_measure_errors)),
    correction=Statement(
        "It grows: it is d + 1, one more for each parameter.",
        sp.Gt(LARGER, ERROR),
    ),
    setting=Setting("OPT-1.3B beside larger models", "a linear loss, by its number of parameters"),
)
