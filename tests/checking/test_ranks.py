"""Sharded weights: what gathers them before it writes passes, too."""

from contextlib import nullcontext

import pytest
import torch
from torch.distributed.fsdp import FullyShardedDataParallel

from zotheory.checking.lineup import subject_of
from zotheory.checking.run import made
from zotheory.checking.suite import checks


class Gathered:
    """MeZO that writes whole weights."""

    def __init__(self, model, lr, seed=0):
        self.model, self.lr, self.key = model, lr, seed

    def add(self, scale):
        sharded = isinstance(self.model, FullyShardedDataParallel)
        whole = FullyShardedDataParallel.summon_full_params if sharded else nullcontext
        generator = torch.Generator().manual_seed(self.key)
        with whole(self.model), torch.no_grad():
            for p in self.model.parameters():
                p.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype), alpha=scale)

    def step(self, closure):
        losses = []
        for scale in (1e-3, -2e-3):
            self.add(scale)
            losses.append(float(closure()))
        self.add(1e-3)
        self.add(-self.lr * (losses[0] - losses[1]) / 2e-3)
        self.key += 1000


@pytest.mark.slow
def test_whole_weights_are_trained_on_two_ranks():
    (check,) = checks(("sharded_weights_are_trained_or_refused",))
    found = made(check, subject_of(Gathered))
    assert (found.status, "losses see the noise" in found.told) == ("passed", True)
