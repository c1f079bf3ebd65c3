"""The methods by name: recipes of `estimators`, and the references they are compared with."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

import estimators
from zotheory.training.setup import AUTO, PASSES, Setup, TrainingError, grid, options

ZEROTH_ORDER = tuple(
    name
    for name in estimators.__all__
    if getattr(estimators, name).__module__ == "estimators.recipes" and not name.startswith("with_")
)
FIRST_ORDER: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "ft_sgd": torch.optim.SGD,
    "ft_adam": torch.optim.AdamW,
}
_FIRST_ORDER_OPTIONS: dict[str, dict[str, Any]] = {
    "ft_sgd": {"momentum": 0.0, "weight_decay": 0.0},
    "ft_adam": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
}
UNTRAINED: dict[str, dict[str, Any]] = {
    "zero_shot": {},
    "icl": {"shots": 32},  # LeZO, Sec. 5.1
    "linear_probe": {},
}
METHODS = (*UNTRAINED, *FIRST_ORDER, *ZEROTH_ORDER)


def complete(setup: Setup) -> Setup:
    """The setup with what it leaves open filled in: learning rates and a budget.

    Raises:
        TrainingError: the method is unknown, or something does not apply to it.
    """
    name = setup.method
    if name not in METHODS:
        raise TrainingError(f"no method {name!r}; there are {', '.join(METHODS)}")
    known = _defaults(name)
    for option, _ in setup.options:
        if option not in known:
            raise TrainingError(f"{name} has no option {option!r}; it has {', '.join(known)}")
    if name in UNTRAINED:
        for field in ("lrs", "passes", "steps", "evaluate_every"):
            if getattr(setup, field):
                raise TrainingError(f"{name} takes no steps: leave out {field}")
        if setup.tuning != "full":
            raise TrainingError(f"{name} takes no steps: leave out tuning")
        return setup
    if name in FIRST_ORDER and setup.tuning == "full" and setup.dtype != "float32":
        raise TrainingError(f"first-order steps are lost in {setup.dtype} weights: use float32")
    if name in FIRST_ORDER and AUTO in setup.lrs:
        raise TrainingError(f"{name} computes gradients: its lr is a number, not auto")
    if not setup.lrs:
        setup = replace(setup, lrs=grid(name, setup.tuning))
    if setup.passes is None and setup.steps is None:
        setup = replace(setup, passes=PASSES)
    return setup


def hyperparameters(setup: Setup) -> dict[str, Any]:
    """All options of the method but the learning rate, with the values in effect."""
    return _defaults(setup.method) | _chosen(setup)


def build(setup: Setup, lr: float | str, model: nn.Module) -> torch.optim.Optimizer:
    """The method's optimiser over the trainable weights of `model`.

    Its `step(closure)` makes a step; the closure returns the loss, and computes gradients where
    they are enabled.

    Raises:
        TrainingError: an option has a bad value, or does not fit the weights.
    """
    try:
        if setup.method in FIRST_ORDER:
            weights = [p for p in model.parameters() if p.requires_grad]
            values = hyperparameters(setup)
            return FIRST_ORDER[setup.method](weights, lr=lr, **values)
        recipe = getattr(estimators, setup.method)
        return recipe(model, lr, seed=setup.seed, **_chosen(setup))
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{setup.method}: {error}") from error


def _defaults(name: str) -> dict[str, Any]:
    if name in UNTRAINED:
        return dict(UNTRAINED[name])
    if name in FIRST_ORDER:
        return dict(_FIRST_ORDER_OPTIONS[name])
    shared = {"weight_decay": 0.0, "apply": "inplace", "restore": None}
    if name == "s_mezo":  # its `implementation` says so
        del shared["apply"], shared["restore"]
    general = {"_gv": "with_guiding_vector", "_greedy": "with_greedy"}
    names = [name, *(value for end, value in general.items() if name.endswith(end))]
    own = {
        parameter.name: parameter.default
        for function in names
        for parameter in inspect.signature(getattr(estimators, function)).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return own | shared


def _chosen(setup: Setup) -> dict[str, Any]:
    """Options whose values are not the recipe's own."""
    known = _defaults(setup.method)
    chosen = {}
    if setup.method in ZEROTH_ORDER:
        chosen = {k: v for k, v in options(setup.tuning).items() if known.get(k) is not None}
        if "horizon" in known:  # the number of steps planned; ZO-AdaMU's take two passes each
            chosen["horizon"] = setup.steps or (setup.passes or PASSES) // 2
    return chosen | dict(setup.options)
