"""Model evidence: gradients of a real language model along short fine-tuning runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import joblib
from filelock import FileLock

from zotheory.budget import OWN_MODEL
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity, compare
from zotheory.files import replacing
from zotheory.vocabulary import AssetMissing, Check, Evidence, Kind, Statement, Verdict, written

if TYPE_CHECKING:
    from zotheory.model.gradients import Weight
    from zotheory.model.language_model import LanguageModel
    from zotheory.model.points import Point
    from zotheory.model.prompts import Loss
    from zotheory.model.reviews import Example
    from zotheory.model.study import GradientStudy


BATCH_SIZE = 16  # sentences, as in the TeZO paper's figures
WORDS = 10  # of a sentence, at most: batches cost half of what all sentences would
COMPARED_LAYERS = 4  # decoder layers whose gradients are kept whole and compared


@dataclass(frozen=True)
class Trajectory:
    """A fine-tuning run to measure along: the loss that is trained, and SGD's learning rate.

    Attributes:
        loss: which cross-entropy.
        learning_rate: constant.
        all_layers: whether spectra are taken in every decoder layer or in a few spread ones.
        steps: batches, one a step; the budget's if not given.
    """

    loss: Loss
    learning_rate: float
    all_layers: bool = False
    steps: int | None = None

    def __str__(self) -> str:
        over = {"vocabulary": "whole vocabulary", "label_words": "label words"}[self.loss]
        return f"loss over the {over}, learning rate {self.learning_rate:g}"


Studies = dict[Trajectory, "GradientStudy"]


@dataclass(frozen=True)
class Modelled:
    """What a plan found on a model.

    Attributes:
        cases: the quantities that the formula names, in one place or several.
        numbers: what the ledger keeps of them.
        setting: what they were taken on.
        further: what else the summary tells.
    """

    cases: Sequence[Case]
    numbers: Mapping[str, Any]
    setting: Mapping[str, Any]
    further: str = ""


def modelled(
    trajectories: Sequence[Trajectory],
    plan: Callable[[Statement, Studies, Context], Modelled],
    **rule: Any,
) -> Check:
    """A check on gradients along each trajectory; `plan` takes the quantities from the studies.

    The studies are shared by all claims of a run, and finished batches outlive an interruption.
    """

    def measure(statement: Statement, context: Context) -> Modelled:
        return plan(statement, {t: study(t, context) for t in trajectories}, context)

    return on_model(measure, **rule)


def on_model(plan: Callable[[Statement, Context], Modelled], **rule: Any) -> Check:
    """A check that compares the formula with what `plan` measures on the run's model.

    `rule` goes to `compare`. Without a model the check is not run; one that does not fit is a
    missing asset.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        if context.model is None:
            return Evidence(Kind.MODEL, Verdict.NOT_RUN, "left out: no model was given")
        from zotheory.model.language_model import ModelError, fixed_threads

        try:
            with fixed_threads():
                measured = plan(statement, context)
        except ModelError as error:
            raise AssetMissing(str(error)) from error
        found = compare(statement, measured.cases, context.alpha, **rule)
        certificate: dict[str, Any] = {"relation": written(statement.formula)}
        certificate |= {"found": found.lines}
        certificate |= {"model": context.model, "error probability": context.alpha}
        certificate |= {"seed": context.seed, **measured.setting}
        evidence = found.evidence(Kind.MODEL, measured.numbers, certificate)
        summary = "; ".join(filter(None, (evidence.summary, measured.further)))
        return replace(evidence, summary=summary)

    return Check(Kind.MODEL, judge)


def language_model(context: Context) -> LanguageModel:
    """The run's model, loaded once. Raises AssetMissing if it cannot be had."""
    context.tell(f"{context.claim}  loading the language model")
    return _load(context.model)


@cache
def _load(name: str) -> LanguageModel:
    from zotheory.model.assets import AssetError
    from zotheory.model.language_model import ModelError, load_model

    try:
        return load_model(None if name == OWN_MODEL else name)
    except (AssetError, ModelError) as error:
        raise AssetMissing(str(error)) from error


@contextmanager
def borrowed_model(context: Context) -> Iterator[LanguageModel]:
    """The run's model, whose weights are put back bit for bit: other claims use it, too."""
    found = language_model(context)
    copies = [parameter.detach().clone() for parameter in found.model.parameters()]
    try:
        yield found
    finally:
        for parameter, copy in zip(found.model.parameters(), copies, strict=True):
            parameter.data.copy_(copy)


