"""Counterexamples as self-contained NumPy code: prints the claimed bound and the actual value."""

import sympy

from zotheory.search.problem import Bound, Point, as_bound
from zotheory.search.profiles import profile_at
from zotheory.search.tezo import eq12_cosine, eq12_quantities

_EQ12 = '''\
# f(W + X) = <G, X> + lam rho^2 [phi(t0 + <a b^T, X>/rho) - phi(t0) - phi'(t0) <a b^T, X>/rho]
# with |phi''| <= 1 is lam-smooth; a, b are unit vectors, cosine = <G, a b^T>/||G||, r = 1.
import math
import numpy as np

{values}
t0 = {offset}
phi = lambda t: {phi}
slope = lambda t: {slope}

def moments(step):
    """E[e(s) s (||Z||^2 - 1)] and E[e(s)^2 ||Z||^2], s = tau p q a product of three normals.

    The density of log|s| is a convolution; ||Z||^2 = tau^2 (p^2 + chi^2_(m-1)) (q^2 + chi^2_(n-1)).
    """
    y = np.arange(-16, 3, step)
    def factor(power):
        return step * np.sqrt(2 / np.pi) * np.exp((power + 1) * y - np.exp(2 * y) / 2)
    def weights(i, j, k):
        return np.convolve(np.convolve(factor(i), factor(j)), factor(k))
    s = np.exp(3 * y[0] + step * np.arange(3 * y.size - 2))
    e = (phi(t0 + s) - phi(t0 - s)) / 2 - slope(t0) * s
    squared = (weights(2, 2, 2) + (m + n - 2) * weights(2, 2, 0)
               + (m - 1) * (n - 1) * weights(2, 0, 0))
    return e * s @ (squared - weights(0, 0, 0)), e**2 @ squared

def actual(step):
    cross, square = moments(step)
    c = 3 * (m + 2) * (n + 2)  # E[<G,Z>^2 ||Z||^2] / ||G||^2
    return ((c - 1) * gradient_norm**2 + c * sigma**2
            + 2 * cosine * gradient_norm * lam * rho * cross + (lam * rho)**2 * square)

claimed = {bound}
value = actual(1 / 128)
print("claimed bound:", claimed)
print("actual value: ", value, "(quadrature error about", abs(value - actual(1 / 64)), ")")
print("ratio:        ", value / claimed)
'''

_RELU = """\
# X_l = {name}(W_l X_(l-1)) below the last layer, f = <C, X_L>; a column is a sample.
# df/dW_l = sum over samples of M c x^T with M = D_l W_(l+1)^T D_(l+1) ... W_L^T, D the 0/1 masks.
import math
import numpy as np

weights = {weights}
inputs = np.array({inputs})
cotangent = np.array({cotangent})
layer = {layer}

weights = [np.array(w) for w in weights]
rank = lambda matrix: int(np.linalg.matrix_rank(matrix))
gradient, ranks = 0, {{}}
for x, c in zip(inputs.T, cotangent.T):
    layer_input, chain, pattern = None, None, ()
    for number, w in enumerate(weights, start=1):
        if number > layer:
            chain = chain @ w.T
        if number == layer:
            layer_input, chain = x, np.eye(len(w))
        x = w @ x
        if number < len(weights):
            assert np.all(x != 0), "not differentiable here"
            mask = {mask}
            x = x * mask
            if number >= layer:
                chain = chain * mask
                pattern += tuple(mask)
    gradient = gradient + np.outer(chain @ c, layer_input)
    ranks[pattern] = rank(chain)
later = weights[layer:]
product = later[0]
for w in later[1:]:
    product = w @ product
product_rank, min_rank = rank(product), min(map(rank, later))
patterns, masked_rank_sum, batch = len(ranks), sum(ranks.values()), inputs.shape[1]

print("gradient of W_%d:" % layer, gradient.tolist())
print("claimed bound on its rank:", {bound})
print("actual rank:", rank(gradient))
"""


def eq12_snippet(bound: sympy.Expr | Bound, point: Point) -> str:
    """The code that prints Eq. 12's bound and the actual mean square error at a search point."""
    quantities = {**eq12_quantities(point), "cosine": eq12_cosine(point)}
    phi, slope = profile_at(point).source()
    return _EQ12.format(
        values="\n".join(f"{_variable(k)} = {v!r}" for k, v in quantities.items()),
        offset=repr(point["offset"]),
        phi=phi,
        slope=slope,
        bound=_code(bound),
    )


def relu_rank_snippet(bound: sympy.Expr | Bound, point: Point, activation: str = "relu") -> str:
    """The code that prints Eq. 6's bound and the actual rank of the gradient at a search point."""
    relu = activation == "relu"
    return _RELU.format(
        name="relu" if relu else "",
        mask="(x > 0).astype(int)" if relu else "np.ones(len(x), dtype=int)",
        bound=_code(bound),
        **point,
    )


def _variable(quantity: str) -> str:
    return "lam" if quantity == "lambda" else quantity


def _code(bound: sympy.Expr | Bound) -> str:
    bound = as_bound(bound)
    names = dict(bound.names)
    renamed = {
        s: sympy.Symbol(_variable(names.get(s.name, s.name))) for s in bound.expression.free_symbols
    }
    return sympy.pycode(bound.expression.xreplace(renamed))
