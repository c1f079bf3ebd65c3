import pytest

from zotheory.papers.svd0.algorithm3 import Evaluate, Perturb, Schedule, Update, run


def square(weights: float) -> float:
    return weights**2


def test_lines_are_executed_in_their_order():
    lines = (Perturb(1), Evaluate("a"), Perturb(-2), Evaluate("b"), Perturb(1), Update("a", "b"))
    done = run(lines, 3.0, square, noise=2.0, eps=0.5, eta=0.1)
    assert done.before == 3.0
    slope = (4.0**2 - 2.0**2) / (2 * 0.5)
    assert done.after == 3.0 - 0.1 * slope * 2.0


def test_nothing_is_added_to_what_is_printed():
    lines = (Evaluate("a"), Perturb(), Evaluate("b"), Perturb(), Update("a", "b"))
    done = run(lines, 3.0, square, noise=2.0, eps=0.5, eta=0.1)
    assert done.before == 5.0
    assert done.after == 5.0 - 0.1 * ((9.0 - 16.0) / 1.0) * 2.0


@pytest.mark.parametrize(
    "lines", [(), (Evaluate("a"),), (Update("a", "a"), Perturb()), (Update("a", "b"),) * 2]
)
def test_a_step_ends_with_its_update(lines):
    with pytest.raises(ValueError, match="update"):
        run(lines, 0.0, square, 1.0, 1.0, 1.0)


def test_a_loss_that_was_not_evaluated_is_missed():
    with pytest.raises(KeyError):
        run((Evaluate("a"), Update("a", "b")), 0.0, square, 1.0, 1.0, 1.0)


def test_schedules():
    assert list(Schedule(1, 0).drawn_at(3, 5)) == [(1, None), (2, None), (3, 3), (4, 3), (5, 3)]
    assert list(Schedule(1, -1).drawn_at(3, 5)) == [(1, 1), (2, 1), (3, 1), (4, 4), (5, 4)]
    assert list(Schedule(1, 0).drawn_at(1, 2)) == [(1, 1), (2, 2)]
