"""The step size that is measured: exact on quadratics, and a run with it."""

import json
import math
from itertools import pairwise
from statistics import NormalDist, median

import pytest
import torch
from torch import nn

import estimators
from estimators import StepSize, ZerothOrder
from estimators.looks import Along
from estimators.readings import expected_share, ratio
from estimators.updates.base import Elementwise
from tests.estimators.language import llama_problem
from tests.estimators.problems import LOW_RANK, RECIPES, Recorder, Table, build, same, weights

NONLINEAR = ["mezo_adam", "zo_sgd_sign", "zo_adamu", "tezo_adam", "svd0_adam"]


class Quadratic:
    """<g + n_B, w> + w^T H w / 2 in 64 bits, H diagonal, n_B the noise of a batch."""

    def __init__(self, curvature, noise=0.0, seed=0):
        self.generator = torch.Generator().manual_seed(seed)
        size = len(curvature)
        self.h = torch.tensor(curvature, dtype=torch.float64)
        self.g = torch.randn(size, dtype=torch.float64, generator=self.generator)
        self.w = nn.Parameter(torch.zeros(size, dtype=torch.float64))
        self.noise = noise
        self.batch = torch.zeros_like(self.g)

    def next(self):
        drawn = torch.randn(len(self.g), dtype=torch.float64, generator=self.generator)
        self.batch = self.noise * drawn
        return self

    def loss(self):
        w = self.w.detach()
        return float((self.g + self.batch) @ w + (self.h * w * w).sum() / 2)

    def optimizer(self, recipe=estimators.mezo, lr="auto", seed=3, **options):
        return recipe([("w", self.w)], lr, seed=seed, **options)


def spread(size=40):
    return [0.1 + 3.0 * k / size for k in range(size)]


def test_with_signs_every_reading_is_exact():
    """H diagonal and z of signs: z^T H z = Tr H, so that the best step is 1 / Tr H."""
    problem = Quadratic(spread())
    optimizer = problem.optimizer(estimators.rademacher)
    for _ in range(16):
        optimizer.step(problem.loss)
    rule, trace = optimizer.step_size, float(problem.h.sum())
    assert rule.choice.best == pytest.approx(1 / trace, rel=1e-6)
    assert rule.choice.error < 1e-6
    assert rule.choice.share == pytest.approx(1.0, abs=1e-6)
    assert rule.rate == pytest.approx(0.15 / trace, rel=0.01)  # 0.3, and half of it at rest
    assert problem.w.abs().max() < 1e-9  # the rate was zero until now
    assert rule.passes == 8 * (2 + 3) + 5 == sum(map(len, optimizer.log.losses))


def test_mezo_s_best_step_is_one_over_the_trace_and_twice_the_rayleigh_quotient():
    problem = Quadratic(spread())
    optimizer = problem.optimizer(lr=StepSize(first=400, window=400))
    for _ in range(800):
        optimizer.step(problem.loss)
    rayleigh = float(problem.g @ (problem.h * problem.g) / (problem.g @ problem.g))
    exact = 1 / (float(problem.h.sum()) + 2 * rayleigh)
    choice = optimizer.step_size.choice
    assert abs(choice.best / exact - 1) < 4 * choice.error < 0.1


def test_an_average_of_draws_is_measured_along_the_average():
    """Of q draws: a = ||g||^2, b = ||g||^2 (Tr H + (q + 1) rho) / q; the slope is not free."""
    problem = Quadratic(spread())
    optimizer = problem.optimizer(estimators.q_spsa, StepSize(first=300, window=300), queries=3)
    for _ in range(600):
        optimizer.step(problem.loss)
    rayleigh = float(problem.g @ (problem.h * problem.g) / (problem.g @ problem.g))
    exact = 3 / (float(problem.h.sum()) + 4 * rayleigh)
    choice = optimizer.step_size.choice
    assert abs(choice.best / exact - 1) < 4 * choice.error < 0.15


