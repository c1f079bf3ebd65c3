"""A probe of methods on a real model: how far its loss falls along their updates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import estimators
from estimators import recipes
from estimators.looks import Look
from estimators.names import layers_of
from estimators.parts import described
from estimators.streams import stream_key
from estimators.zeroth_order import ZerothOrder
from zotheory.arguments import flat, function, one_of, whole
from zotheory.budget import OWN_MODEL
from zotheory.files import first_line
from zotheory.model.assets import AssetError
from zotheory.model.language_model import LanguageModel, ModelError, load_model
from zotheory.model.prompts import Batch, label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.reviews import examples, load_reviews, split
from zotheory.model.source import model_source
from zotheory.probing.fall import Draws
from zotheory.probing.falls import FallRow, Falls, Group
from zotheory.probing.lineup import lineup, recipe_names
from zotheory.probing.objectives import ProbeError

LEAST = 4  # draws of a method, whatever they cost
GROUPS = ("kinds", "layers")
_FAINT = 20.0 * 6.0**0.5  # rounding errors of a loss that second differences are to exceed
_STRETCH = 8.0
_TOLD = 3  # draws from which that is seen

Factory = Callable[..., ZerothOrder]  # factory(module or named parameters, seed=, model=)
Closure = Callable[[], Any]
Tell = Callable[[str, int, int], None]


def probe_model(
    model: str | PathLike[str] | LanguageModel | None = None,
    *methods: Any,
    groups: str | None = None,
    passes: int = 16,
    batches: int = 1,
    batch_size: int = 16,
    words: int = 10,
    seed: int = 0,
    tell: Tell = lambda name, done, total: None,
) -> Falls:
    """Measure how far a language model's loss falls along the updates of methods.

    Args:
        model: a name, a path or a loaded model; None for SmolLM2-135M. The loss is that of the
            sentiment prompt over reviews. Its weights come back as they were.
        methods: as in `probe`, those of `estimators` by name or factories of a `ZerothOrder`;
            all recipes that take a model alone where none is named.
        groups: in place of methods, MeZO on groups of weights alone: "kinds" (embeddings, each
            projection, norms and other vectors) or "layers".
        passes: how many forward passes a method gets, about; at least four draws are made.
        batches: the draws go round so many batches, all methods' in the same way.
        batch_size, words: of a batch: the number of sentences, and the most words that one has.
        seed: of the split and of all draws, which methods share where they draw the same.
        tell: called with a name and the numbers of draws done and in all.

    Raises:
        ProbeError: an argument, an estimator or the model is unfit; the message says why.
    """
    passes, batches = (
        whole(name, value, 1, ProbeError)
        for name, value in (("passes", passes), ("batches", batches))
    )
    batch_size = whole("batch_size", batch_size, 1, ProbeError)
    words, seed = whole("words", words, 1, ProbeError), whole("seed", seed, 0, ProbeError)
    tell = function("tell", tell, ProbeError)
    if groups is not None:
        groups = one_of("groups", groups, GROUPS, ProbeError)
        if methods:
            raise ProbeError("groups are measured by MeZO: name no methods")
    try:
        loaded = model if isinstance(model, LanguageModel) else _loaded(model)
        closures = list(_closures(loaded, batches, batch_size, words, seed))
    except (AssetError, ModelError) as error:
        raise ProbeError(str(error)) from error
    return probe_losses(
        loaded.model, closures, *methods, groups=groups, passes=passes, seed=seed, tell=tell
    )


def probe_losses(
    module: nn.Module,
    closures: Sequence[Closure],
    *methods: Any,
    groups: str | None = None,
    passes: int = 16,
    seed: int = 0,
    tell: Tell = lambda name, done, total: None,
) -> Falls:
    """The same for any module: each of `closures` returns its loss on one batch.

    Only trainable parameters are moved, and they come back bit for bit.
    """
    if not closures:
        raise ProbeError("closures must hold one function of the loss or more")
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    if not trained:
        raise ProbeError("the model has no trainable parameter")
    before = {name: parameter.detach().clone() for name, parameter in trained.items()}
    company = _groups(module, trained, groups) if groups else _methods(methods)
    counts = {one.name: max(LEAST, round(passes / one.passes)) for one in company}
    measuring = _Measuring(module, closures, seed, {})
    done = 0
    rows: list[FallRow] = []
    try:
        for one in company:
            name = ", ".join(one.names)

            def told(name: str = name) -> None:
                nonlocal done
                done += 1
                tell(name, done, sum(counts.values()))

            tell(name, done, sum(counts.values()))
            looks, stretch = measuring.looks(one, counts[one.name], told)
            rows += one.rows(looks, stretch)
            with torch.no_grad():
                for key, parameter in trained.items():
                    parameter.copy_(before[key])
    finally:
        with torch.no_grad():
            for key, parameter in trained.items():
                parameter.copy_(before[key])
    return Falls(tuple(rows), len(closures), measuring.rounding or 0.0)


@dataclass(frozen=True)
class _Measured:
    """What shares one estimate: names with the passes of their steps, and how to make it.

    passes: of a look.
    """

    names: tuple[str, ...]
    costs: tuple[int, ...]
    passes: int
    build: Callable[[nn.Module, int], ZerothOrder]
    own: bool = False
    group: Group | None = None

    @property
    def name(self) -> str:
        return self.names[0]

    def rows(self, looks: Sequence[Look], stretch: float) -> Iterator[FallRow]:
        """A row for every number of passes that a step of these methods takes."""
        slopes, curvatures = (
            np.array([getattr(found, name) for found in looks]) for name in ("slope", "curvature")
        )
        for cost in dict.fromkeys(self.costs):
            names = [n for n, c in zip(self.names, self.costs, strict=True) if c == cost]
            draws = Draws(slopes, curvatures, cost)
            yield FallRow(tuple(names), draws, stretch, self.own, self.group)


@dataclass
class _Measuring:
    """Looks at one model on some batches, whose losses at the weights are kept."""

    module: nn.Module
    closures: Sequence[Closure]
    seed: int
    centres: dict[int, float]
    rounding: float | None = None

    def looks(
        self, one: _Measured, count: int, told: Callable[[], None]
    ) -> tuple[list[Look], float]:
        """Looks along updates, with noise that is lengthened if its curvature is too faint."""
        optimizer = self._built(one)
        found: list[Look] = []
        stretch = 1.0
        while len(found) < count:
            found.append(self._look(one, optimizer, len(found), stretch))
            told()
            if len(found) == _TOLD and stretch == 1.0 and self.rounding:
                faint = sum((x.curvature * x.radius**2) ** 2 for x in found) / _TOLD
                needed = _FAINT * self.rounding
                if faint**0.5 < needed:
                    stretch = min(_STRETCH, (needed / faint**0.5) ** 0.5) if faint else _STRETCH
                    found = []
        return found, stretch

    def _look(self, one: _Measured, optimizer: ZerothOrder, number: int, stretch: float) -> Look:
        batch = number % len(self.closures)
        try:
            found, self.rounding = optimizer.look(
                self.closures[batch],
                step=0,
                seed=stream_key("look", self.seed, number) % 2**32,
                centre=self.centres.get(batch),
                rounding=self.rounding,
                stretch=stretch,
            )
        except Exception as error:
            raise ProbeError(f"{one.name}: {type(error).__name__}: {first_line(error)}") from error
        self.centres.setdefault(batch, found.loss)
        return found

    def _built(self, one: _Measured) -> ZerothOrder:
        """The optimiser, with what it keeps because of the weights, the same for all looks."""
        try:
            optimizer = one.build(self.module, self.seed)
            slots = optimizer.slots()
            for slot, entries in zip(slots, optimizer.perturbation.kept(slots), strict=True):
                slot.state.update(entries)
            return optimizer
        except Exception as error:
            raise ProbeError(f"{one.name}: {type(error).__name__}: {first_line(error)}") from error


# Who is measured.


def _methods(asked: Sequence[Any]) -> list[_Measured]:
    """The methods, those with one estimate together."""
    named = list(flat(asked))
    if not named:
        named = [name for name in recipe_names() if not name.startswith("with_")]
    for name in named:
        if isinstance(name, str) and name.startswith("with_"):
            raise ProbeError(f"{name} needs a perturbation: give a factory that has one")
    found: dict[str, _Measured] = {}
    for one in lineup(named, 8, 8):
        if not one.own and one.name not in recipe_names():  # a variant
            continue
        factory = one.factory if one.own else getattr(recipes, one.name)
        estimate, cost, passes = _described(one.name, factory)
        before = found.get(estimate)
        if before is not None and not one.own:
            names, costs = (*before.names, one.name), (*before.costs, cost)
            found[estimate] = replace(before, names=names, costs=costs)
        else:
            key = f"{one.name} {estimate}" if one.own else estimate
            found[key] = _Measured((one.name,), (cost,), passes, _builder(factory), one.own)
    return list(found.values())


def _builder(factory: Factory) -> Callable[[nn.Module, int], ZerothOrder]:
    return lambda module, seed: factory(module, seed=seed)


class _Toy(nn.Module):
    """Two layers, to count losses on."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.layers = nn.ModuleList(nn.Linear(80, 80, dtype=torch.float64) for _ in range(2))

    def loss(self) -> Tensor:
        self.calls += 1
        return sum((p.detach().square().sum() for p in self.parameters()), torch.zeros(()))


