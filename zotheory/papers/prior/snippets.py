"""Counterexamples of the prior paper's lemmas with nothing but numpy and the standard library."""

from __future__ import annotations

from collections.abc import Callable

from zotheory.evidence.exact import Counterexample
from zotheory.evidence.snippets import inputs
from zotheory.vocabulary import Statement

_HEAD = """import math

import numpy as np

"""
_LAW = """t = np.linspace(-12, 12, 48_001)
phi = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
above = np.array([math.erfc(x / math.sqrt(2)) / 2 for x in t])  # 1 - Phi(t)
"""
_SHOW = """print("claimed", float(claimed))
print("actual", float(actual))
"""


def covariance(_: Statement, failed: Counterexample) -> str:
    """How often ||S_k - I|| exceeds eps, in a hundred draws."""
    return f"""import numpy as np

{inputs(_floats(failed))}
rng, failures = np.random.default_rng(0), 0
for _ in range(100):
    z = rng.standard_normal((k, d))
    failures += np.linalg.norm(z.T @ z / k - np.eye(d), 2) > eps
print("claimed", delta)  # failures are to be at most this frequent
print("actual", failures / 100)
"""


def plain_ratio(statement: Statement, failed: Counterexample) -> str:
    """E||V_par||/||V_perp|| of the mean of k two-point estimates, in gamma functions."""
    return f"""{_HEAD}{inputs(failed.inputs)}
n = d - 1  # E chi_k and E 1/chi_n
mean = math.sqrt(2) * math.exp(math.lgamma((k + 1) / 2) - math.lgamma(k / 2))
shrink = math.exp(math.lgamma((n - 1) / 2) - math.lgamma(n / 2)) / math.sqrt(2)
claimed = {float(statement.formula.rhs)}  # largest relative deviation from sqrt(k/(d-1))
actual = abs(mean * shrink / math.sqrt(k / (d - 1)) - 1)
{_SHOW}y = np.random.default_rng(0).standard_normal((200_000, k))
length = np.sqrt(np.random.default_rng(1).chisquare(n, 200_000))
ratio = np.sqrt((y**2).sum(axis=1)) / length
print("simulated mean of the ratio over sqrt(k/(d-1))", np.mean(ratio) / math.sqrt(k / (d - 1)))
"""


def minimum(power: int) -> Callable[[Statement, Counterexample], str]:
    """The mean of |Y_(1)|^power against the formula's bound."""

    def write(statement: Statement, failed: Counterexample) -> str:
        compared = "math.sqrt(2 * math.log(k))" if power == 1 else "2 * math.log(k)"
        actual = f"abs(mean / ({compared}) - 1)" if "Abs" in str(statement.formula) else "mean"
        return f"""{_HEAD}{inputs(failed.inputs)}
{_LAW}mean = np.sum(np.abs(t) ** {power} * k * above ** (k - 1) * phi) * (t[1] - t[0])
claimed = {float(statement.formula.rhs)}
actual = {actual}
{_SHOW}print("E|Y_(1)|^{power}:", mean)
least = np.random.default_rng(0).standard_normal((400_000, k)).min(axis=1)
print("simulated:", np.mean(np.abs(least) ** {power}))
"""

    return write


def guided_ratio(statement: Statement, failed: Counterexample) -> str:
    """E|m|/||N|| from the means of the order statistics."""
    return f"""{_HEAD}{inputs(failed.inputs)}
{_LAW}below = 1 - above


def mean(i):  # of the i-th least of k normals
    ways = k * math.comb(k - 1, i - 1)
    return np.sum(t * ways * below ** (i - 1) * above ** (k - i) * phi) * (t[1] - t[0])


n = d - 1
size = sum(mean(k + 1 - i) - mean(i) for i in range(1, s + 1))  # E|m|
shrink = math.exp(math.lgamma((n - 1) / 2) - math.lgamma(n / 2)) / math.sqrt(2)  # E 1/chi_n
claimed = {float(statement.formula.rhs)}  # largest relative deviation from the printed value
actual = abs(size / math.sqrt(2 * s) * shrink / (2 * math.sqrt(s * math.log(k) / n)) - 1)
{_SHOW}{_simulated("np.abs(m) / np.sqrt(2 * s * n)")}"""


