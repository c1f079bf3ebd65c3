import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.gaussian import Fixed, Gaussian, Index, contraction, derive, expect, pairings
from proofs_check.tensors import as_sum
from tests.proofs_check.brute_force import brute_force

m, n, r = sp.symbols("m n r", integer=True, positive=True)
tau, u, v, x = Gaussian("tau"), Gaussian("u"), Gaussian("v"), Gaussian("x")
G, H, A, y, z = Fixed("G"), Fixed("H", symmetric=True), Fixed("A"), Fixed("y"), Fixed("z")


def ij():
    return Index("i", m), Index("j", n)


def Z(i, j):
    s = Index("s", r)
    return tau[s], u[s, i], v[s, j]


def inner(fixed):
    i, j = ij()
    return as_sum((fixed[i, j], Z(i, j)))


def norm2():
    i, j = ij()
    return as_sum((Z(i, j), Z(i, j)))


def G2():
    i, j = ij()
    return contraction(G[i, j], G[i, j])


# --- known values -------------------------------------------------------------------------------


def test_theorem_1_mean():
    i, j = ij()
    assert expect(inner(G), inner(A)) / r == contraction(G[i, j], A[i, j])


def test_theorem_1_delta():
    derivation = derive(inner(G), inner(G), norm2())
    delta = derivation.value / (r**2 * G2()) - 1
    expected = 1 + m * n + 2 * m * n / r + 6 * (m + n) / r + 10 / r
    assert sp.expand(delta - expected) == 0
    assert "27 pairings" in derivation.steps[0]


def test_hyper_indices_and_distinct_sums_of_a7_b1():
    i, j = ij()
    s, t = Index("s", r), Index("t", r)
    one_g = as_sum((tau[s], tau[t], u[s, i], u[t, i], v[s, j], v[t, j]))
    value = expect(G[i, j], G[i, j], one_g, one_g, distinct=[(s, t)])
    assert sp.expand(2 * value - 2 * r * (r - 1) * G2()) == 0


def test_plain_gaussian_relative_variance_is_d_plus_1():
    i, j, k = (Index(c, m) for c in "ijk")
    value = expect(y[i], x[i], y[j], x[j], x[k], x[k])
    assert sp.expand(value - (m + 2) * contraction(y[i], y[i])) == 0


def test_quadratic_form_moments():
    i, j, k, p = (Index(c, m) for c in "ijkp")
    value = expect(x[i], H[i, j], x[j], x[k], H[k, p], x[p])
    assert value == contraction(H[i, i]) ** 2 + 2 * contraction(H[i, j], H[i, j])


def test_second_moment_of_the_conditional_variance():
    def h(s):
        i, j = ij()
        return as_sum((G[i, j], u[s, i], v[s, j]))

    def gram(s, t):
        i, j = ij()
        return as_sum((u[s, i], u[t, i], v[s, j], v[t, j]))

    def conditional():  # E over tau of <G,Z>^2 ||Z||^2
        s, t = Index("s", r), Index("t", r)
        return h(s) * h(s) * gram(t, t) + 2 * h(s) * gram(s, t) * h(t)

    assert expect(conditional()) == expect(inner(G), inner(G), norm2())
    second = expect(conditional(), conditional().fresh())
    # At r = m = n = 1 it is G^4 E[(u v)^4 * 3 (u v)^4 * 3] = 9 * 105^2.
    at_one = second.subs({m: 1, n: 1, r: 1}).subs(_all_ones(second))
    assert at_one == 9 * 105**2


def test_sixteen_and_more_factors():
    assert pairings(norm2(), norm2(), norm2(), norm2()) == 105**3
    eighth = expect(norm2(), norm2(), norm2(), norm2())
    assert eighth.subs({m: 1, n: 1, r: 1}) == 105**3

    # A CP product of rank 1 is tau u v^T: its norm's moments factorise.
    def even(d):
        return sp.prod(d + 2 * k for k in range(4))

    assert sp.expand(eighth.subs(r, 1) - 105 * even(m) * even(n)) == 0


def _all_ones(expression):
    return dict.fromkeys(expression.free_symbols, 1)


# --- contractions -------------------------------------------------------------------------------