def test_of_minibatches_the_share_is_that_of_the_signal():
    """E <g_B', D> / E <g_B, D> = ||g||^2 / (||g||^2 + Tr Sigma), and so much shorter the step."""
    problem = Quadratic(spread(), noise=1.5)
    optimizer = problem.optimizer(lr=StepSize(first=400, window=400))
    for _ in range(800):
        optimizer.step(problem.next().loss)
    signal = float(problem.g @ problem.g)
    exact = signal / (signal + 40 * 1.5**2)
    choice = optimizer.step_size.choice
    assert choice.share_error < 0.1
    assert abs(choice.share - exact) < 4 * choice.share_error
    assert abs(choice.signal - exact) < 4 * choice.share_error
    assert choice.rate == pytest.approx(
        0.15 * choice.best * choice.signal / (1 + choice.error**2), rel=1e-9
    )


@pytest.mark.parametrize("factor", [0.0, 0.01, 0.1, 1.0])
def test_the_expected_share_lies_between_the_measured_one_and_none(factor):
    assert expected_share(factor, 1e9) == pytest.approx(0.215, abs=0.002)
    assert expected_share(factor, 1e-9) == pytest.approx(max(factor, 0.01), abs=0.006)


def test_the_error_of_a_ratio_is_the_spread_of_ratios():
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(400):
        below = torch.rand(30, generator=generator) + 0.5
        above = 2 * below + torch.randn(30, generator=generator)
        found.append(ratio(above.tolist(), below.tolist()))
    values, errors = map(torch.tensor, zip(*found, strict=True))
    assert float(values.mean()) == pytest.approx(2, abs=0.05)
    assert float(errors.mean()) == pytest.approx(float(values.std()), rel=0.1)


def test_rounding_is_measured_and_the_radius_stretched_for_it():
    """With losses rounded to 1e-5 and eps of 1e-3 the curvature would be lost."""
    problem = Quadratic([0.25] * 40)

    def rounded():
        return round(problem.loss(), 5)

    optimizer = problem.optimizer(estimators.rademacher)
    for _ in range(16):
        optimizer.step(rounded)
    rule = optimizer.step_size
    assert rule.rounding == pytest.approx(1e-5 / math.sqrt(12), rel=0.6)
    assert rule.readings[-1].radius > 4 * rule.readings[0].radius > 0
    assert rule.choice.best == pytest.approx(0.1, rel=0.2)


# What readings along the run say.


def test_the_first_readings_count_until_as_many_are_made_along_the_run():
    """Signs: every reading is exact, and from the first step on curvature is four times as high."""
    problem = Quadratic(spread())
    trace = float(problem.h.sum())
    optimizer = problem.optimizer(estimators.rademacher, StepSize(first=4, every=20, window=6))
    rule = optimizer.step_size
    seen = []
    for step in range(200):
        if step == 8:
            problem.h = 4.0 * problem.h
        optimizer.step(problem.loss)
        if not seen or seen[-1] != rule.readings:
            seen.append(rule.readings)
    counted = [len(readings) for readings in seen[1:]]
    assert counted == [1, 2, 3, 4, 5, 6, 7, *[6] * (len(counted) - 7)]
    steps = [readings[-1].step for readings in seen[1:]]
    pauses = [after - before for before, after in pairwise(steps)]
    assert pauses == [2, 2, 2, 5, 5, 5, 5, *[20] * (len(pauses) - 7)]
    rates = dict(rule.history)
    assert next(iter(rates.items())) == (8, pytest.approx(0.15 / trace, rel=0.01))
    assert rule.choice.best == pytest.approx(0.25 / trace, rel=1e-4)
    assert rule.rate == pytest.approx(0.3 * 0.25 / trace, rel=0.01)
    assert all(reading.step >= 8 for reading in rule.readings)


@pytest.mark.parametrize(
    ("queries", "early", "late"), [(1, 5, 20), (2, 2, 10), (3, 2, 7), (10, 2, 5)]
)
def test_readings_are_as_far_apart_in_passes_whatever_a_step_takes(queries, early, late):
    problem = Quadratic(spread())
    optimizer = problem.optimizer(estimators.q_spsa, StepSize(first=4), queries=queries)
    steps, since = [], 0
    for _ in range(240):
        before = optimizer.step_size.readings
        optimizer.step(problem.loss)
        if optimizer.step_size.readings != before:
            steps.append(optimizer.step_size.readings[-1].step)
            since = since or (len(steps) if optimizer.step_size.rate else 0)
    pauses = [after - before for before, after in pairwise(steps)]
    soon = pauses[since - 1 :].index(late) + since - 1
    assert pauses == [
        *[2] * (since - 1),
        *[early] * (soon - since + 1),
        *[late] * (len(pauses) - soon),
    ]
    assert soon - since + 1 >= 4
    assert len(pauses) - soon >= 4