def sentences(context: Context, words: int | None = None) -> tuple[Example, ...]:
    """The review sentences to take batches from, those of at most so many words.

    Raises AssetMissing if they cannot be had.
    """
    from zotheory.model.assets import AssetError
    from zotheory.model.reviews import examples, load_reviews, split

    try:
        text = split(examples(load_reviews()), seed=context.seed).train
    except AssetError as error:
        raise AssetMissing(str(error)) from error
    return tuple(e for e in text if words is None or len(e.sentence.split()) <= words)


def study(trajectory: Trajectory, context: Context) -> GradientStudy:
    """The gradients along one trajectory, measured once a run.

    Raises AssetMissing if the model or the text cannot be had, ModelError if it does not fit.
    """
    return once(f"gradients, {trajectory}", context, partial(_measure, trajectory))


def _measure(trajectory: Trajectory, context: Context) -> GradientStudy:
    from zotheory.model.gradients import layer_weights
    from zotheory.model.study import measure_gradients, spread

    model = language_model(context)
    depth = len({weight.layer for weight in layer_weights(model.model)})
    some = spread(model.model, min(COMPARED_LAYERS, depth))

    def tell(done: int, batches: int) -> None:
        context.tell(f"{context.claim}  {trajectory}: batch {done} of {batches}")

    return measure_gradients(
        model,
        sentences(context, WORDS),
        seed=context.seed,
        batches=trajectory.steps or context.budget.batches,
        batch_size=BATCH_SIZE,
        loss=trajectory.loss,
        learning_rate=trajectory.learning_rate,
        layers=None if trajectory.all_layers else some,
        similarity_layers=some,
        scratch=context.scratch / "gradients",
        progress=tell,
    )


# Where model checks take losses and true gradients: batches of reviews at the model's weights.


LAYERS = 3  # decoder layers, spread over the depth


@contextmanager
def points(
    context: Context,
    groups: Callable[[Sequence[Weight]], Sequence[Sequence[Weight]]],
    batch_size: int,
    layers: int = LAYERS,
) -> Iterator[list[Point]]:
    """One point for each group of the spread layers' matrices, each with sentences of its own.

    The weights are put back bit for bit afterwards. Raises AssetMissing if the model or the text
    cannot be had, ModelError if the model does not fit.
    """
    from zotheory.model.points import point, spread_weights

    text = sentences(context, WORDS)
    with borrowed_model(context) as found:
        chosen = groups(spread_weights(found.model, layers))
        context.tell(f"{context.claim}  {len(chosen)} gradients by backpropagation")
        starts = range(0, len(chosen) * batch_size, batch_size)
        yield [
            point(found, text[start : start + batch_size], weights)
            for start, weights in zip(starts, chosen, strict=True)
        ]


def by_layer(weights: Sequence[Weight]) -> list[list[Weight]]:
    """One group a decoder layer."""
    layers = sorted({weight.layer for weight in weights})
    return [[w for w in weights if w.layer == layer] for layer in layers]


# What several claims of a run rest on, measured once for all of them.


_DONE: dict[tuple, Any] = {}


def once(what: str, context: Context, measure: Callable[[Context], Any]) -> Any:
    """What `measure(context)` returned to the first claim of the run that asked for `what`.

    It lies in the run's scratch folder, where other workers (they wait for it) and a resumed run
    find it. Raises what `measure` raises.
    """
    key = what, context.model, context.seed, context.budget
    if key not in _DONE:
        _DONE[key] = _kept(what, context, measure)
    return _DONE[key]


def _kept(what: str, context: Context, measure: Callable[[Context], Any]) -> Any:
    folder = context.scratch / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^\w.-]+", "-", what) + ".joblib")
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            with replacing(path) as beside:
                joblib.dump(measure(context), beside)
        return joblib.load(path)


# What would decide where an interval leaves a statement open.


def what_it_takes(found: Quantity, bounds: Iterable[float]) -> str:
    """What would decide about these bounds; empty where none lies within the interval."""
    return in_words(times_as_many(found, bounds))


def times_as_many(found: Quantity, bounds: Iterable[float]) -> float:
    """How many times as many batches would decide about bounds, at this average and spread.

    Half an interval's length falls as one over the root of the number of batches. 0 where no bound
    lies within the interval.
    """
    within = [abs(found.value - bound) for bound in bounds if found.low <= bound <= found.high]
    if not within:
        return 0.0
    return float(((found.high - found.value) / max(min(within), 1e-9)) ** 2)


def in_words(times: float) -> str:
    """The same in words; empty for 0."""
    if not times:
        return ""
    return f"if the average is as found, {times:.1f} times as many batches would decide"
