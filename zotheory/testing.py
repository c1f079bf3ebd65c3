"""The checks in one's own tests.

This is a whole file of them::

    from zotheory.testing import parametrize_with_checks

    @parametrize_with_checks([MyOptimizer])
    def test_it_does_what_its_formula_says(check):
        check()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from zotheory.checking import Report
from zotheory.checking import check as report_of
from zotheory.checking.lineup import subject_of
from zotheory.checking.run import made
from zotheory.checking.suite import checks

__all__ = ["check", "of_trainer", "parametrize_with_checks"]


def check(factory: Any, **options: Any) -> Report:
    """Check an implementation; raise AssertionError with what failed, else return the report.

    options: those of `zotheory.check`.
    """
    report = report_of(factory, **options)
    if report.failed:
        told = "\n".join(f"  {r.check}: {r.told}" for r in report.failed)
        raise AssertionError(f"{report.subject} fails {len(report.failed)} checks:\n{told}")
    return report


def parametrize_with_checks(
    factories: Sequence[Any], *, only: Sequence[str] = (), **options: Any
) -> Callable[[Callable[..., Any]], Any]:
    """Make a test function one test for each factory and check, given as its argument `check`.

    `check()` raises AssertionError if it fails and skips the test if it does not apply.
    options: card, lr, seed, as of `zotheory.check`.
    """
    import pytest

    cases = []
    for factory in factories:
        subject = subject_of(factory, **options)
        for one in checks(tuple(only)):

            def run(subject: Any = subject, one: Any = one) -> None:
                result = made(one, subject)
                if result.status == "not applicable":
                    pytest.skip(result.told)
                assert result.status == "passed", f"{result.told}\n{result.why}"

            cases.append(pytest.param(run, id=f"{subject.name}-{one.name}"))
    return pytest.mark.parametrize("check", cases)


class _Output(dict):
    """What a model returns: `.loss`, ["loss"] and [0] are the loss."""

    def __init__(self, loss: Any) -> None:
        super().__init__(loss=loss)
        self.loss = loss

    def __getitem__(self, key: Any) -> Any:
        return self.loss if key == 0 else super().__getitem__(key)


def of_trainer(make: Callable[..., Any]) -> Callable[..., Any]:
    """A factory from a trainer whose step takes a model and inputs.

    make(model, lr, seed): returns `step(model, inputs)`, which calls `model(**inputs)` for an
    output with `.loss` and writes the weights. Its model is the checked one, whose forward gives
    the loss of the checks, a tensor or a number as a `compute_loss` may return; inputs are empty.
    """

    def factory(model: nn.Module, lr: float, seed: int) -> Any:
        return _Trained(model, make(model, lr, seed))

    factory.__name__ = getattr(make, "__name__", "trainer")
    return factory


class _Trained:
    """A trainer's step as `step(closure)`."""

    def __init__(self, model: nn.Module, trained: Callable[..., Any]) -> None:
        self.model, self.trained = model, trained

    def step(self, closure: Callable[[], Any]) -> Any:
        forward = self.model.forward
        calls: list[int] = []

        def loss(*_: Any, **__: Any) -> Any:
            if calls:  # the closure itself calls the model, to see its weights
                return forward()
            calls.append(1)
            try:
                return _Output(closure())
            finally:
                calls.clear()

        self.model.forward = loss
        try:
            return self.trained(self.model, {})
        finally:
            del self.model.forward