def test_the_first_readings_count_on_while_those_of_the_run_cannot_tell():
    """One weight, which hardly moves: then the loss bends in one reading of eight, else nowhere."""
    problem = Quadratic([1.0])
    rule = StepSize(1e-4, first=2, every=8, window=4)
    optimizer = problem.optimizer(estimators.rademacher, rule)
    for step in range(4 + 2 * 8):
        problem.h[:] = 1.0 if step in range(6) else 1e-6
        optimizer.step(problem.loss)
        along = max(0, (step + 1) // 2 - 2)
        if along:
            # as many as there may be: from then on the last four count, which are straight
            counted, bent = (1, 1e-6) if along == 8 else (2 + along, 3)
            assert rule.choice.best == pytest.approx(counted / bent, rel=1e-2)
    assert along == 8
    for _ in range(3 * 8):  # and rare they stay
        problem.h[:] = 10.0 if optimizer.steps % 16 < 8 else 0.1
        optimizer.step(problem.loss)
    steps = [reading.step for reading in rule.readings]
    assert [after - before for before, after in pairwise(steps)] == [8, 8, 8]
    assert rule.choice.rate <= 1e-4 * rule.choice.best


def test_one_reading_counts_as_no_more_than_three_times_the_mean_of_all():
    """One weight that rests, and bends in one reading of ten."""
    problem = Quadratic([1.0])
    optimizer = problem.optimizer(estimators.rademacher, StepSize(first=20, window=20))
    for step in range(20):
        problem.h[:] = 1.0 if step < 2 else 1e-6
        optimizer.step(problem.loss)
    assert optimizer.step_size.choice.best == pytest.approx(10 / 0.3, rel=1e-3)
    assert optimizer.step_size.rate == 0.0  # one of ten tells too little


@pytest.mark.parametrize(("up", "refused"), [(10, True), (11, False)])
def test_curvature_may_be_below_zero_as_often_as_chance_has_it(up, refused):
    """Of 32 readings two standard errors below one half are 10.3."""
    problem = Quadratic([1.0])
    optimizer = problem.optimizer(estimators.rademacher, StepSize(1e-6, first=32, window=32))
    for step in range(64):
        problem.h[:] = 1.0 if step < 2 * up else -1.0
        optimizer.step(problem.loss)
    assert (optimizer.step_size.choice is None) is refused


def test_a_curvature_below_zero_counts_by_its_size():
    """One weight that rests, curvatures of 3 and -1 in turn: their mean is 1, of their sizes 2."""
    problem = Quadratic([1.0])
    optimizer = problem.optimizer(estimators.rademacher, StepSize(first=40, window=40))
    for step in range(80):
        problem.h[:] = 1.0 + 2.0 * (-1) ** (step // 2)
        optimizer.step(problem.loss)
    choice = optimizer.step_size.choice
    assert choice.best == pytest.approx(1 / 2, rel=1e-4)
    left = 20 * (1 - 3 / 2) ** 2 + 20 * (1 - 1 / 2) ** 2
    assert choice.error == pytest.approx(math.sqrt(left * 40 / 39) / 40, rel=1e-3)


@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_along_the_run_the_loss_is_looked_at_as_far_as_the_step_goes(factor):
    problem = Quadratic(spread())
    optimizer = problem.optimizer(estimators.rademacher, eps=1e-5)
    optimizer.param_groups[0]["lr"] = factor
    rule = optimizer.step_size
    for _ in range(400):
        rate = rule.rate
        optimizer.step(problem.loss)
    first, *_, last = rule.readings
    assert last.radius == pytest.approx(factor * rate, rel=1e-6)
    assert last.radius > 10 * optimizer.eps / math.sqrt(last.own)  # that of the noise
    assert first.step >= rule.history[0][0]


# Estimates that are much longer than others.


def slopes(optimizer):
    """|kappa| of the steps that found an estimate."""
    waited = set(optimizer.log.waiting)
    found = [x[:2] for step, x in enumerate(optimizer.log.losses) if step - 1 not in waited]
    return [abs(plus - minus) / (2 * optimizer.eps) for plus, minus in found]


def test_an_outlying_estimate_is_shortened_to_four_times_the_median():
    """One batch has a slope a hundred times as steep."""
    problem = Quadratic([1e-3] * 40)
    optimizer = problem.optimizer(estimators.rademacher, StepSize(every=10**4))
    rule = optimizer.step_size
    for _ in range(80):
        optimizer.step(problem.loss)
    count, before = rule.shortened, problem.w.detach().clone()
    limit = 4.0 * median(slopes(optimizer)[-40:])
    problem.batch = 99.0 * problem.g
    optimizer.step(problem.loss)
    moved = float((problem.w.detach() - before).abs().mean())  # signs: |z| = 1
    assert rule.shortened == count + 1
    assert moved == pytest.approx(rule.rate * limit, rel=1e-6)
    assert slopes(optimizer)[-1] > 2 * limit


def test_slopes_of_one_law_are_shortened_as_seldom_as_gaussian_ones():
    problem = Quadratic([1e-3] * 40)
    optimizer = problem.optimizer(lr=StepSize(1e-6, every=10**6))  # the weights hardly move
    steps = 3000
    for _ in range(steps):
        optimizer.step(problem.loss)
    chance = 2 * (1 - NormalDist().cdf(4.0 * NormalDist().inv_cdf(0.75)))
    assert 0.25 * chance < optimizer.step_size.shortened / steps < 3.0 * chance


def test_a_rate_that_is_set_shortens_nothing():
    problem = Quadratic([1e-3] * 40)
    optimizer = problem.optimizer(estimators.rademacher)
    for _ in range(40):
        optimizer.step(problem.loss)
    optimizer.step_size.rate = 1e-3
    count, before = optimizer.step_size.shortened, problem.w.detach().clone()
    problem.batch = 99.0 * problem.g
    optimizer.step(problem.loss)
    moved = float((problem.w.detach() - before).abs().mean())
    assert moved == pytest.approx(1e-3 * slopes(optimizer)[-1], rel=1e-6)
    assert optimizer.step_size.shortened == count


# What readings do not see in time.


def test_a_loss_that_climbs_halves_the_rate_for_good(tmp_path):
    """Curvature grows fortyfold between two readings: past the edge of stability."""

    def run(steps, sharper):
        problem = Quadratic(spread())
        optimizer = problem.optimizer(lr=StepSize(every=10**4))
        losses = []
        for step in range(steps):
            if step == sharper:
                problem.h = 40.0 * problem.h
            losses.append(optimizer.step(problem.loss))
        return optimizer, losses

    with pytest.warns(UserWarning, match=r"the loss climbed from .* the rate is halved") as warned:
        optimizer, losses = run(800, 60)
    rule = optimizer.step_size
    (first, rate), *halved = rule.history
    assert first <= 60
    assert [lr for _, lr in halved] == [rate / 2**k for k in range(1, rule.climbs + 1)]
    climbs = [w for w in warned if "the loss climbed" in str(w.message)]
    assert len(climbs) == rule.climbs >= 2
    assert rule.choice.rate == pytest.approx(rule.rate)
    assert max(losses[-10:]) < losses[60]  # it has come back
    calm, _ = run(400, 1000)
    assert calm.step_size.climbs == 0

    again = Quadratic(spread()).optimizer(lr=StepSize(every=10**4))
    again.load_state_dict(optimizer.state_dict())
    assert again.step_size.climbs == rule.climbs
    assert again.step_size.state_dict() == rule.state_dict()
    replayed = Quadratic(spread()).optimizer(lr=StepSize(every=10**4))
    with pytest.warns(UserWarning, match="the loss climbed"):
        estimators.replay(replayed, optimizer.log)
    assert replayed.step_size.history == rule.history


@pytest.mark.filterwarnings("error:the loss climbed")
def test_a_climb_that_is_made_an_error_is_told_when_its_step_is_whole():
    problem = Quadratic(spread())
    optimizer = problem.optimizer(lr=StepSize(every=10**4))
    for _ in range(60):
        optimizer.step(problem.loss)
    problem.h = 40.0 * problem.h

    def train():
        for _ in range(200):
            optimizer.step(problem.loss)

    with pytest.raises(UserWarning, match="the loss climbed"):
        train()
    assert optimizer.steps == len(optimizer.log)
    assert optimizer.step_size.climbs == 1


def test_losses_round_a_constant_do_not_climb():
    problem = Quadratic(spread())
    optimizer = problem.optimizer(lr=StepSize(every=10**6))
    generator = torch.Generator().manual_seed(2)

    def noise():
        return float(torch.randn((), generator=generator, dtype=torch.float64)) - 100.0

    for step in range(3000):
        optimizer.step(problem.loss if step < 60 else noise)
    assert optimizer.step_size.climbs == 0


# What cannot be measured.


def test_a_loss_that_is_concave_is_refused_and_nothing_is_moved():
    problem = Quadratic([-1.0] * 10)
    optimizer = problem.optimizer(lr=StepSize(first=3))
    for _ in range(23):
        optimizer.step(problem.loss)
    with pytest.raises(RuntimeError, match=r"12 readings.*positive, and.* so in 0 of them"):
        optimizer.step(problem.loss)
    assert optimizer.steps == 23
    assert problem.w.abs().max() < 1e-9


def test_a_curvature_that_scatters_too_much_is_refused():
    """All of it is in one reading, whose slope is small."""
    problem = Quadratic([0.0])
    optimizer = problem.optimizer(estimators.rademacher, lr=StepSize(first=5))
    for step in range(39):
        problem.h[:] = 1e3 if step < 2 else 1e-6
        optimizer.step(problem.loss)
    with pytest.raises(RuntimeError, match=r"from 20 readings: .* error of 1"):
        optimizer.step(problem.loss)


def test_curvature_that_is_rounding_is_refused():
    """Of losses near 1, whose second differences are some 1e-19."""
    problem = Quadratic(spread())
    optimizer = problem.optimizer(lr=StepSize(first=3), eps=1e-10)
    for _ in range(23):
        optimizer.step(lambda: 1.0 + problem.loss())
    with pytest.raises(RuntimeError, match=r"12 readings: second differences.* rounding alone"):
        optimizer.step(lambda: 1.0 + problem.loss())


def test_curvature_that_16_bits_round_away_is_refused():
    problem = Quadratic(spread())
    problem.g = 10.0 * problem.g
    optimizer = problem.optimizer(lr=StepSize(first=3))

    def loss():
        return float(torch.tensor(8.0 + problem.loss(), dtype=torch.bfloat16))

    for _ in range(23):
        optimizer.step(loss)
    with pytest.raises(RuntimeError, match=r"12 readings: second differences.* rounding alone"):
        optimizer.step(loss)


class Plain(Elementwise):
    def direction(self, state, gradient, job):
        return gradient


def test_an_update_that_does_not_say_what_it_adds_is_refused():
    parts = {"perturbation": estimators.Gaussian(), "direction": estimators.TwoPoint()}
    with pytest.raises(ValueError, match="Plain does not say what its steps add"):
        ZerothOrder(Table(), **parts, update=Plain(), lr="auto")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"safety": 0.0}, "safety must lie between 0 and 2"),
        ({"first": 1}, "first must be at least 2"),
        ({"every": 1}, "every must be at least 2"),
        ({"first": 9, "window": 8}, "window must be at least first"),
    ],
)
def test_bad_numbers_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StepSize(**options)


