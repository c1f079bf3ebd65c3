"""Rebuilding the weights of a logged run."""

from __future__ import annotations

from estimators.log import Log, Rates, describe, difference
from estimators.streams import fingerprint
from estimators.zeroth_order import ZerothOrder


def replay(optimizer: ZerothOrder, log: Log) -> None:
    """Rebuild the weights of a logged run, without evaluating anything.

    Bit for bit where it was made (one device, library and number of threads); and on any device,
    with compiled noise or without, for weights perturbed in place with dense noise (`mezo`, signs,
    random and magnitude masks, layers left out, guiding vectors, ...) and updated by SGD: that
    arithmetic is ours. So is, on CPUs, that of dense moments and signs in 32 and 16 bits
    (`mezo_m`, `mezo_adam`, `zo_adamu`, `zo_sgd_sign`). PyTorch's is its own on every device, so
    that it is to rounding there for low-rank noise (products of matrices), `hizoo` (roots) and
    moments in other cases.

    `optimizer` is built like that of the run, over the weights it started from (or, resumed,
    those it had after `optimizer.steps` steps). Seed, learning rates, weight decays and, where
    they changed later, eps and the parameters that were trained are the logged ones. In place,
    the weights go through the same perturbations as in the run, since its rounding errors are
    part of it.

    Raises ValueError, before anything is written, if the log is of another method, eps, noise or
    other parameters, has too few losses, or is shorter than `optimizer.steps`; and if this
    installation draws other noise from the same seed, as its checksum tells.
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
    for device in {tensor.device for tensor in ours.values()}:
        if log.fingerprint and fingerprint(device) != log.fingerprint:
            raise ValueError(
                f"the noise differs: the log's has checksum {log.fingerprint}, that drawn on "
                f"{device} has {fingerprint(device)}; one of both installations is broken"
            )
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
