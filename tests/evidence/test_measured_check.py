"""The measured check: verdicts of several measurements, shared error, fingerprints."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import sympy as sp

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import measured as module
from zotheory.evidence.measured import Measurement, measured
from zotheory.montecarlo import MonteCarlo
from zotheory.statistics import Catoni, decide_at_most, decide_equal, decide_less
from zotheory.vocabulary import Kind, Statement, Verdict

MEAN = sp.Symbol("E x^2")


@dataclass(frozen=True)
class Square:
    factor: float = 1.0

    def __call__(self, rng, size):
        return self.factor * rng.standard_normal(size) ** 2


def equal(target, tolerance=0.1):
    return partial(decide_equal, method=Catoni(2.0), target=target, tolerance=tolerance)


def judge(*measurements, tmp_path=None, alpha=1e-4, budget="quick", store=None):
    engine = MonteCarlo(3, store=store)
    context = Context("p.a", 3, BUDGETS[budget], engine, None, tmp_path, alpha=alpha)
    check = measured(lambda statement, context: measurements)
    assert check.kind is Kind.MEASURED
    return check.judge(Statement("so", sp.Eq(MEAN, 1)), context)


def at(place, target, tolerance=0.1, sampler=None, **options):
    options = {"shard_size": 1000, "max_shards": 64} | options
    return Measurement(place, sampler or Square(), equal(target, tolerance), **options)


def test_the_truth_is_confirmed_with_what_convinces():
    found = judge(at("here", 1.0), at("there", 1.0))
    assert found.verdict is Verdict.CONFIRMED
    assert found.summary.endswith("and at 1 more")
    numbers = found.numbers["here"]
    low, high = numbers["interval"]
    assert low < numbers["estimate"] < high
    assert (numbers["claimed"], numbers["tolerance"], numbers["samples"]) == (1.0, 0.1, 32_000)
    assert found.certificate["seed"] == 3
    assert found.certificate["error probability"] == 1e-4
    assert len(found.certificate["measurements"]) == 2


@pytest.mark.parametrize(
    ("targets", "verdict"),
    [
        ((1.0, 2.0), Verdict.REFUTED),
        ((2.0, 1.0), Verdict.REFUTED),
        ((2.0, 2.0), Verdict.REFUTED),
    ],
)
def test_one_refuted_measurement_refutes(targets, verdict):
    found = judge(*(at(f"place {k}", target) for k, target in enumerate(targets)))
    assert found.verdict is verdict
    assert found.summary.startswith(f"place {targets.index(2.0)}: ")


def test_one_inconclusive_measurement_leaves_it_open():
    found = judge(at("here", 1.0), at("there", 1.0, tolerance=1e-4))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.summary.startswith("there: ")
    assert judge(at("a", 2.0), at("b", 1.0, tolerance=1e-4)).verdict is Verdict.REFUTED


def test_the_error_is_shared():
    found = judge(at("here", 1.0), at("there", 1.0), alpha=0.01)
    assert [found.numbers[place]["alpha"] for place in ("here", "there")] == [0.005, 0.005]


def test_the_budget_buys_samples_but_never_fewer_than_the_first_look():
    hard = at("here", 1.0, tolerance=1e-6, max_shards=40)
    assert judge(hard).numbers["here"]["samples"] == 40_000
    assert judge(hard, budget="standard").numbers["here"]["samples"] == 160_000
    assert judge(at("here", 1.0, 1e-6, max_shards=1)).numbers["here"]["samples"] == 32_000


def test_a_measurement_depends_on_its_place_and_seed_only():
    alone, together = judge(at("here", 1.0)), judge(at("there", 1.0), at("here", 1.0))
    assert alone.numbers["here"]["estimate"] != together.numbers["there"]["estimate"]
    first, second = (x.numbers["here"]["estimate"] for x in (alone, together))
    assert first == pytest.approx(second, rel=1e-3)  # same samples, the interval at half the error


@pytest.mark.parametrize("plan", [(), (at("here", 1.0), at("here", 2.0))])
def test_a_plan_without_or_with_doubled_places_is_refused(plan):
    with pytest.raises(ValueError, match="at least one measurement"):
        judge(*plan)


def columns(rng, size):
    return rng.standard_normal((size, 3)) ** 2 * np.array([1.0, 2.0, 3.0])


def pair(rng, size):
    return rng.standard_normal((size, 2)) ** 2 * np.array([1.0, 2.0])


def test_the_line_shows_the_coordinate_that_refutes():
    decide = partial(
        decide_at_most, method=Catoni(np.array([2.0, 8.0, 18.0])), bound=np.array([9.0, 1.0, 9.0])
    )
    found = judge(Measurement("here", columns, decide, 1000, 64))
    assert found.verdict is Verdict.REFUTED
    assert "claimed 1 (" in found.summary
    assert found.summary.startswith("here: 2.0") or found.summary.startswith("here: 1.9")


def test_the_line_of_a_comparison_shows_the_first_column_and_what_it_stays_below():
    decide = partial(decide_less, method=Catoni(np.array([2.0, 8.0])), margin=0.9)
    found = judge(Measurement("here", pair, decide, 1000, 64))
    assert found.verdict is Verdict.CONFIRMED
    estimate, claimed = found.summary.split(" in ")[0], found.summary.split("claimed ")[1]
    assert float(estimate.removeprefix("here: ")) == pytest.approx(1, rel=0.1)
    assert float(claimed.split()[0]) == pytest.approx(1.8, rel=0.1)


# --- fingerprints: what tells stored shards of different samplers apart --------------------------


def scaled(factor, rng, size):
    return factor * rng.standard_normal(size) ** 2


class Opaque:
    """A sampler whose repr says nothing about its state."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, rng, size):
        return self.factor * rng.standard_normal(size) ** 2