def test_a_rule_has_one_optimiser_and_lr_is_a_number_or_auto():
    rule = StepSize()
    estimators.mezo(Table(), rule)
    with pytest.raises(ValueError, match="another optimiser's"):
        estimators.mezo(Table(), rule)
    with pytest.raises(ValueError, match="lr must be"):
        estimators.mezo(Table(), "fast")


# What is measured is what is written.


@pytest.mark.parametrize("name", NONLINEAR)
def test_the_displacement_is_the_step_without_momentum(name):
    """At every step what the update would do at rate 1 with its first moment switched off."""
    model = Table()
    optimizer = build(name, model, lr=1.0, seed=2)
    if name.endswith("adam"):
        optimizer.update.beta1 = 0.0
    seen = []
    direction, run = optimizer.direction, optimizer.direction.run

    def looking(evaluation):
        estimate = run(evaluation)
        along = Along(evaluation, estimate.terms, optimizer.update)
        seen.append([along.draw(slot, 2, evaluation.step, 0).dense() for slot in evaluation.slots])
        return estimate

    direction.run = looking
    loss = Recorder(model)
    for _ in range(3):
        before = weights(model)
        optimizer.step(loss)
        for old, new, step in zip(before, weights(model), seen[-1], strict=True):
            torch.testing.assert_close((old - new).flatten(), step.flatten(), rtol=1e-6, atol=1e-9)