def test_names_of_contractions():
    i, j, k, p = (Index(c, m) for c in "ijkp")
    named = {
        "||G||^2": G[i, j] * G[i, j],
        "<A,G>": G[i, j] * A[i, j],
        "tr(G)": G[i, i],
        "tr(G^2)": G[i, j] * G[j, i],
        "||H||^2": H[i, j] * H[j, i],
        "tr(H^3)": H[j, i] * H[k, j] * H[i, k],
        "tr((G G^T)^2)": G[i, j] * G[k, j] * G[k, p] * G[i, p],
        "y^T H y": y[i] * H[i, j] * y[j],
        "y^T G z": z[j] * y[i] * G[i, j],
        "y^T G^T z": z[i] * y[j] * G[i, j],
        "sum G_ab^4": G[i, j] * G[i, j] * G[i, j] * G[i, j],
    }
    for name, product in named.items():
        assert contraction(product).name == name
    assert contraction(G[i, i], G[j, j]) == contraction(G[k, k]) ** 2
    assert contraction(G[i, j], G[i, j]).is_nonnegative
    assert contraction(G[i, i]).is_nonnegative is None


@st.composite
def fixed_products(draw):
    """A product of fixed tensors, as (tensor, index numbers), and its number of indices."""
    count = draw(st.integers(1, 5))
    shapes = [(G, 2), (H, 2), (A, 2), (y, 1), (z, 1)]
    size = draw(st.integers(1, 5))
    index = st.integers(0, size - 1)
    factors = []
    for _ in range(count):
        tensor, rank = draw(st.sampled_from(shapes))
        factors.append((tensor, tuple(draw(index) for _ in range(rank))))
    return factors, size


def _build(factors, size, renaming):
    indices = [Index("i", m) for _ in range(size)]
    return as_sum([t[tuple(indices[renaming[i]] for i in ix)] for t, ix in factors])


@settings(max_examples=60, deadline=None)
@given(fixed_products(), st.randoms(use_true_random=False))
def test_isomorphic_contractions_get_the_same_symbol(product, random):
    factors, size = product
    renaming = list(range(size))
    random.shuffle(renaming)
    shuffled = [(t, ix[::-1] if t is H else ix) for t, ix in factors]
    random.shuffle(shuffled)
    first = contraction(_build(factors, size, list(range(size))))
    assert first == contraction(_build(shuffled, size, renaming))


@settings(max_examples=60, deadline=None)
@given(fixed_products(), fixed_products())
def test_symbols_are_equal_exactly_when_the_numbers_are(one, other):
    first, second = (_build(f, s, list(range(s))) for f, s in (one, other))
    fixed = _random(3)
    values = [brute_force(p, {m: 3}, fixed) for p in (first, second)]
    assert (contraction(first) == contraction(second)) == (values[0] == values[1])


def _random(d):
    rng = np.random.default_rng(7)
    full = rng.integers(-(10**6), 10**6, (d, d, 5)).tolist()
    table = {name: {} for name in "GHAyz"}
    for a in range(d):
        table["y"][(a,)], table["z"][(a,)] = full[a][0][3], full[a][0][4]
        for b in range(d):
            table["G"][a, b], table["A"][a, b] = full[a][b][0], full[a][b][1]
            table["H"][a, b] = full[min(a, b)][max(a, b)][2]
    return table


# --- against brute force ------------------------------------------------------------------------


@st.composite
def gaussian_products(draw):
    """A random product: Gaussians x (rank 1), u (rank 2), fixed G, H, y; and distinct pairs."""
    size = draw(st.integers(1, 4))
    index = st.integers(0, size - 1)
    factors = []
    for tensor, rank in [(x, 1), (u, 2)]:
        for _ in range(2 * draw(st.integers(0, 2))):
            factors.append((tensor, tuple(draw(index) for _ in range(rank))))
    for tensor, rank in [(G, 2), (H, 2), (y, 1)]:
        for _ in range(draw(st.integers(0, 1))):
            factors.append((tensor, tuple(draw(index) for _ in range(rank))))
    used = sorted({i for _, ix in factors for i in ix})
    pairs = [(a, b) for a in used for b in used if a < b]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=2)) if pairs else []
    return factors, size, chosen


@settings(max_examples=60, deadline=None)
@given(gaussian_products(), st.integers(1, 3))
def test_random_products_against_brute_force(problem, d):
    factors, size, chosen = problem
    indices = [Index("i", m) for _ in range(size)]
    product = as_sum([t[tuple(indices[i] for i in ix)] for t, ix in factors])
    distinct = [(indices[a], indices[b]) for a, b in chosen]
    result = expect(product, distinct=distinct)
    fixed = _random(d)
    numeric = result.subs(m, d).subs(_contraction_values(product, result, d, fixed))
    assert numeric == brute_force(product, {m: d}, fixed, distinct)