def closure(factor):
    return lambda rng, size: factor * rng.standard_normal(size) ** 2


@pytest.mark.parametrize(
    "make",
    [
        Square,
        Opaque,
        closure,
        lambda factor: partial(scaled, factor),
        lambda factor: partial(scaled, np.full(5000, factor)[4321]),
        lambda factor: partial(scaled, np.r_[np.ones(3000), factor, np.ones(3000)].max()),
    ],
)
def test_a_mutant_never_sees_the_stored_shards_of_another_sampler(make, tmp_path):
    """The statement's shards are kept; a sampler with three times the values draws its own."""
    first = judge(at("here", 1.0, sampler=make(1.0)), store=tmp_path)
    second = judge(at("here", 1.0, sampler=make(3.0)), store=tmp_path)
    assert first.verdict is Verdict.CONFIRMED
    assert second.verdict is Verdict.REFUTED
    assert module._fingerprint(make(1.0)) == module._fingerprint(make(1.0))


def test_the_same_sampler_reuses_its_shards(tmp_path):
    judge(at("here", 1.0), store=tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.shard")}
    judge(at("here", 2.0), store=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.shard")} == files
    assert len(files) == 32


def test_one_measurement_will_do_and_what_is_none_is_told(tmp_path):
    context = Context("p.a", 3, BUDGETS["quick"], MonteCarlo(3), None, tmp_path)
    stated = Statement("so", sp.Eq(MEAN, 1))
    one = at("here", 1.0)
    alone = measured(lambda statement, context: one).judge(stated, context)
    assert alone == measured(lambda statement, context: [one]).judge(stated, context)
    with pytest.raises(ValueError, match=r"a plan lists zotheory\.Measurement objects, got 'here'"):
        measured(lambda statement, context: ["here"]).judge(stated, context)


# The claimed number can be the formula's own, at the measurement's point.


FACTOR, SCALE = sp.symbols("c s")


def claimed(times, point, place="c = 2"):
    decide = partial(decide_equal, method=Catoni(8.0), tolerance=0.1)
    measurement = Measurement(place, Square(2.0), decide, 1000, 64, point=point)
    context = Context("p.a", 3, BUDGETS["quick"], MonteCarlo(3), None, None)
    statement = Statement("so", sp.Eq(MEAN, times * FACTOR * SCALE))
    return measured(lambda *_: [measurement]).judge(statement, context)


@pytest.mark.parametrize(("times", "verdict"), [(1, Verdict.CONFIRMED), (3, Verdict.REFUTED)])
def test_what_is_claimed_is_read_from_the_formula(times, verdict):
    found = claimed(times, {FACTOR: 2, SCALE: 1})
    assert found.verdict is verdict
    assert found.numbers["c = 2"]["claimed"] == 2.0 * times


def test_a_place_can_be_values_of_symbols():
    found = claimed(1, None, place={FACTOR: 2, SCALE: 1})
    assert found.verdict is Verdict.CONFIRMED
    assert set(found.numbers) == {"c=2 s=1"}


def test_a_point_has_to_give_every_symbol():
    with pytest.raises(ValueError, match=r"not known at c = 2: 2\*s"):
        claimed(1, {FACTOR: 2})


def test_a_bound_is_read_from_the_formula_too():
    decide = partial(decide_at_most, method=Catoni(2.0))
    for times, verdict in ((2, Verdict.CONFIRMED), (sp.Rational(1, 2), Verdict.REFUTED)):
        measurement = Measurement({FACTOR: 1}, Square(), decide, 1000, 64)
        context = Context("p.a", 3, BUDGETS["quick"], MonteCarlo(3), None, None)
        statement = Statement("so", sp.Le(MEAN, times * FACTOR))
        assert measured(lambda *_, m=measurement: [m]).judge(statement, context).verdict is verdict
