import numpy as np
import pytest

from zotheory.papers.tezo.rank_bound import PRIME, LinearNetworkRanks, _product, rank


@pytest.mark.parametrize(("rows", "columns", "r"), [(4, 5, 2), (6, 6, 6), (3, 7, 3), (5, 2, 1)])
def test_rank_of_a_product(rows, columns, r):
    rng = np.random.default_rng(rows)
    a, b = rng.integers(-9, 10, (rows, r)), rng.integers(-9, 10, (r, columns))
    assert rank(a @ b) == np.linalg.matrix_rank(a @ b) == r


def test_ranks_modulo_the_prime():
    assert rank(np.zeros((3, 4), dtype=int)) == 0
    assert rank(np.array([[PRIME]])) == 0
    assert rank(np.array([[0, 1], [0, 2]])) == 1
    assert rank(np.array([[0, 3], [5, 0]])) == 2


def test_the_matrix_is_left_alone():
    matrix = np.array([[2, 4], [1, 3]])
    rank(matrix)
    assert (matrix == [[2, 4], [1, 3]]).all()


def test_products_do_not_overflow():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, PRIME, (4, 9)), rng.integers(0, PRIME, (9, 3))
    expected = [
        [sum(int(x) * int(y) for x, y in zip(row, column, strict=True)) % PRIME for column in b.T]
        for row in a
    ]
    assert _product(a, b).tolist() == expected


def test_the_bound_holds_and_a_sharper_one_does_not():
    assert LinearNetworkRanks()(np.random.default_rng(0), 200).tolist() == [0.0] * 200
    assert LinearNetworkRanks(slack=-1)(np.random.default_rng(0), 200).mean() > 0.5
    assert LinearNetworkRanks(slack=1)(np.random.default_rng(0), 200).mean() > 0.2