def _contraction_values(product, result, d, fixed):
    """Numbers for the symbols of ``result``: every contraction of the fixed factors is tried."""
    factors = [f for f in product.terms[0][1] if isinstance(f.tensor, Fixed)]
    wanted, known = result.free_symbols - {m}, {}
    for subset in _subsets(factors):
        count = sum(len(f.indices) for f in subset)
        for labels in _partitions(count):
            indices = [Index("i", m) for _ in range(max(labels, default=-1) + 1)]
            places = iter(labels)
            entries = [f.tensor[tuple(indices[next(places)] for _ in f.indices)] for f in subset]
            symbol = contraction(entries)
            if symbol in wanted and symbol not in known:
                known[symbol] = brute_force(as_sum(entries), {m: d}, fixed)
    assert wanted == set(known)
    return known


def _subsets(items):
    for mask in range(1, 2 ** len(items)):
        yield [item for k, item in enumerate(items) if mask >> k & 1]


def _partitions(count):
    """Restricted growth strings: every way to identify ``count`` index slots."""
    if count == 0:
        yield ()
        return
    for shorter in _partitions(count - 1):
        for label in range(max(shorter, default=-1) + 2):
            yield (*shorter, label)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1, 2), (2, 2, 1), (1, 3, 2), (2, 2, 2)])
def test_tezo_moments_against_brute_force(sizes):
    values = dict(zip((m, n, r), sizes, strict=True))
    fixed = {"G": {(a, b): 2 * a - 3 * b + 1 for a in range(3) for b in range(3)}}
    square = sum(fixed["G"][a, b] ** 2 for a in range(sizes[0]) for b in range(sizes[1]))
    product = inner(G) * inner(G) * norm2()
    exact = expect(product).subs(values).subs(G2(), square)
    assert exact == brute_force(product, values, fixed)
    # brute force over tau, u, v of ||Z||^6 is done at the smallest sizes only: cost (mnr^2)^3
    if sizes[0] * sizes[1] * sizes[2] <= 4:
        product = norm2() * norm2() * norm2()
        assert expect(product).subs(values) == brute_force(product, values, fixed)


def test_linear_combinations_and_coefficients():
    i, j = Index("i", m), Index("j", m)
    centred = x[i] * x[i] - m  # ||x||^2 - m
    assert expect(centred) == 0
    assert expect(centred, centred.fresh()) == 2 * m
    assert expect(sp.Rational(1, 2) * x[i] * x[i] + (1 - x[j] * x[j]) / 1) == 1 - m / 2
    assert expect(r * x[i], x[i]) == m * r
    assert expect(x[i]) == 0
    assert expect(x[i] * x[i], x[i] * x[i]) == 3 * m
    assert expect(3) == 3


def test_monte_carlo():
    sizes = {m: 3, n: 2, r: 2}
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=(3, 2))
    draws = 400_000
    t, a, b = (rng.normal(size=(draws, *s)) for s in [(2,), (2, 3), (2, 2)])
    sample = np.einsum("ks,ksi,ksj->kij", t, a, b)
    statistic = np.einsum("ij,kij->k", gradient, sample) ** 2 * (sample**2).sum((1, 2))
    exact = float(expect(inner(G), inner(G), norm2()).subs(sizes).subs(G2(), (gradient**2).sum()))
    error = statistic.std() / np.sqrt(draws)
    assert abs(statistic.mean() - exact) < 5 * error
    assert error < 0.05 * exact


# --- errors -------------------------------------------------------------------------------------


def test_bad_input():
    i, j = ij()
    with pytest.raises(ValueError, match="shapes"):
        expect(G[i, j], G[j, i])
    with pytest.raises(ValueError, match="share a name"):
        expect(G[i, j], Gaussian("G")[i, j])
    with pytest.raises(ValueError, match="unequal dimensions"):
        expect(H[i, j])
    with pytest.raises(ValueError, match="must both occur"):
        expect(x[i], x[i], distinct=[(i, Index("k", m))])
    with pytest.raises(ValueError, match="same dimension"):
        expect(u[i, j], u[i, j], distinct=[(i, j)])
    with pytest.raises(ValueError, match="fixed tensors only"):
        contraction(x[i], x[i])
    with pytest.raises(ValueError, match="positive integer"):
        Index("i", 0)
    with pytest.raises(TypeError, match="not an Index"):
        G[i, 1]
    with pytest.raises(ValueError, match="exact"):
        expect(0.5, x[i], x[i])


def test_symbols_that_are_made_twice_have_an_order():
    """SymPy compares them part by part where a sum holds two objects of one symbol."""
    i, j = Index("i", m), Index("j", m)
    first, second = (contraction(Fixed("A")[i, j] * Fixed("A")[j, i]) for _ in range(2))
    assert first.compare(second) == 0
    assert first + second == 2 * first
