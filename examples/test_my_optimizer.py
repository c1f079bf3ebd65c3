"""One's own optimiser, checked in one's own tests: `pytest examples/test_my_optimizer.py`."""

from estimators import mezo  # in place of it, your own class or factory(params, lr=...)
from zotheory.testing import parametrize_with_checks


@parametrize_with_checks([mezo])
def test_it_does_what_its_formula_says(check):
    check()
