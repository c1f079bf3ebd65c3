"""Two-sided tests on the few numbers that a table prints, exact where that is a matter of counting.

Each function stands alone (NumPy at most), so that a certificate can carry its source.
"""


def welch(first: float, s1: float, n1: int, second: float, s2: float, n2: int) -> float:
    """p of Welch's test that two means are equal, from sample deviations s and sample sizes n.

    t = (first - second) / sqrt(s1^2/n1 + s2^2/n2) against Student's t with the Welch-Satterthwaite
    degrees of freedom. Equal means with no deviation at all have p = 1, different ones p = 0.

        >>> round(welch(93.0, 0.5, 5, 92.0, 0.7, 5), 4)
        0.0344
    """
    import math

    import numpy as np

    if min(n1, n2) < 2 or min(s1, s2) < 0:
        raise ValueError("Welch's test needs two numbers a group and deviations of at least 0")
    a, b = s1**2 / n1, s2**2 / n2
    if a + b == 0:
        return float(first == second)
    t = abs(first - second) / math.sqrt(a + b)
    df = (a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1))
    # P(|T| < t) with T = sqrt(df) tan(phi): the density of phi is proportional to cos^(df - 1).
    # Simpson's rule in y with phi = end (1 - y^4): smooth also where cos^(df - 1) ends in a cusp
    end, y = math.atan(t / math.sqrt(df)), np.linspace(0, 1, 4001)
    density = 4 * y**3 * np.cos(end * (1 - y**4)) ** (df - 1)
    simpson = 4 * density[1::2].sum() + 2 * density[2:-1:2].sum() + density[-1]
    inside = end * float(simpson * y[1]) / 3
    scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(math.pi) / 2
    return max(0.0, 1 - 2 * inside * math.exp(scale))


def signed_rank(*differences: float) -> float:
    """p of Wilcoxon's signed-rank test that differences are symmetric round 0, all signs counted.

    Zeros are left out, equal sizes share their mean rank; at most 20 differences.

        >>> signed_rank(0.4, 1.0, 0.3, 2.0, 0.7)
        0.0625
    """
    import numpy as np

    d = np.array([x for x in differences if x != 0], dtype=float)
    if not 1 <= len(d) <= 20:
        raise ValueError(f"between 1 and 20 differences other than 0 are counted, got {len(d)}")
    sizes = np.round(np.abs(d), 9)
    ranks = np.array([(sizes < s).sum() + ((sizes == s).sum() + 1) / 2 for s in sizes])
    signs = (np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1
    sums = signs @ ranks
    distance = np.abs(sums - ranks.sum() / 2)
    return float((distance >= abs(ranks[d > 0].sum() - ranks.sum() / 2) - 1e-9).mean())


def sign_test(*differences: float) -> float:
    """p of the sign test that positive and negative differences are equally likely; zeros are out.

    >>> sign_test(0.4, 1.0, 0.3, 2.0, 0.7)
    0.0625
    """
    import math

    signs = [x > 0 for x in differences if x != 0]
    if not signs:
        return 1.0
    n, k = len(signs), max(sum(signs), len(signs) - sum(signs))
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k, n + 1)) / 2**n)