def _described(name: str, factory: Factory) -> tuple[str, int, int]:
    """What tells an estimate from others, and the losses of a step, the second, and of a look."""
    toy = _Toy()
    try:
        optimizer = factory(toy, seed=0)
        if not isinstance(optimizer, ZerothOrder):
            raise TypeError(f"it made {type(optimizer).__name__}, and a ZerothOrder is needed")
        optimizer.look(toy.loss, centre=0.0, rounding=0.0)
        looked = toy.calls
        for _ in range(2):
            optimizer.step(toy.loss)
    except Exception as error:
        raise ProbeError(f"{name}: {type(error).__name__}: {first_line(error)}") from error
    direction = optimizer.direction.measured or optimizer.direction
    parts = described(optimizer.perturbation), described(direction)
    return " | ".join(parts), len(optimizer.log.losses[1]), looked


def _groups(module: nn.Module, trained: Mapping[str, Tensor], by: str) -> list[_Measured]:
    """MeZO on each group of weights alone."""
    members: dict[str, list[str]] = {}
    layers = layers_of(list(trained), module, None)
    for name, parameter in trained.items():
        group = _kind(name, parameter) if by == "kinds" else layers[name] or "outside all layers"
        members.setdefault(group, []).append(name)

    def builder(names: Sequence[str]) -> Callable[[nn.Module, int], ZerothOrder]:
        return lambda module, seed: estimators.mezo(
            [(n, module.get_parameter(n)) for n in names], seed=seed, model=module
        )

    return [
        _Measured(
            (g,), (2,), 2, builder(n), group=Group(sum(trained[k].numel() for k in n), len(n))
        )
        for g, n in members.items()
    ]


def _kind(name: str, parameter: Tensor) -> str:
    if parameter.ndim < 2:
        return "norms and vectors"
    return name.removesuffix(".weight").rpartition(".")[2]


# What is measured on: batches of reviews.


def _loaded(model: str | PathLike[str] | None) -> LanguageModel:
    return load_model(None if model is None or model == OWN_MODEL else model_source(model))


def _closures(
    loaded: LanguageModel, batches: int, size: int, words: int, seed: int
) -> Iterator[Closure]:
    text = [e for e in examples(load_reviews()) if len(e.sentence.split()) <= words]
    asked = batches * size
    if asked > len(text):
        raise ProbeError(
            f"{asked} sentences of at most {words} words are asked for; there are {len(text)}"
        )
    chosen = split(text, seed=seed, train=asked, validation=0).train
    ids = label_word_ids(loaded.tokenizer)
    parameter = next(loaded.model.parameters())
    for start in range(0, asked, size):
        batch = make_batch(loaded.tokenizer, chosen[start : start + size])
        batch = batch.to(parameter.device, parameter.dtype)

        def loss(batch: Batch = batch) -> Tensor:
            return prompt_loss(last_logits(loaded, batch), batch.labels, ids, "vocabulary")

        yield loss