# A run with it.


def make(name="mezo", dtype=torch.float64, **options):
    model = Table(dtype)
    rule = StepSize(first=2, every=12, window=8)
    return model, build(name, model, lr=rule, seed=4, **options)


def advance(model, optimizer, steps, schedule=None):
    loss = Recorder(model)
    for step in range(optimizer.steps, optimizer.steps + steps):
        loss.slope = torch.randn(
            len(loss.slope), generator=torch.Generator().manual_seed(step), dtype=torch.float64
        )
        optimizer.step(loss)
        if schedule is not None:
            schedule.step()


@pytest.mark.sampled(5)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", RECIPES)
def test_resumed_and_replayed_bit_for_bit(name, dtype, tmp_path):
    """Saved while an update waits for its batch and between readings."""

    def fresh():
        model = Table(dtype)
        rule = StepSize(first=3, every=3, window=12)  # refuses nothing before 24 steps
        return model, build(name, model, lr=rule, seed=4, weight_decay=0.01)

    whole = fresh()
    advance(*whole, 18)
    for cut in (1, 9, 14):
        half = fresh()
        advance(*half, cut)
        state = json.loads(json.dumps(half[1].step_size.state_dict()))
        rest = fresh()
        rest[0].load_state_dict(half[0].state_dict())
        rest[1].load_state_dict(half[1].state_dict())
        assert rest[1].step_size.state_dict() == half[1].step_size.state_dict()
        assert json.loads(json.dumps(rest[1].step_size.state_dict())) == state
        advance(*rest, 18 - cut)
        assert same(weights(whole[0]), weights(rest[0]))
        assert whole[1].step_size.state_dict() == rest[1].step_size.state_dict()
    whole[1].log.save(tmp_path / "log")
    model, optimizer = fresh()
    estimators.replay(optimizer, estimators.Log.load(tmp_path / "log"))
    assert same(weights(whole[0]), weights(model))
    assert optimizer.step_size.state_dict() == whole[1].step_size.state_dict()


