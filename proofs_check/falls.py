"""What a quadratic loss falls by one step of every estimate: best step size, fall, per pass.

Around weights w let f(w + x) = f(w) + g^T x + x^T H x / 2, H symmetric and otherwise any. The
two-sided difference along z is kappa = g^T z exactly, for every eps, and the curvature
(f(+) + f(-) - 2 f(0)) / eps^2 is z^T H z. A step w - eta g' along an estimate g' lowers f by

    eta a - eta^2 b / 2 on average,   a = E[g^T g'],   b = E[g'^T H g'],

most at eta = a/b if b > 0, and then by a^2 / (2 b). For g' = kappa z, a = E kappa^2 and
b = E[kappa^2 z^T H z]. Every function here derives a and b of one kind of estimate, each by two
routes (ArithmeticError if they disagree), in the invariants of g and H that occur:

    ||g||^2, Tr H, g^T H g, and for noise that sees entries or matrices
    sum_i g_i^2 H_ii,
    rows     sum_ikj G_ij G_kj sum_a H_(ia)(ka)    (G G^T with the partial trace over columns),
    columns  sum_jil G_ij G_il sum_a H_(aj)(al),
    swapped  sum G_ij G_kl H_(il)(kj)              (H with its column indices exchanged).

    >>> gaussian().best_step
    ||g||^2/(Tr H*||g||^2 + 2*g^T H g)
    >>> cp(r=1).at(norm2=1, trace=2, form=1, rows=1, columns=2, swapped=1).best_step
    1/36
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import sympy as sp
from haarpy import haar_integral_orthogonal

from proofs_check.cards.card import KEEP, M, N, Q, R, count, share
from proofs_check.cards.order_statistics import Selection, minimum, split
from proofs_check.cp import U, V, entry
from proofs_check.gaussian import Fixed, Gaussian, Index, TensorSum, contraction, derive
from proofs_check.matrices import G_NORM2, G
from proofs_check.moments import norm_moment, scalar_moment

NORM2 = sp.Symbol("||g||^2", positive=True)
TRACE, FORM = sp.Symbol("Tr H", real=True), sp.Symbol("g^T H g", real=True)
DIAGONAL = sp.Symbol("sum_i g_i^2 H_ii", real=True)
ROWS, COLUMNS, SWAPPED = sp.symbols("rows columns swapped", real=True)
KEPT_TRACE, KEPT_FORM = sp.symbols("Tr(SH) g^TSHSg", real=True)
KEPT_NORM2 = sp.Symbol("g^TSg", positive=True)
MU, MU_FORM, MU_CROSS = (sp.Symbol(x, real=True) for x in ("<g,mu>", "mu^T H mu", "g^T H mu"))
BLOCK_TRACE, BLOCK_FORM = sp.symbols("block_trace block_form", real=True)
ARCSINE = sp.Symbol("sum_i g_i arcsin(g_i/||g||)", positive=True)
TRACE2, TRACE3 = sp.symbols("Tr(H^2) Tr(H^3)", real=True)
EPS = sp.Symbol("eps", nonnegative=True)

_NAMES = {
    "norm2": NORM2,
    "trace": TRACE,
    "form": FORM,
    "diagonal": DIAGONAL,
    "rows": ROWS,
    "columns": COLUMNS,
    "swapped": SWAPPED,
    "kept_norm2": KEPT_NORM2,
    "kept_trace": KEPT_TRACE,
    "kept_form": KEPT_FORM,
    "along_mu": MU,
    "mu_form": MU_FORM,
    "mu_cross": MU_CROSS,
    "block_trace": BLOCK_TRACE,
    "block_form": BLOCK_FORM,
    "arcsine": ARCSINE,
    "trace2": TRACE2,
    "trace3": TRACE3,
}


@dataclass(frozen=True)
class Fall:
    """What one step along an estimate g' lowers a quadratic loss by, on average.

    slope: a = E[g^T g']. curvature: b = E[g'^T H g']. passes: loss values of one estimate. mean:
    E[m^T H m], m the mean of g' given what a run keeps (factors, masks): what averaging over draws
    leaves of b. steps: the derivation. assumptions: beyond a quadratic loss.
    """

    name: str
    slope: sp.Expr
    curvature: sp.Expr
    passes: sp.Expr
    mean: sp.Expr
    steps: tuple[str, ...]
    assumptions: tuple[str, ...] = ()

    @property
    def best_step(self) -> sp.Expr:
        """a/b, the step size of the largest fall, where b > 0; without b > 0 there is none."""
        return sp.factor(sp.cancel(self.slope / self.curvature))

    @property
    def fall(self) -> sp.Expr:
        """a^2/(2 b), what a step of that size lowers the loss by on average."""
        return sp.factor(sp.cancel(self.slope**2 / (2 * self.curvature)))

    @property
    def fall_per_pass(self) -> sp.Expr:
        """The fall by one forward pass."""
        return self.fall / self.passes

    def at(self, **values: sp.Expr | float) -> Fall:
        """The same with sizes (m, n, r, q, ...) and invariants replaced by numbers.

        Invariants go by the names norm2, trace, form, diagonal, rows, columns, swapped (of the
        module's head), kept_norm2, kept_trace, kept_form (of `given`), block_trace, block_form (of
        `layers`), along_mu, mu_form, mu_cross (of `momentum_centred`), arcsine (of `sign`), trace2,
        trace3 (traces of powers of H). Raises ValueError for a name that does not occur.
        """
        parts = (self.slope, self.curvature, sp.sympify(self.passes), self.mean)
        free = {s.name: s for part in parts for s in part.free_symbols}
        known = {s.name: s for s in _NAMES.values()}
        symbols = {k: s for k, s in free.items() if k not in known}
        symbols |= {k: s for k, s in _NAMES.items() if s.name in free}
        if unknown := set(values) - set(symbols):
            raise ValueError(f"{self.name} has no {sorted(unknown)}; it has {sorted(symbols)}")
        at = {symbols[k]: sp.sympify(v) for k, v in values.items()}
        slope, curvature, passes, mean = (part.subs(at, simultaneous=True) for part in parts)
        return replace(self, slope=slope, curvature=curvature, passes=passes, mean=mean)


def isotropic(found: Fall, curvature: sp.Expr) -> Fall:
    """The fall at H = h I, h = `curvature`, in m, n and ||g||^2 (one m x n matrix of weights)."""
    h = sp.sympify(curvature)
    seen = {
        TRACE: h * M * N,
        FORM: h * NORM2,
        DIAGONAL: h * NORM2,
        ROWS: h * N * NORM2,
        COLUMNS: h * M * NORM2,
        SWAPPED: h * NORM2,
    }
    slope, b, mean = (
        part.subs(seen, simultaneous=True) for part in (found.slope, found.curvature, found.mean)
    )
    return replace(found, slope=slope, curvature=b, mean=mean)


def _agreed(name: str, *routes: sp.Expr) -> sp.Expr:
    """The value that all routes give; ArithmeticError if they do not."""
    first, *others = (sp.expand(route) for route in routes)
    for other in others:
        if sp.cancel(sp.together(first - other)) != 0:
            raise ArithmeticError(f"{name}: {first} by one route, {other} by another")
    return first


# Fixed tensors: G (m x n) and H, a symmetric matrix of pairs of indices.


_HESSIAN = Fixed("H")


def _indices() -> tuple[Index, Index, Index, Index]:
    return Index("a", M), Index("b", N), Index("c", M), Index("d", N)


def _contracted(rows: tuple[int, ...], columns: tuple[int, ...]) -> sp.Expr:
    """G_ij G_kl H_(ab)(cd), the indices (i, k, a, c) and (j, l, b, d) identified as numbered."""
    left, right = [Index(x, M) for x in "ik"], [Index(x, N) for x in "jl"]
    i, k, a, c = (left[x] for x in rows)
    j, w, b, d = (right[x] for x in columns)
    return contraction(G[i, j] * G[k, w] * _HESSIAN[a, b, c, d])


PAIRINGS = ((0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0))  # of (first, second, third, fourth)


@cache
def _named() -> dict[sp.Expr, sp.Expr]:
    """The names of the contractions of G and H that occur."""
    whole, crossed, turned = PAIRINGS
    i, j = Index("i", M), Index("j", N)
    return {
        G_NORM2: NORM2,
        contraction(_HESSIAN[i, j, i, j]): TRACE,
        _contracted(crossed, crossed): FORM,
        _contracted(crossed, whole): ROWS,
        _contracted(whole, crossed): COLUMNS,
        _contracted(crossed, turned): SWAPPED,
    }


def _value(total: TensorSum) -> tuple[sp.Expr, tuple[str, ...]]:
    """The expectation in the named invariants, with the steps."""
    found = derive(total)
    value = sp.expand(found.value.subs(_named()))
    if strange := value.free_symbols - {*_named().values(), M, N, R}:
        raise ArithmeticError(f"contractions without a name: {strange}")
    return value, found.steps


def _factors(
    name: str,
    noise: Callable[[Index, Index], TensorSum],
    means: Callable[[], TensorSum],
    forms: Callable[[], TensorSum],
    traces: Callable[[], TensorSum],
    assumptions: tuple[str, ...] = (),
) -> Fall:
    """A two-sided estimate along Z made of Gaussian factors, by both routes.

    noise(i, j) is an entry of Z. Given what is kept Z is Gaussian with covariance S:
    means() = g^T S g, forms() = g^T S H S g, traces() = Tr(S H).
    """

    def inner() -> TensorSum:
        i, j, *_ = _indices()
        return G[i, j] * noise(i, j)

    def curved() -> TensorSum:
        a, b, c, d = _indices()
        return noise(a, b) * _HESSIAN[a, b, c, d] * noise(c, d)

    slope, first = _value(inner() * inner())
    whole, second = _value(inner() * inner() * curved())
    by_kept, third = _value(means() * traces() + 2 * forms())
    mean, fourth = _value(forms())
    return Fall(
        name,
        _agreed(f"{name}, slope", slope, _value(means())[0]),
        _agreed(f"{name}, curvature", whole, by_kept),
        sp.Integer(2),
        mean,
        (
            "a = E<G, Z>^2.",
            *first,
            "b = E[<G, Z>^2 <Z, H Z>], by pairing all factors:",
            *second,
            "Again, given what is kept (covariance S of Z): g^T S g Tr(S H) + 2 g^T S H S g, "
            "averaged over it:",
            *third,
            "and of it g^T S H S g, what averages over draws leave:",
            *fourth,
        ),
        assumptions,
    )


# Two-sided differences along one draw.


ONE_TENSOR = "one matrix; with several, kappa runs over all of them"
_X, _L, _F = Gaussian("x"), Gaussian("U"), Gaussian("V")


def gaussian() -> Fall:
    """Z with iid N(0, 1) entries (MeZO): b = ||g||^2 Tr H + 2 g^T H g."""
    return _gaussian()


@cache
def _gaussian() -> Fall:
    def means() -> TensorSum:
        i, j, *_ = _indices()
        return G[i, j] * G[i, j]

    def traces() -> TensorSum:
        i, j, *_ = _indices()
        return _HESSIAN[i, j, i, j]

    def forms() -> TensorSum:
        a, b, c, d = _indices()
        return G[a, b] * _HESSIAN[a, b, c, d] * G[c, d]

    return _factors("gaussian", lambda i, j: _X[i, j], means, forms, traces)


def cp(r: sp.Expr | int = R) -> Fall:
    """Z = sum_s tau_s u_s v_s^T (TeZO), averaged over u and v; divided by r: a/r and b/r^2."""
    return _sized(_cp(), r=count("r", r))


@cache
def _cp() -> Fall:
    def projection(s: Index) -> TensorSum:
        i, j, *_ = _indices()
        return G[i, j] * U[s, i] * V[s, j]

    def core(s: Index, t: Index) -> TensorSum:
        a, b, c, d = _indices()
        return U[s, a] * V[s, b] * _HESSIAN[a, b, c, d] * U[t, c] * V[t, d]

    def means() -> TensorSum:
        s = Index("s", R)
        return projection(s) * projection(s)

    def traces() -> TensorSum:
        t = Index("t", R)
        return core(t, t)

    def forms() -> TensorSum:
        s, t = Index("s", R), Index("t", R)
        return projection(s) * core(s, t) * projection(t)

    return _factors("cp", entry, means, forms, traces, (ONE_TENSOR,))


def low_rank(r: sp.Expr | int = R) -> Fall:
    """Z = U V^T (LOZO), averaged over V."""
    return _sized(_low_rank(), r=count("r", r))


@cache
def _low_rank() -> Fall:
    def noise(i: Index, j: Index) -> TensorSum:
        s = Index("s", R)
        return _L[i, s] * _F[j, s]

    def projected(i: Index, j: Index) -> TensorSum:
        b, s = Index("b", N), Index("s", R)
        return G[i, b] * _F[b, s] * _F[j, s]

    def means() -> TensorSum:
        i, j, *_ = _indices()
        return G[i, j] * projected(i, j)

    def traces() -> TensorSum:
        (a, b, _, d), s = _indices(), Index("s", R)
        return _HESSIAN[a, b, a, d] * _F[b, s] * _F[d, s]

    def forms() -> TensorSum:
        a, b, c, d = _indices()
        return projected(a, b) * _HESSIAN[a, b, c, d] * projected(c, d)

    return _factors("low_rank", noise, means, forms, traces, (ONE_TENSOR,))


def subspace(m: sp.Expr | int = M, n: sp.Expr | int = N, r: sp.Expr | int = R) -> Fall:
    """Z = U S V^T with Haar frames U, V and Gaussian S (SubZO, SVD-0), averaged over the frames.

    Raises ValueError if r exceeds m or n, or for m or n = 1 (frames of one number).
    """
    m, n, r = count("m", m, 2), count("n", n, 2), count("r", r)
    if any((size - r).is_negative for size in (m, n)):
        raise ValueError(f"{r} orthonormal columns do not fit into {m} x {n}")
    return _sized(_subspace(), m=m, n=n, r=r)


@cache
def _subspace() -> Fall:
    left, right = projection_moments(R, M), projection_moments(R, N)
    weights = {  # of the three pairings: E[P_ik P_ac] and E[P_ia P_kc], likewise for columns
        "whole": [(side[0], side[1], side[1]) for side in (left, right)],
        "crossed": [(side[1], side[0], side[1]) for side in (left, right)],
    }
    table = [[_contracted(x, y).subs(_named()) for y in PAIRINGS] for x in PAIRINGS]

    def summed(kind: str) -> sp.Expr:
        rows, columns = weights[kind]
        return sum(rows[x] * columns[y] * table[x][y] for x in range(3) for y in range(3))

    mean = sp.expand(summed("crossed"))
    return Fall(
        "subspace",
        R**2 * NORM2 / (M * N),
        sp.expand(summed("whole") + 2 * mean),
        sp.Integer(2),
        mean,
        (
            "Given the frames, P = U U^T, Q = V V^T: Z has covariance S = P (x) Q, "
            "b = <G, P G Q> Tr(S H) + 2 <P G Q, H P G Q>.",
            f"E[P_ij P_kl] = A d_ij d_kl + B (d_ik d_jl + d_il d_jk), A = {left[0]}, "
            f"B = {left[1]}: by Weingarten calculus, and again from Tr P = Tr P^2 = r.",
        ),
        (ONE_TENSOR,),
    )


@cache
def projection_moments(rank: sp.Expr, size: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """A, B of E[P_ij P_kl] = A d_ij d_kl + B (d_ik d_jl + d_il d_jk), P a Haar projection.

    By Weingarten calculus and from the traces; ArithmeticError if the two disagree.
    """
    alike = {k: haar_integral_orthogonal((k, (1, 1, 1, 1)), size) for k in ((1, 1, 2, 2),)}
    same = alike[1, 1, 2, 2]  # E Q_1s^2 Q_2s^2
    apart = haar_integral_orthogonal(((1, 1, 2, 2), (1, 1, 2, 2)), size)  # E Q_1s^2 Q_2t^2
    across = haar_integral_orthogonal(((1, 2, 1, 2), (1, 1, 2, 2)), size)  # E Q_1s Q_2s Q_1t Q_2t
    whole = rank * same + rank * (rank - 1) * apart
    crossed = rank * same + rank * (rank - 1) * across
    # (Tr P)^2 = r^2 and Tr P^2 = r.
    a, b = sp.symbols("A B")
    traces = sp.solve(
        [a * size**2 + 2 * b * size - rank**2, a * size + b * (size**2 + size) - rank], [a, b]
    )
    return tuple(
        sp.factor(_agreed("Haar projection", sp.sympify(x), traces[y]))
        for x, y in ((whole, a), (crossed, b))
    )


def given() -> Fall:
    """Z Gaussian with a given covariance S = L L^T: kept factors, HiZOO, a mask.

    kept_norm2 = g^T S g, kept_trace = Tr(S H), kept_form = g^T S H S g. For a mask S is the
    projection on its entries: ||g_S||^2, Tr H_SS and g_S^T H g_S.
    """
    return _given()


@cache
def _given() -> Fall:
    size = sp.Symbol("k", integer=True, positive=True)
    h, k, c = Fixed("h"), Fixed("K"), Gaussian("c")

    def i(name: str) -> Index:
        return Index(name, size)

    a, b, d, e = (i(x) for x in "abde")
    named = {
        contraction(h[a] * h[a]): KEPT_NORM2,
        contraction(k[a, a]): KEPT_TRACE,
        contraction(h[a] * k[a, b] * h[b]): KEPT_FORM,
    }
    slope = derive(h[a] * c[a] * h[b] * c[b])
    found = derive(h[a] * c[a] * h[b] * c[b] * c[d] * k[d, e] * c[e])
    # Along h: c = (h . c) h/||h||^2 + what is independent of it, across h.
    ratio = KEPT_FORM / KEPT_NORM2
    along = scalar_moment(4) * ratio + scalar_moment(2) ** 2 * (KEPT_TRACE - ratio)
    return Fall(
        "given",
        slope.value.subs(named),
        _agreed("given", found.value.subs(named), KEPT_NORM2 * along),
        sp.Integer(2),
        KEPT_FORM,
        (
            "Z = L c, c ~ N(0, I), h = L^T g, K = L^T H L: kappa = h . c, Z^T H Z = c^T K c.",
            *slope.steps,
            *found.steps,
            "Again: c splits into its part along h and an independent one across it, of variance "
            "1 in every direction: E[(h . c)^2 c^T K c] = ||h||^2 (3 k + (Tr K - k)), "
            "k = h^T K h/||h||^2.",
        ),
        ("what is kept is independent of the draw",),
    )


# Entries that are independent, not Gaussian.


def rademacher() -> Fall:
    """Independent signs (SPSA): b = ||g||^2 Tr H + 2 g^T H g - 2 sum_i g_i^2 H_ii."""
    return _entries("rademacher", sp.S.One, sp.S.One)


def random_mask(keep: sp.Expr | float = KEEP) -> Fall:
    """Gaussian entries, each on with probability ``keep`` (R-MeZO), averaged over masks."""
    keep = share("keep", keep)
    second, fourth = (keep * scalar_moment(k) for k in (2, 4))
    found = _entries("random_mask", second, fourth)
    # Given the mask the mean is mask * g: E = p^2 (g^T H g - D) + p D.
    return replace(found, mean=sp.expand(keep**2 * FORM + keep * (1 - keep) * DIAGONAL))


def _entries(name: str, second: sp.Expr, fourth: sp.Expr) -> Fall:
    """iid symmetric entries with the moments E z^2 and E z^4."""
    size = sp.Symbol("d", integer=True, positive=True)
    g, h = Fixed("g"), Fixed("h")
    a, b, c = (Index(x, size) for x in "abc")
    named = {
        contraction(g[a] * g[a]): NORM2,
        contraction(h[a, a]): TRACE,
        contraction(g[a] * h[a, b] * g[b]): FORM,
        contraction(g[a] * g[a] * h[a, a]): DIAGONAL,
    }
    # E[z_a z_b z_c z_e] by which indices are equal: pairs of two, or all four.
    pairs = (
        contraction(g[a] * g[a] * h[c, c], distinct=((a, c),)),
        2 * contraction(g[a] * g[b] * h[a, b], distinct=((a, b),)),
    )
    by_classes = second**2 * sum(pairs) + fourth * contraction(g[a] * g[a] * h[a, a])
    # By cumulants: the Gaussian value of that variance, and the fourth cumulant on the diagonal.
    by_cumulants = second**2 * (NORM2 * TRACE + 2 * FORM) + (fourth - 3 * second**2) * DIAGONAL
    return Fall(
        name,
        second * NORM2,
        _agreed(name, by_classes.subs(named), by_cumulants),
        sp.Integer(2),
        sp.expand(second**2 * FORM),
        (
            f"E z^2 = {second}, E z^4 = {fourth}, odd moments 0: b = sum g_a g_b H_ce "
            "E[z_a z_b z_c z_e] over a = b, c = e; a = c, b = e; a = e, b = c; all equal.",
            "Again by cumulants: the Gaussian sum plus the fourth cumulant times sum_i g_i^2 H_ii.",
        ),
    )


def sphere(d: sp.Expr | int | None = None) -> Fall:
    """Z uniform on the sphere of radius sqrt(d) in all d weights (one tensor)."""
    d = sp.Symbol("d", integer=True, positive=True) if d is None else count("d", d)
    found = gaussian()
    by_norm = d**2 * found.curvature / norm_moment(2, d)
    # An isotropic fourth moment, alpha (three pairings), of trace E||z||^4 = d^2.
    alpha = d**2 / (d**2 + 2 * d)
    return replace(
        found,
        name="sphere",
        curvature=_agreed("sphere", by_norm, alpha * (NORM2 * TRACE + 2 * FORM)),
        steps=(
            *found.steps,
            "x = ||x|| (x/||x||), independent: moments of degree 4 are those of x times "
            f"d^2/E||x||^4 = {sp.cancel(d**2 / norm_moment(2, d))}; again from the isotropic "
            "fourth moment and its trace.",
        ),
        assumptions=(ONE_TENSOR,),
    )


# Directions on a random subset of layers, round a moving centre, and the update by signs.


LAYERS = sp.Symbol("L", integer=True, positive=True)
DROPPED = sp.Symbol("D", integer=True, nonnegative=True)


def layers(total: sp.Expr | int = LAYERS, dropped: sp.Expr | int = DROPPED) -> Fall:
    """Gaussian noise on all but D of L layers, drawn at every step (LeZO).

    block_trace = sum_l ||g_l||^2 Tr H_ll, block_form = sum_l g_l^T H_ll g_l. Weights that always
    have noise (LeZO's embeddings) are left out. Raises ValueError unless 0 <= D < L and L >= 2.
    """
    total, off = count("total", total, 2), count("dropped", dropped, 0)
    if (total - off).is_nonpositive:
        raise ValueError(f"{off} of {total} layers dropped leaves none")
    one = (total - off) / total  # a layer is on
    two = one * (total - off - 1) / (total - 1)  # two of them are
    found = given()
    slope = one * NORM2
    whole = two * NORM2 * TRACE + (one - two) * BLOCK_TRACE
    mean = two * FORM + (one - two) * BLOCK_FORM
    _check_layers()
    return replace(
        found,
        name="layers",
        slope=slope,
        curvature=sp.expand(whole + 2 * mean),
        mean=sp.expand(mean),
        steps=(
            *found.steps,
            "S is the projection on the layers that are on; g^T S g Tr(S H) and g^T S H S g are "
            f"sums over pairs of layers, which both are on with probability {two}, and over single "
            f"ones ({one}); again by enumerating the subsets of three layers.",
        ),
        assumptions=(),
    )


@cache
def _check_layers() -> None:
    """Three layers of one weight, subsets enumerated: what `layers` says of pairs and singles."""
    g = sp.symbols("g_1:4")
    h = sp.Matrix(3, 3, lambda i, j: sp.Symbol(f"h_{min(i, j)}{max(i, j)}"))
    norms, singles = [x**2 for x in g], range(3)
    form = sum(g[i] * h[i, j] * g[j] for i in singles for j in singles)
    blocks = [g[i] ** 2 * h[i, i] for i in singles]
    for off in (1, 2):
        on = [s for s in product((0, 1), repeat=3) if sum(s) == 3 - off]
        pairs, forms = 0, 0
        for s in on:
            pairs += sum(s[i] * norms[i] for i in singles) * sum(s[i] * h[i, i] for i in singles)
            forms += sum(s[i] * s[j] * g[i] * h[i, j] * g[j] for i in singles for j in singles)
        one, two = sp.Rational(3 - off, 3), sp.Rational((3 - off) * (2 - off), 6)
        _agreed("layers", sp.sympify(forms) / len(on), two * form + (one - two) * sum(blocks))
        total = two * sum(norms) * h.trace() + (one - two) * sum(blocks)
        _agreed("layers", sp.sympify(pairs) / len(on), total)


def momentum_centred(sigma2: sp.Expr | float | None = None) -> Fall:
    """Z = mu + sigma N(0, I) with a given mu (ZO-AdaMU's draws), the estimate kappa Z.

    along_mu = <g, mu>, mu_form = mu^T H mu, mu_cross = g^T H mu, sigma2 = sigma^2.
    """
    found = _momentum_centred()
    return found if sigma2 is None else found.at(sigma2=sigma2)


@cache
def _momentum_centred() -> Fall:
    size = sp.Symbol("d", integer=True, positive=True)
    sigma = sp.sqrt(sp.Symbol("sigma2", positive=True))
    g, mu, h, x = Fixed("g"), Fixed("mu"), Fixed("Q", symmetric=True), Gaussian("x")

    def noise(i: Index) -> TensorSum:
        return mu[i] + sigma * x[i]

    def inner() -> TensorSum:
        a = Index("a", size)
        return g[a] * noise(a)

    def curved() -> TensorSum:
        a, b = Index("a", size), Index("b", size)
        return noise(a) * h[a, b] * noise(b)

    a, b = Index("a", size), Index("b", size)
    named = {
        contraction(g[a] * g[a]): NORM2,
        contraction(h[a, a]): TRACE,
        contraction(g[a] * h[a, b] * g[b]): FORM,
        contraction(g[a] * mu[a]): MU,
        contraction(mu[a] * h[a, b] * mu[b]): MU_FORM,
        contraction(g[a] * h[a, b] * mu[b]): MU_CROSS,
    }
    first, second = derive(inner() * inner()), derive(inner() * inner() * curved())
    # Of (s + sigma y)^2 (mu^T H mu + 2 sigma mu^T H x + sigma^2 x^T H x), y = <g, x>:
    even = (MU**2 + sigma**2 * NORM2) * MU_FORM + MU**2 * sigma**2 * TRACE
    crossed = 2 * MU * sigma * 2 * sigma * MU_CROSS
    fourth = sigma**4 * (NORM2 * TRACE + 2 * FORM)
    return Fall(
        "momentum_centred",
        _agreed("momentum_centred, slope", first.value.subs(named), MU**2 + sigma**2 * NORM2),
        _agreed("momentum_centred", second.value.subs(named), even + crossed + fourth),
        sp.Integer(2),
        sp.expand(sigma**4 * FORM + 2 * sigma**2 * MU * MU_CROSS + MU**2 * MU_FORM),
        (*first.steps, *second.steps, "Again by expanding round mu, term by term."),
        ("mu is given and independent of the noise",),
    )


def sign() -> Fall:
    """The update by sign(kappa z), entry by entry, Gaussian z (ZO-SGD-Sign): b = Tr H exactly.

    a = (2/pi) arcsine, arcsine = sum_i g_i arcsin(g_i/||g||) between ||g|| (a gradient spread over
    many weights) and pi ||g||/2 (one weight): the best step is in units of the weights.
    """
    return Fall(
        "sign",
        2 * ARCSINE / sp.pi,
        TRACE,
        sp.Integer(2),
        4 / sp.pi**2 * sp.Symbol("asin(g)^T H asin(g)", real=True),
        (
            "sign(kappa) squares to 1: b = E[sign(z)^T H sign(z)] = Tr H, the entries' signs being "
            "independent.",
            "Sheppard: kappa/||g|| and z_i are normal with correlation g_i/||g||, E[sign(kappa) "
            "sign(z_i)] = (2/pi) arcsin(g_i/||g||); a is their sum with weights g_i.",
        ),
    )


def _sized(found: Fall, **sizes: sp.Expr) -> Fall:
    names = {"m": M, "n": N, "r": R}
    free = (found.slope + found.curvature).free_symbols
    return found.at(**{k: v for k, v in sizes.items() if names[k] in free})


# What is done with several draws.


def averaged(inner: Fall, q: sp.Expr | int = Q) -> Fall:
    """The mean of q two-sided estimates that share what is kept: b/q + (1 - 1/q) mean."""
    q = count("q", q)
    return replace(
        inner,
        name=f"averaged({inner.name})",
        curvature=sp.expand(inner.curvature / q + (1 - 1 / q) * inner.mean),
        passes=2 * q,
        steps=(
            *inner.steps,
            f"q = {q} estimates, independent given what is kept: of the q^2 products the q equal "
            "ones have the mean b, the others m^T H m.",
        ),
    )


def one_sided(q: sp.Expr | int = Q, eps: sp.Expr | float = EPS) -> Fall:
    """q one-sided Gaussian differences round a shared centre, at any eps.

    kappa' = kappa + (eps/2) z^T H z: the mean stays g, and b gains eps^2 E(z^T H z)^3 / (4 q).
    """
    q, eps = count("q", q), sp.sympify(eps)
    one = _one_sided().subs(EPS, eps)
    base = gaussian()
    return replace(
        base,
        name="one_sided",
        curvature=sp.expand(one / q + (1 - 1 / q) * FORM),
        passes=q + 1,
        steps=(
            *base.steps,
            f"One difference: E[kappa'^2 z^T H z] = {one}; terms odd in z vanish, so its mean is "
            "g, and two of them have g^T H g.",
        ),
    )


@cache
def _one_sided() -> sp.Expr:
    size = sp.Symbol("d", integer=True, positive=True)
    g, h, x = Fixed("g"), Fixed("Q", symmetric=True), Gaussian("x")

    def slope() -> TensorSum:
        a = Index("a", size)
        return g[a] * x[a]

    def curved() -> TensorSum:
        b, c = Index("b", size), Index("c", size)
        return x[b] * h[b, c] * x[c]

    a, b, c = (Index(name, size) for name in "abc")
    named = {
        contraction(g[a] * g[a]): NORM2,
        contraction(h[a, a]): TRACE,
        contraction(g[a] * h[a, b] * g[b]): FORM,
        contraction(h[a, b] * h[b, a]): TRACE2,
        contraction(h[a, b] * h[b, c] * h[c, a]): TRACE3,
    }

    def difference() -> TensorSum:
        return slope() + EPS / 2 * curved()

    return sp.expand(derive(difference() * difference() * curved()).value.subs(named))


def nes(q: sp.Expr | int = Q) -> Fall:
    """q one-sided Gaussian losses with their mean as the baseline, eps -> 0: q - 1 draws."""
    q = count("q", q, 2)
    found = averaged(gaussian(), q - 1)
    step = "A Helmert matrix turns the q draws into the average over q - 1 others (eps -> 0)."
    return replace(
        found,
        name="nes",
        passes=q,
        steps=(*found.steps, step),
        assumptions=("eps -> 0",),
    )


def orthonormal(d: sp.Expr | int | None = None, q: sp.Expr | int = Q) -> Fall:
    """q one-sided differences along orthonormalised draws times sqrt(d), eps -> 0.

    The estimate is (d/q) P g with a Haar projection P of rank q. Raises ValueError if q > d, and
    for d = 1.
    """
    d = sp.Symbol("d", integer=True, positive=True) if d is None else count("d", d, 2)
    q = count("q", q)
    if (d - q).is_negative:
        raise ValueError(f"{q} directions cannot be orthogonal in {d} weights")
    symbol = sp.Dummy("d", integer=True, positive=True)
    whole, crossed = (x.subs({R: q, symbol: d}) for x in projection_moments(R, symbol))
    curvature = (d / q) ** 2 * ((whole + crossed) * FORM + crossed * NORM2 * TRACE)
    return Fall(
        "orthonormal",
        NORM2,
        sp.expand(curvature),
        q + 1,
        FORM,
        (
            "g' = (d/q) P g: a = (d/q) E g^T P g = ||g||^2, b = (d/q)^2 E g^T P H P g, and "
            f"E[P_ia P_jb] is that of a Haar projection, A = {whole}, B = {crossed}.",
        ),
        ("eps -> 0", "orthonormalised over all weights together"),
    )


def greedy(candidates: int = 4) -> Fall:
    """The two-sided estimate along the one of M Gaussian draws with the lowest loss, eps -> 0."""
    chosen = minimum(int(count("candidates", candidates)))
    return _selected("greedy", chosen, candidates)


def guiding_vector(candidates: int = 4, best: int = 2) -> Fall:
    """The two-sided estimate along the mean of the best draws minus that of the others (GV)."""
    candidates, best = int(count("candidates", candidates, 2)), int(count("best", best))
    if best >= candidates:
        raise ValueError(f"{best} best of {candidates} candidates leave no others")
    return _selected("guiding_vector", split(candidates, best), candidates)


def _selected(name: str, chosen: Selection, candidates: int) -> Fall:
    """v is A g/||g|| along the gradient and N(0, spread I) across it, independent of A."""
    along, across = FORM, NORM2 * TRACE - FORM
    return Fall(
        name,
        chosen.second * NORM2,
        sp.expand(chosen.fourth * along + chosen.spread * chosen.second * across),
        sp.Integer(candidates + 2),
        sp.expand(chosen.second**2 * FORM),
        (
            *chosen.steps,
            "a = E A^2 ||g||^2; b = ||g||^2 E[A^2 v^T H v] = E A^4 g^T H g + spread E A^2 "
            "(||g||^2 Tr H - g^T H g), since A and what is across g are independent.",
        ),
        ("eps -> 0: candidates are ordered by <g, Z>", "Gaussian draws"),
    )


FALLS = {
    build.__name__: build
    for build in (
        gaussian,
        rademacher,
        sphere,
        cp,
        low_rank,
        subspace,
        given,
        random_mask,
        layers,
        momentum_centred,
        one_sided,
        nes,
        orthonormal,
        greedy,
        guiding_vector,
        sign,
    )
}
"""By name; `averaged` builds on another one."""
