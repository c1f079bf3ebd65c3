"""Rebuilding the weights of a logged run."""

from __future__ import annotations

from estimators.log import Log, Rates, describe, difference
from estimators.zeroth_order import ZerothOrder


def replay(optimizer: ZerothOrder, log: Log) -> None:
    """Rebuild the weights of a logged run, bit for bit, without evaluating anything.

    `optimizer` is built like that of the run, over the weights it started from (or, resumed,
    those it had after `optimizer.steps` steps). Seed, learning rates, weight decays and, where
    they changed later, eps and the parameters that were trained are the logged ones. In place,
    the weights go through the same perturbations as in the run, since its rounding errors are
    part of it.

    Raises ValueError, before anything is written, if the log is of another method, eps, noise or
    other parameters, has too few losses, or is shorter than `optimizer.steps`.
    """
    start = optimizer.steps
    if start > len(log):
        raise ValueError(f"the log has {len(log)} steps, the optimiser is at {start}")
    if start == len(log):
        return
    if log.method != optimizer.method:
        raise ValueError(difference("the method", log.method, optimizer.method))
    if log.eps_at(start) != optimizer.eps:
        raise ValueError(difference("eps", log.eps_at(start), optimizer.eps))
    ours = optimizer.named_parameters()
    for name, described in log.tensors.items():
        mine = describe(ours[name]) if name in ours else "no such parameter"
        if mine != described:
            raise ValueError(difference(name, described, mine))
    optimizer.seed = optimizer.log.seed = log.seed
    rule = optimizer.step_size
    if rule is not None:
        rule.follow(log.waiting)
    for step in range(start, len(log)):
        optimizer.eps = log.eps_at(step)
        optimizer.advance(recorded=(log.losses[step], log.rates_at(step)))
        optimizer.log.repeat(log, step)
    if rule is None:
        _set_rates(optimizer, log.rates_at(len(log) - 1))
    else:
        rule.follow(None)


def _set_rates(optimizer: ZerothOrder, rates: Rates) -> None:
    """Leave the groups with the last rates of their members."""
    for group in optimizer.param_groups:
        for name in group["param_names"]:
            if name in rates:
                group["lr"], group["weight_decay"] = rates[name]