def test_the_weights_rest_while_an_update_waits_and_then_move_by_it():
    model, optimizer = make(restore="copy")
    advance(model, optimizer, 5)
    rule, before = optimizer.step_size, weights(model)
    assert rule.rate > 0
    assert rule.state_dict()["pending"] is None
    advance(model, optimizer, 1)
    assert rule.state_dict()["pending"] is not None
    assert same(before, weights(model))
    assert optimizer.log.waiting[-1] == optimizer.steps - 1
    advance(model, optimizer, 1)
    assert not same(before, weights(model))


def test_a_step_that_fails_leaves_the_rule_as_it_was():
    model, optimizer = make(restore="copy")
    advance(model, optimizer, 3)
    before = optimizer.step_size.state_dict()
    assert before["pending"] is not None
    calls = iter([1.0, math.nan])
    with pytest.raises(ValueError, match="returned nan"):
        optimizer.step(lambda: next(calls))
    assert optimizer.step_size.state_dict() == before
    other, again = make(restore="copy")
    advance(other, again, 6)
    advance(model, optimizer, 3)
    assert same(weights(model), weights(other))


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5),
        lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5),
    ],
    ids=["LambdaLR", "StepLR"],
)
def test_schedulers_multiply_the_rate_and_do_not_change_it(scheduler):
    model, optimizer = make()
    plain = make()
    scheduler(optimizer)
    advance(*plain, 6)
    advance(model, optimizer, 6, None)
    assert optimizer.step_size.rate == pytest.approx(plain[1].step_size.rate, rel=1e-9)
    rate = optimizer.param_groups[0]["lr"] * optimizer.step_size.rate
    advance(model, optimizer, 1)
    assert {lr for lr, _ in optimizer.log.rates_at(6).values()} == {rate}


