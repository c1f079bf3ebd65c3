"""The step size, measured: how far to go along an estimate, from loss values alone.

On a quadratic an update w <- w - eta D lowers the loss by eta <g, D> - eta^2 D^T H D / 2. A look
(`estimators.looks`) gives <g, D> and D^T H D for any D. With their means a and b the best step is
a / b, and lowers the loss by a^2 / 2b.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from estimators.directions.base import Direction, Estimate
from estimators.evaluation import Evaluation
from estimators.looks import Look, along, at_radii, ends_of, length, look
from estimators.readings import LEAST, Reading, best_step, convex, expected_share, faint, ratio
from estimators.slots import Slot
from estimators.updates.base import Elementwise, Update

_FAINT = 20.0  # a second difference is to be so many times its rounding error
_STRETCH = 8.0  # the most that a radius is lengthened for it
_LONG = 4.0  # times the median size of estimates: 0.7% of Gaussian slopes are above
_SIZES = 40  # the last sizes that are compared with
_SEEN = 8  # sizes without which nothing is known of the next one
_BLOCK = 10  # losses that are compared with
_BLOCKS = 4  # the last blocks of as many,
_FEW = 2  # and have climbed if so few of the 100 pairs with one of these say otherwise
_SURE = 0.75  # relative error up to which readings are enough
_REST = 0.5  # of the safety, while the readings are those of weights at rest


class NoStepSize(RuntimeError):
    """No step size follows from what was measured; the message says why, and what to do."""


@dataclass(frozen=True)
class Choice:
    """What readings say, and the step that follows.

    best: of one batch, E <g_B, D> / E |D^T H D|; error: its relative standard error. share:
    of a batch's slope, what other batches agree on, E <g_B', D> / E <g_B, D>, with share_error, its
    standard error; signal: the share that is used, see `StepSize`. rate: the step chosen.
    """

    best: float
    error: float
    share: float
    share_error: float
    signal: float
    rate: float


@dataclass(frozen=True)
class _State:
    """All that a rule knows, as numbers. pending: an update that waits for another batch.

    sizes: of the last estimates; shortened: how many were. losses: of the steps since the last
    block of them was full; blocks: the last blocks. climbs: how often one was above one before.
    settled: whether the readings of weights at rest no longer count for the best step. cost: of the
    last estimate, in passes.
    """

    readings: tuple[Reading, ...] = ()
    pending: dict[str, Any] | None = None
    rate: float | None = None
    history: tuple[tuple[int, float], ...] = ()
    last: int = 0
    passes: int = 0
    rounding: float | None = None
    looks: int = 0
    squares: float = 0.0
    held: bool = False
    sizes: tuple[float, ...] = ()
    shortened: int = 0
    losses: tuple[float, ...] = ()
    blocks: tuple[tuple[float, ...], ...] = ()
    climbs: int = 0
    settled: bool = False
    cost: int = 2

    @property
    def moved(self) -> tuple[Reading, ...]:
        """The readings made since there is a rate."""
        if not self.history:
            return ()
        since = self.history[0][0]
        return tuple(reading for reading in self.readings if reading.step >= since)

    @property
    def stretch(self) -> float:
        """How much longer than eps asks for the next radius is to be, for second differences.

        squares: the sum over the looks so far of their squares, at the radius that eps asks for.
        """
        if not self.looks or self.rounding is None:
            return 1.0
        seen = math.sqrt(self.squares / self.looks)
        needed = _FAINT * math.sqrt(6.0) * self.rounding
        return min(_STRETCH, max(1.0, math.sqrt(needed / seen))) if seen else _STRETCH


class StepSize:
    """The learning rate of a `ZerothOrder`, measured in its own forward passes: `lr="auto"`.

    The rate is safety * signal * (E <g_B, D> / E |D^T H D|) / (1 + error^2), D being the update of
    rate 1. What counts is the loss of the text, not that of the batch B that D was made on, and
    there the best step is E <g_B', D> / E D^T H D with another batch B': shorter by the share of a
    batch's slope that other batches agree on. The share takes many readings to tell, and falls
    along a run; `signal` is its mean given the last `window` readings, every order of magnitude
    from 0.01 to 1 being as likely before. error is the relative standard error of the ratio, whose
    effect on the fall of the loss the denominator makes least.

    Curvature counts by its size. Where it is below zero the loss falls faster near by, but how far
    on is a matter of how fast it bends, either way (Dauphin et al. 2014 take |H| for H so). At the
    initial weights of SmolLM2-135M it is below zero along two in five updates.

    The means of a few slopes and curvatures are those of one or two of them: for MeZO <g, D> is
    ||g||^2 times a chi-square of one degree of freedom, a factor of D^T H D too. So the ratio is
    that of updates shortened to their median slope; on MeZO's quadratic it lies between
    1 / (Tr H + 2 rho) and 1 / Tr H, rho the Rayleigh quotient of g. And no curvature counts as
    more than three times what all together say for its slope. The share, which the longest slopes
    tell best, is that of updates as they are.

    On a quadratic a step of safety times the best lowers the loss by safety (2 - safety) of what
    the best would, 0.51 at 0.3. On SmolLM2-135M MeZO lost at 1/2 within 100 steps what it had
    learnt, and the fixed rates that are best after 600 passes are a fifth to a third of what such
    readings say along the run (S-MeZO 0.5). Readings of weights at rest count by half: once
    the weights move, curvature for a slope is 1.7 to 2.4 times as high.

    A reading takes two steps. The first finds its estimate as always, and writes nothing; the
    second, on the next batch, evaluates the loss at the weights and at two points along the
    update, and then writes it, in place of an estimate of its own. The first readings (at least
    `first`, more while error > 3/4, at most four times as many) are made one after the other with
    rate zero. As slopes and curvatures change once the weights move, as many are then made anew,
    one in every / 4 steps, and when these alone would do, the first ones count for the share only.
    Later there is one in `every` steps, and the last `window` of them count. These are steps of two
    passes; of others it is one in as many passes, but at least two steps apart and later every / 4.
    Each costs 3 passes, and 2 more for methods that evaluate no pair of points round the weights;
    `passes` counts. The rate changes by a factor of at most two at once; a reading that leaves no
    sensible rate leaves the old one.

    No estimate is longer than four times the median of the last 40, by the weights of its draws: a
    longer one is shortened to that; `shortened` counts. That happens to 0.7% of Gaussian slopes and
    takes 0.7% of a; but among 220 steps of MeZO on SmolLM2-135M at a fixed rate was one with a
    slope of 21 times the median, and from there the loss rose from 1.4 to 17.

    What readings cannot see in time, a curvature that grows along the run, shows in the losses. Ten
    steps' are compared with each of the four tens before: where 98 of the 100 pairs have risen
    (Mann and Whitney's U of 2), the loss has climbed, and the rate is halved for good, with a
    warning; `climbs` counts. Losses of one law do so once in 100,000 steps, whatever the law.

    The radius h is that of the step that is then written, as a language model's loss curves more at
    that length, several eps, than its second derivatives say. It is at least that of the noise,
    eps, and up to eight times that where second differences are less than 20 times their rounding
    error, which is measured once, in five further passes (up to fifteen where it is coarse).

    The `lr` of parameter groups are factors on the rate, 1 by default, so that schedulers of every
    kind multiply it; readings are taken along the update with the groups' rates in the ratio that
    they have. `rate` reads the rate (0 until there is one), and setting it ends the measuring.
    `choice` tells what the last readings say, `history` the (step, rate) of every change.

    SGD's update is the estimate. So is momentum's, in the long run, as M <- beta M + (1 - beta) g
    passes on every estimate once, and its steps are those of SGD while these are short against
    1 / ((1 - beta) lambda_max H). Adam's is the estimate by the roots of the second moments, for
    the same reason; sign's the sign; ZO-AdaMU's what it writes. ZO-SGD-Cons is measured by its
    two-sided difference.

    Raises ValueError for bad numbers. A step raises NoStepSize, a RuntimeError, and leaves the
    weights as they were, if after 4 * first readings curvature is positive in too few of them (two
    standard errors below one half), second differences are less than three times their rounding
    error, or the relative error is above 3/4.
    """

    def __init__(
        self, safety: float = 0.3, *, first: int = 8, every: int = 20, window: int = 16
    ) -> None:
        if not 0.0 < safety < 2.0:
            raise ValueError(f"safety must lie between 0 and 2, got {safety}")
        if first < LEAST:
            raise ValueError(f"first must be at least {LEAST} readings, got {first}")
        if every < 2:
            raise ValueError(f"every must be at least 2 steps, which a reading takes, got {every}")
        if window < first:
            raise ValueError(f"window must be at least first, {first} readings, got {window}")
        self.safety = float(safety)
        self.first = first
        self.every = every
        self.window = window
        self._state = _State()
        self._next: _State | None = None
        self._followed: frozenset[int] | None = None
        self._taken = False
        self._climb = ""

    # What a user reads and sets. (`described` has the attributes that are numbers, not these.)

    @property
    def rate(self) -> float:
        """The rate of the coming step, before the factors of groups; 0 while there is none."""
        return self._state.rate or 0.0

    @rate.setter
    def rate(self, value: float) -> None:
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"the rate must be finite and non-negative, got {value}")
        step = self._state.last + 2 if self._state.readings else 0
        self._state = replace(_changed(self._state, float(value), step), held=True)

    @property
    def choice(self) -> Choice | None:
        """What the present readings say; None before there are two, or if no step follows."""
        return self._choice(self._state)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The last readings, the oldest first."""
        return self._state.readings

    @property
    def history(self) -> tuple[tuple[int, float], ...]:
        """(step, rate) from which on it held, at every change."""
        return self._state.history

    @property
    def passes(self) -> int:
        """Losses evaluated for readings; the first ones' estimates, which move nothing, count."""
        return self._state.passes

    @property
    def shortened(self) -> int:
        """How many estimates were shortened."""
        return self._state.shortened

    @property
    def climbs(self) -> int:
        """How often the loss has climbed, and the rate was halved for it."""
        return self._state.climbs

    @property
    def rounding(self) -> float | None:
        """The standard rounding error of one loss; None before the first reading."""
        return self._state.rounding

    # What the optimiser asks for.

    def key(self, step: int) -> int:
        """Return the step whose noise step `step` uses: an update that waits keeps its own."""
        pending = self._state.pending
        return step if pending is None else pending["step"]

    def begin(self, update: Update) -> float:
        """Return the factor of groups that have none; refuse what cannot be measured.

        Raises ValueError for an update that does not say what a step of it adds, or a rule that
        another optimiser has.
        """
        kind: Any = type(update)
        silent = kind.displacement is Update.displacement or (
            isinstance(update, Elementwise)
            and kind.displacement is Elementwise.displacement
            and kind.alone is Elementwise.alone
        )
        if silent and not update.linear:
            raise ValueError(f"{kind.__name__} does not say what its steps add: give lr a number")
        if self._taken:
            raise ValueError("this StepSize is another optimiser's: make one for each")
        self._taken = True
        return 1.0

    def rated(
        self, groups: Sequence[dict[str, Any]], slots: Sequence[Slot]
    ) -> tuple[list[dict[str, Any]], list[Slot]]:
        """Return groups and slots with rates in place of factors, and the ratios of these."""
        most = max((float(group["lr"]) for group in groups), default=0.0)
        rated = {id(group): dict(group) for group in groups}
        for group in rated.values():
            factor = float(group["lr"])
            group |= {"lr": self.rate * factor, "ratio": factor / most if most else 1.0}
        return list(rated.values()), [replace(s, group=rated[id(s.group)]) for s in slots]

    def run(self, evaluation: Evaluation, direction: Direction, update: Update) -> Estimate:
        """Return the estimate to write in this step, none in one whose update is to wait."""
        self._next = self._state
        if self._state.pending is not None:
            return self._read(evaluation, update)
        if self._due(evaluation.step):
            return self._wait(evaluation, direction.measured or direction, update)
        return self._estimated(evaluation, direction)

    def settle(self, step: int, loss: float) -> bool:
        """Keep what a step has found, at `loss`, once it is written: return whether it waits."""
        self._climb = ""
        if self._next is not None:
            (self._state, self._climb), self._next = _watched(self._next, step, loss), None
        return self._state.pending is not None

    @property
    def climbed(self) -> str:
        """What to tell of the last step if the rate was halved in it, else nothing."""
        return self._climb

    def follow(self, waiting: Sequence[int] | None) -> None:
        """Have the steps of a log wait that did there; None has the rule decide again."""
        self._followed = None if waiting is None else frozenset(waiting)

    def state_dict(self) -> dict[str, Any]:
        """Return what the rule knows as numbers, lists and strings."""
        return asdict(self._state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        readings = tuple(Reading(**reading) for reading in state["readings"])
        history = tuple((step, rate) for step, rate in state["history"])
        blocks = tuple(map(tuple, state["blocks"]))
        flat = {name: tuple(state[name]) for name in ("sizes", "losses")}
        known = {"readings": readings, "history": history, "blocks": blocks, **flat}
        self._state = _State(**{**state, **known})
        self._next = None

    def _estimated(self, evaluation: Evaluation, direction: Direction) -> Estimate:
        """The estimate, shortened if it is much longer than others are."""
        before = len(evaluation.losses)  # those that a perturbation has asked for
        estimate = direction.run(evaluation)
        cost = len(evaluation.losses) - before
        state, size = replace(self._state, cost=cost), length(estimate.terms)
        self._next = state
        if state.held or not size:
            return estimate
        most = _LONG * median(state.sizes) if len(state.sizes) >= _SEEN else size
        sizes, longer = (*state.sizes, size)[-_SIZES:], size > most
        self._next = replace(state, sizes=sizes, shortened=state.shortened + longer)
        return estimate.times(most / size) if longer else estimate

    # How a reading is made.

    def _due(self, step: int) -> bool:
        state = self._state
        if self._followed is not None:
            return step in self._followed
        if state.held:
            return False
        often = self.every // 4
        pause, least = (self.every, often) if state.settled else (often, 2)
        pause = max(least, 2, round(pause * 2 / max(1, state.cost)))
        return state.rate is None or step - state.last >= pause

    def _wait(self, evaluation: Evaluation, direction: Direction, update: Update) -> Estimate:
        estimate = self._estimated(evaluation, direction)
        spent = len(evaluation.losses) if self._state.rate is None else 0
        own = 0.0
        if any(estimate.terms.values()):
            ends = ends_of(evaluation, estimate) if update.linear else None
            if ends is None:
                weights, radius = along(evaluation, estimate.terms, update)
                ahead, behind = at_radii(evaluation, weights, [radius, -radius])
                ends = ahead, behind, radius
                spent += 2
            plus, minus, radius = ends
            own = (plus - minus) / (2.0 * radius)
        evaluation.applier.restore()
        shares = estimate.points or {}
        pending = {
            "step": evaluation.step,
            "own": own,
            "terms": [[draw.query, weight] for draw, weight in estimate.terms.items()],
            "curvature": estimate.curvature,
            "shares": None if estimate.points is None else list(map(list, shares.items())),
            "points": [
                [[draw.query, weight] for draw, weight in point.items()] if i in shares else []
                for i, point in enumerate(evaluation.visited())
            ],
        }
        assert self._next is not None
        self._next = replace(self._next, pending=pending, passes=self._state.passes + spent)
        return Estimate({}, estimate.loss)

    def _read(self, evaluation: Evaluation, update: Update) -> Estimate:
        state, pending = self._state, self._state.pending
        assert pending is not None
        terms = {evaluation.draw(query): weight for query, weight in pending["terms"]}
        evaluation.revisit(
            [{evaluation.draw(q): w for q, w in point} for point in pending["points"]]
        )
        if any(terms.values()):
            weights, radius = along(evaluation, terms, update)
            far = max(radius * state.stretch, *(slot.group["lr"] for slot in evaluation.slots))
            found, rounding = look(evaluation, weights, far, rounding=state.rounding)
            second = found.curvature * radius**2
            state = replace(
                state,
                rounding=rounding,
                looks=state.looks + 1,
                squares=state.squares + second * second,
            )
        else:
            (centre,) = evaluation.evaluate([{}])
            found = Look(centre, 0.0, 0.0, 0.0, 1)
        reading = Reading(
            pending["step"], pending["own"], found.slope, found.curvature, found.radius
        )
        state = replace(
            state,
            readings=(*state.readings, reading),
            pending=None,
            last=pending["step"],
            passes=state.passes + found.passes,
        )
        if state.settled or self._enough(state.moved):
            state = replace(state, settled=True, readings=state.readings[-self.window :])
        self._next = self._rated(state)
        if not update.linear:  # whose noise is made of state that writing it changes
            evaluation.applier.restore()
        shares = pending["shares"]
        points = None if shares is None else dict(shares)
        return Estimate(terms, found.loss, pending["curvature"], points)

    # What readings say.

    def _enough(self, readings: Sequence[Reading]) -> bool:
        """Whether these readings, by what they say, are enough, or as many as there may be."""
        if len(readings) < self.first:
            return False
        said = best_step(readings)
        return (said is not None and said[1] <= _SURE) or len(readings) >= 4 * self.first

    def _rated(self, state: _State) -> _State:
        if state.held:
            return state
        choice = self._choice(state)
        step = state.last + 2
        if state.rate is not None:
            if choice is None or choice.error > _SURE:
                return state
            rate = min(2.0 * state.rate, max(0.5 * state.rate, choice.rate))
            return _changed(state, rate, step)
        count = len(state.readings)
        lost = faint(state.readings, state.rounding)
        if not self._enough(state.readings) or (lost and count < 4 * self.first):
            return state
        if lost:
            raise NoStepSize(
                f"no step size follows from {count} readings: second differences of the loss are "
                f"{lost[0]:.2g}, and its rounding alone makes {lost[1]:.2g} of them; compute the "
                "loss in 32 bits, take a larger eps, or give lr a number"
            )
        if choice is None:
            slope = math.fsum(reading.own for reading in state.readings) / count
            raise NoStepSize(
                f"no step size follows from {count} readings: along the updates the mean slope is "
                f"{slope:.3g} and has to be positive, and the curvature is so in "
                f"{convex(state.readings)} of them, which is too few; give lr a number, or "
                "begin at weights or with a batch where the loss is convex along more directions"
            )
        if choice.error > _SURE:
            raise NoStepSize(
                f"no step size follows from {count} readings: {choice.best:.3g} for a batch, with "
                f"a relative standard error of {choice.error:.2g}; larger batches, a larger eps or "
                "more readings, lr=StepSize(first=...), would tell, or give lr a number"
            )
        return _changed(state, choice.rate, step)

    def _choice(self, state: _State) -> Choice | None:
        said = best_step(state.moved if state.settled else state.readings)
        own = [r.own for r in state.readings]
        if said is None or math.fsum(own) <= 0.0:
            return None
        best, error = said
        share, share_error = ratio([r.fresh for r in state.readings], own)
        signal = expected_share(share, share_error)
        safety = self.safety * (1.0 if state.settled else _REST) * 0.5**state.climbs
        rate = safety * signal * best / (1.0 + error * error)
        return Choice(best, error, share, share_error, signal, rate)


def _changed(state: _State, rate: float, step: int) -> _State:
    """Return the state with a rate that holds from a step on."""
    if rate == state.rate:
        return state
    return replace(state, rate=rate, history=(*state.history, (step, rate)))


def _watched(state: _State, step: int, loss: float) -> tuple[_State, str]:
    """Return the state after a step; if the loss has climbed, half the rate and what to tell."""
    if state.rate is None or state.held:
        return state, ""
    losses = (*state.losses, loss)
    if len(losses) < _BLOCK:
        return replace(state, losses=losses), ""
    lower = next((block for block in state.blocks if _above(losses, block)), None)
    if lower is None:
        return replace(state, losses=(), blocks=(*state.blocks, losses)[-_BLOCKS:]), ""
    rate = 0.5 * state.rate
    before, now = (math.fsum(block) / _BLOCK for block in (lower, losses))
    told = f"the loss climbed from {before:.4g} to {now:.4g} by step {step}: the rate is halved, to"
    state = replace(state, losses=(), blocks=(losses,), climbs=state.climbs + 1)
    return _changed(state, rate, step + 1), f"{told} {rate:.3g}"


def _above(losses: Sequence[float], others: Sequence[float]) -> bool:
    return sum(loss <= other for loss in losses for other in others) <= _FEW
