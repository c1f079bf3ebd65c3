"""The law of the noise: fixed keys, so that what passes once passes always."""

import math

import pytest
import torch

from estimators.philox import bits16, bits32, gram, normals, signs

stats = pytest.importorskip("scipy.stats")

CPU = torch.device("cpu")
KEY = 0xB5AD4ECEDA1CE2A9
N = 1 << 22


@pytest.fixture(scope="module")
def z():
    return normals(torch.empty(4 * N), KEY).double()


def test_moments_to_the_eighth(z):
    def moment(order):  # of N(0, 1)
        return 0 if order % 2 else math.prod(range(1, order, 2))

    power = torch.ones_like(z)
    for order in range(1, 9):
        power.mul_(z)
        error = math.sqrt((moment(2 * order) - moment(order) ** 2) / len(z))
        assert abs(float(power.mean()) - moment(order)) < 4 * error, order


def test_kolmogorov_smirnov(z):
    for lane in range(0, 64, 16):  # each word of a counter by itself
        part = z.view(-1, 64)[:, lane : lane + 16].flatten()[: 1 << 19]
        assert stats.kstest(part.numpy(), "norm").pvalue > 1e-3


def test_numbers_in_a_stream_do_not_know_each_other(z):
    """Neighbours, lanes, words of one counter, which share a radius: 16, 32 and 48 apart."""
    z = z[:N]
    for power, x in ((1, z), (2, (z.square() - 1) / math.sqrt(2))):
        for lag in (1, 2, 3, 4, 8, 15, 16, 17, 31, 32, 47, 48, 63, 64, 65, 128, 2048, 1 << 15):
            score = float(x[:-lag] @ x[lag:]) / math.sqrt(len(x) - lag)
            assert abs(score) < 4.5, (lag, power)


def test_the_two_numbers_of_a_transform_are_independent(z):
    pairs = z.view(-1, 2, 2, 16)
    first, second = pairs[:, :, 0].flatten(), pairs[:, :, 1].flatten()
    angle = torch.atan2(second, first).div_(2 * math.pi).add_(0.5)
    assert stats.kstest(angle[: 1 << 19].numpy(), "uniform").pvalue > 1e-3
    radius = torch.exp(-(first.square() + second.square()) / 2)
    assert stats.kstest(radius[: 1 << 19].numpy(), "uniform").pvalue > 1e-3
    cells = torch.histogramdd(torch.stack((angle, radius), 1), bins=[64, 64]).hist
    assert stats.chisquare(cells.flatten().numpy()).pvalue > 1e-3


@pytest.mark.parametrize("signed", [False, True])
def test_neighbouring_keys_do_not_know_each_other(signed):
    """Keys in a row, and keys that differ in one bit: all products of two of 97 streams."""
    keys = [KEY, *range(32), *(KEY ^ 1 << bit for bit in range(64))]
    count = 1 << 16
    scores = gram(keys, count, device=CPU, signs=signed) / math.sqrt(count)
    pairs = scores[torch.tril_indices(97, 97, -1).unbind()]
    assert float(pairs.abs().max()) < 5.2  # of 4,656: chance exceeds it once in a thousand
    assert stats.kstest(pairs.numpy(), "norm").pvalue > 1e-3


def test_far_counters_do_not_know_each_other():
    near = normals(torch.empty(N), KEY)
    for offset in (1 << 38, 1 << 40, 1 << 61):  # in the second word of the counter, too
        far = normals(torch.empty(N), KEY, offset)
        assert abs(float((near * far).double().sum())) < 4.5 * math.sqrt(N)
        assert abs(float((far.square() - 1).double().sum())) < 4.5 * math.sqrt(2 * N)


def test_tails_to_five_and_a_half_sigma():
    bounds = torch.tensor([3.0, 3.5, 4.0, 4.5, 5.0, 5.5])
    beyond, total = torch.zeros(2, len(bounds), dtype=torch.int64), 0
    part = torch.empty(N)
    for index in range(40):
        normals(part, KEY + 1, index * N)
        for side, sign in enumerate((1, -1)):
            tail = part[part * sign > 3.0] * sign
            beyond[side] += (tail.unsqueeze(1) > bounds).sum(0)
        total += N
    for side in range(2):
        for bound, count in zip(bounds.tolist(), beyond[side].tolist(), strict=True):
            share = stats.norm.sf(bound)
            assert stats.binomtest(count, total, share).pvalue > 1e-3, (bound, count)
    assert int(beyond[:, -1].sum()) > 0


def test_signs():
    drawn = signs(torch.empty(N), KEY).double()
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(drawn.sum())) < 4 * math.sqrt(N)
    by_field = drawn.view(-1, 32, 64).sum((0, 2)) / math.sqrt(N / 32)
    by_word = drawn.view(-1, 32, 64).sum((0, 1)) / math.sqrt(N / 64)
    assert float(torch.cat((by_field, by_word)).abs().max()) < 4
    for lag in (1, 2, 16, 32, 64, 128, 2048):
        assert abs(float((drawn[:-lag] * drawn[lag:]).sum())) < 4 * math.sqrt(N)


def test_uniform_integers():
    words = bits32(torch.empty(N, dtype=torch.int32), KEY)
    uniform = (words.double() + 2.0**31 + 0.5) / 2.0**32
    assert stats.kstest(uniform[: 1 << 20].numpy(), "uniform").pvalue > 1e-3
    halves = bits16(torch.empty(N, dtype=torch.int16), KEY)
    counts = torch.bincount(halves.int() + 2**15, minlength=2**16)
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_what_one_key_serves_is_independent():
    drawn = {
        "normal": normals(torch.empty(N), KEY).double(),
        "sign": signs(torch.empty(N), KEY).double(),
        "bits16": bits16(torch.empty(N, dtype=torch.int16), KEY).double() / 2**15 * 3**0.5,
        "bits32": bits32(torch.empty(N, dtype=torch.int32), KEY).double() / 2**31 * 3**0.5,
    }
    for one in drawn:
        for other in drawn:
            if one < other:
                assert abs(float(drawn[one] @ drawn[other])) < 4.5 * math.sqrt(N), (one, other)