def test_groups_have_one_rate_in_the_ratio_of_their_factors():
    """Signs, H diagonal: a = sum r_k ||g_k||^2, b = ||g||^2 sum r_k^2 Tr H_k with factors r_k."""
    problem = Quadratic(spread(10))
    torch.manual_seed(0)
    first, second = (
        nn.Parameter(problem.w.data[:4].clone()),
        nn.Parameter(problem.w.data[4:].clone()),
    )

    def loss():
        with torch.no_grad():
            problem.w.copy_(torch.cat([first, second]))
        return problem.loss()

    groups = [{"params": [("a", first)]}, {"params": [("b", second)], "lr": 0.25}]
    optimizer = estimators.rademacher(groups, StepSize(first=400, window=400), seed=1)
    for _ in range(800):
        optimizer.step(loss)
    traces = float(problem.h[:4].sum()), float(problem.h[4:].sum())
    square = problem.g.square()
    a = float(square[:4].sum() + 0.25 * square[4:].sum())
    b = float(square.sum()) * (traces[0] + 0.0625 * traces[1])
    choice = optimizer.step_size.choice
    assert abs(choice.best / (a / b) - 1) < 4 * choice.error < 0.4


def test_a_rate_that_is_set_holds():
    model, optimizer = make()
    advance(model, optimizer, 6)
    optimizer.step_size.rate = 1e-4
    advance(model, optimizer, 20)
    assert optimizer.step_size.rate == 1e-4
    assert max(optimizer.log.waiting) <= 6
    assert {rate for rate, _ in optimizer.log.rates_at(25).values()} == {1e-4}
    with pytest.raises(ValueError, match="finite and non-negative"):
        optimizer.step_size.rate = math.nan


@pytest.mark.parametrize("name", ["mezo", "tezo_adam", "mezo_adam", "zo_sgd_sign", "zo_adamu"])
def test_inside_the_forward_pass_it_is_the_same(name):
    found = []
    for apply in ("inplace", "forward"):
        model, closure = llama_problem(torch.float64)
        optimizer = build(name, model, lr=StepSize(first=3), seed=1, apply=apply)
        for _ in range(10):
            optimizer.step(closure)
        found.append([(r.own, r.fresh, r.curvature) for r in optimizer.step_size.readings])
    torch.testing.assert_close(torch.tensor(found[0]), torch.tensor(found[1]), rtol=1e-3, atol=1e-6)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", RECIPES)
def test_a_language_model_learns(name):
    """After some steps of Adam, since at random weights the loss is not convex on average."""
    model, closure = llama_problem()
    first = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(12):
        first.zero_grad()
        closure().backward()
        first.step()
    optimizer = build(name, model, lr="auto", seed=1, **({"rank": 8} if name in LOW_RANK else {}))
    before = float(closure().detach())
    for _ in range(60):
        optimizer.step(closure)
    assert optimizer.step_size.rate > 0
    assert float(closure().detach()) < before


# A look along one update.


@pytest.mark.sampled
@pytest.mark.parametrize("name", RECIPES)
def test_a_look_gives_slope_and_curvature_along_the_estimate(name):
    """Beside the estimate itself, with the gradient and the Hessian of the loss."""
    model = Table()
    loss = Recorder(model)
    options = {"queries": 2} if name == "one_sided" else {}
    optimizer = build(name, model, lr=1e-3, seed=2, restore="copy", **options)
    optimizer.update = estimators.SGD()
    if name == "zo_sgd_cons":
        optimizer.direction = estimators.TwoPoint()
    before = weights(model)
    found, rounding = optimizer.look(loss, step=3)
    assert same(before, weights(model))
    assert optimizer.steps == 0
    assert not any(optimizer.state.values()) or name == "zo_adamu"
    w = model.vector()
    estimate = optimizer.estimate(loss, step=3)
    along = torch.cat([estimate[n].flatten() for n, _ in model.named_parameters()])
    gradient, hessian = loss.slope / 10 + loss.curve * w / 10, loss.curve / 10
    assert found.slope == pytest.approx(float(gradient @ along), rel=1e-6)
    assert found.curvature == pytest.approx(float(hessian @ along.square()), rel=1e-4)
    assert found.loss == pytest.approx(loss.losses[-1], rel=0.1)
    assert rounding < 1e-14
    again, _ = optimizer.look(loss, step=3, centre=found.loss, rounding=rounding)
    assert again.slope == found.slope
    assert found.passes - again.passes == 6