def guided_square(statement: Statement, failed: Counterexample) -> str:
    """E(m/s)^2 at k = 2, where m = -|y_1 - y_2|."""
    return f"""{_HEAD}{inputs(failed.inputs)}
{_TWO}claimed = {float(statement.formula.rhs)}  # largest relative deviation from 8 s log k
actual = abs(square / s**2 / (8 * s * math.log(k)) - 1)
{_SHOW}{_simulated("(m / s) ** 2")}"""


def guided_plain(_: Statement, failed: Counterexample) -> str:
    """E m^2/(2s) against k at k = 2."""
    return f"""{_HEAD}{inputs(failed.inputs)}
{_TWO}claimed = k  # of the mean of k estimates, to be exceeded
actual = square / (2 * s)
{_SHOW}{_simulated("m**2 / (2 * s)")}"""


def guided_limit(_: Statement, __: Counterexample) -> str:
    """Both bounds of E(m/s)^2 at a huge k, and simulations at moderate ones."""
    return """import math

import numpy as np


def bounds(k):  # of E(m/s)^2 at s = k/2
    size = math.sqrt(2 / math.pi)
    return (2 * size - 2 * math.sqrt(2 / k)) ** 2, 4 * size**2 + 4 * (1 - size**2) / k


print("claimed", 2.0)  # the limit of E(m/s)^2 at 2s over that at s
print("actual", bounds(2e18)[1] / bounds(1e18)[0])
rng = np.random.default_rng(0)
for k in (4, 8, 16, 32, 64, 128):
    y = np.sort(rng.standard_normal((20_000, k)))
    m = y[:, : k // 2].sum(axis=1) - y[:, k // 2 :].sum(axis=1)
    print("simulated at s =", k // 2, np.mean((m / (k // 2)) ** 2))
"""


def greedy_square(_: Statement, failed: Counterexample) -> str:
    """E[Y_(1)^2] against k."""
    return f"""{_HEAD}{inputs(failed.inputs)}
{_LAW}claimed = k  # of the mean of k estimates, to be exceeded
actual = np.sum(t**2 * k * above ** (k - 1) * phi) * (t[1] - t[0])
{_SHOW}"""


def cosine(statement: Statement, failed: Counterexample) -> str:
    """E cos^2 in two dimensions: A/(A + x^2) averaged over x and over the selected A."""
    law = {
        "greedy": "M * above ** (M - 1) * phi  # of the least of M",
        "guided": "3 * (1 - 2 * above) ** 2 * phi  # of +-(the largest of three |N(0, 1)|)",
    }[statement.setting["method"]]
    method = statement.setting["method"]
    choose = (
        "y.min(axis=1)" if method == "greedy" else "y[:, :2].mean(axis=1) - y[:, 2:].mean(axis=1)"
    )
    return f"""{_HEAD}M, q, d = {failed.inputs["M"]}, {failed.inputs["plain directions"]}, 2
{_LAW}# E a^2/(a^2 + x^2) over x ~ N(0, 1), at a = |t|
given = np.array(
    [math.sqrt(math.pi / 2) * a * math.exp(a * a / 2) * math.erfc(a / math.sqrt(2)) for a in abs(t)]
)
law = {law}
claimed = q / (d + q - 1)  # of the mean of q plain estimates, to be exceeded
actual = np.sum(given * law) * (t[1] - t[0])
{_SHOW}rng = np.random.default_rng(0)
y = np.sort(rng.standard_normal((400_000, M)))
a = {choose}
print("simulated", np.mean(a**2 / (a**2 + rng.standard_normal(len(a)) ** 2)))
"""


_TWO = """x, weight = np.polynomial.hermite_e.hermegauss(4)
weight /= weight.sum()
square = weight @ (x[:, None] - x) ** 2 @ weight  # E m^2: m = -|y_1 - y_2| at k = 2
"""


def _simulated(quantity: str) -> str:
    return f"""rng = np.random.default_rng(0)
for k, s in ((2, 1), (4, 2), (8, 4), (12, 6)):
    y = np.sort(rng.standard_normal((100_000, k)))
    m = y[:, :s].sum(axis=1) - y[:, s:].sum(axis=1)
    print("simulated at k, s =", k, s, np.mean({quantity}))
"""


def _floats(failed: Counterexample) -> dict[str, float]:
    return {k: v if isinstance(v, int) else float(v) for k, v in failed.inputs.items()}
