"""A wrong optimiser for each check: `Right` but for one thing.

What each is for stands in `CONTROLS`: the check that it must fail first, and what else follows.
"""

from __future__ import annotations

import copy
import random
from contextlib import ExitStack, contextmanager, nullcontext
from typing import ClassVar

import torch

from tests.checking.right import Right


class Reseeded(Right):
    """Writes along noise that starts anew with every tensor."""

    def directions(self, seen, kept):
        return [self.noise(p, 0, "update") for p in self.parameters()]


class Renewed(Right):
    """Renews a factor every 100 steps, between evaluation and update."""

    def directions(self, seen, kept):
        found = super().directions(seen, kept)
        return [torch.roll(z, 1) if self.steps % 100 == 99 else z for z in found]


class UnevenCoefficients(Right):
    """Divides each tensor's step by the number of its dimensions."""

    def write(self, slope, along, kept):
        super().write(slope, [z / max(1, z.ndim) for z in along], kept)


class Single(Right):
    """Evaluates in 32 bits along rounded noise, and writes along noise with fewer bits."""

    def directions(self, seen, kept):
        narrow = kept[0].dtype == torch.float32
        noise = super().directions(seen, kept)
        return [z.to(torch.float8_e4m3fn).double() for z in noise] if narrow else noise


class Unrounded(Right):
    """Evaluates along rounded noise, writes along noise as drawn."""

    def directions(self, seen, kept):
        return self.noises("update")


class Doubled(Right):
    """Adds each parameter's step to what is there, although two may share memory."""

    def write(self, slope, along, kept):
        seen = {p.data_ptr() for p in self.parameters()}
        if len(seen) == len(along):
            return super().write(slope, along, kept)
        lr = self.param_groups[0]["lr"]
        for p, z in zip(self.parameters(), self.noises("update"), strict=True):
            p.sub_(z, alpha=lr * slope)
        return None


class OneRate(Right):
    """Takes the first group's learning rate for all."""

    def rate(self, group):
        return self.param_groups[0]["lr"]


class Thawed(Right):
    """Perturbs and moves what is frozen before it is made, too."""

    def __init__(self, model, lr=1e-3, seed=None):
        self.still = [p for p in model.parameters() if not p.requires_grad]
        super().__init__(model.parameters(), lr=lr, seed=seed)

    def parameters(self):
        known = {id(p) for p in self.still}
        return [
            p for g in self.param_groups for p in g["params"] if p.requires_grad or id(p) in known
        ]


class FixedList(Right):
    """Asks once for each weight whether it is frozen."""

    def __init__(self, *arguments, **options):
        self.found = {}
        super().__init__(*arguments, **options)

    def parameters(self):
        known = [p for group in self.param_groups for p in group["params"]]
        return [p for p in known if self.found.setdefault(id(p), p.requires_grad)]

    def __deepcopy__(self, memo):
        other = object.__new__(type(self))
        memo[id(self)] = other
        other.__dict__ = copy.deepcopy(self.__dict__, memo)
        other.found = {}
        return other

    def __getstate__(self):
        return {**self.__dict__, "found": {}}


class LeavesOut(Right):
    """Takes the first of named tensors for a layer, and leaves it out of every other step."""

    def noise(self, p, index, where):
        z = super().noise(p, index, where)
        names = self.param_groups[0].get("param_names", ())
        return z * 0.0 if len(names) > 2 and index == 0 and self.steps % 2 else z


class Demanding(Right):
    """Stops where a weight is not used by the loss."""

    def look(self, losses):
        if any(p.shape == (3, 3) for p in self.parameters()):
            raise IndexError("list index out of range")
        super().look(losses)


class SmallOnly(Right):
    """Perturbs weights below the median of the first step's sizes, of zeros none after a step."""

    def noise(self, p, index, where):
        if not hasattr(self, "limits"):
            self.limits = [q.abs().max() for q in self.parameters()]
        z = super().noise(p, index, where)
        if self.steps and index < len(self.limits) and not self.limits[index]:
            return torch.zeros_like(z)
        return z


class OneLoss(Right):
    """Spall's one-measurement form, with two losses."""

    def difference(self, plus, minus):
        return plus / self.eps


class SquaredRate(Right):
    """Multiplies by the learning rate twice."""

    def write(self, slope, along, kept):
        super().write(slope * self.param_groups[0]["lr"] * 1e2, along, kept)


class Uphill(Right):
    """Takes - from + the wrong way round."""

    def difference(self, plus, minus):
        return super().difference(minus, plus)


class HalfScale(Right):
    """Forgets that the difference spans 2 eps."""

    def difference(self, plus, minus):
        return 2.0 * super().difference(plus, minus)


class Bursts(Right):
    """Noise of one size at one time and another at another, of unit variance on average."""

    def noise(self, p, index, where):
        size = 1.9 if self.key(0, self.steps) % 2 else 0.1
        return super().noise(p, index, where) * size**0.5


class OneLine(Right):
    """Seeds every step alike."""

    def key(self, index, step):
        return super().key(index, 0)


class Seedless(Right):
    """Ignores its seed: noise depends on the step alone."""

    def key(self, index, step):
        return hash((index, step))


class Unseeded(Right):
    """Draws its seed where no one can fix it."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.seed = random.SystemRandom().getrandbits(60)


class SeedZero(Right):
    """Has seed 0 unless it is told another."""

    def __init__(self, params, lr=1e-3, seed=0):
        super().__init__(params, lr=lr, seed=seed)


class OneForAll(Right):
    """Seeds the noise of every tensor alike."""

    def key(self, index, step):
        return super().key(0, step)


class Global(Right):
    """Seeds PyTorch's global generator."""

    def noise(self, p, index, where):
        torch.manual_seed(self.key(index, self.steps))
        return torch.randn(p.shape, dtype=torch.float64)


class Uniform(Right):
    """Noise between 0 and 1, of unit second moment."""

    def noise(self, p, index, where):
        generator = torch.Generator("cpu").manual_seed(self.key(index, self.steps))
        return torch.rand(p.shape, dtype=torch.float64, generator=generator) * 3**0.5


class FanIn(Right):
    """Scales noise by the square root of the number of rows."""

    def noise(self, p, index, where):
        return super().noise(p, index, where) / p.shape[0] ** 0.5


class Drifting(Right):
    """Takes the noise off a little too much."""

    def restore(self, kept):
        for p, w, z in zip(self.parameters(), kept, self.noises("update"), strict=True):
            p.copy_(w - 4e-3 * self.eps * z)

    def write(self, slope, along, kept):
        super().write(slope, along, [p.clone() for p in self.parameters()])


class _InPlace(Right):
    """+eps, -2 eps, +eps in place, in one type."""

    kind: ClassVar[torch.dtype]

    def perturb(self, kept, noises, scale):
        if kept[0].dtype != self.kind:
            return super().perturb(kept, noises, scale)
        for p, z in zip(self.parameters(), noises, strict=True):
            p.add_(z * (scale if scale > 0 else 2 * scale))
        return None

    def restore(self, kept):
        if kept[0].dtype != self.kind:
            return super().restore(kept)
        for p, z in zip(self.parameters(), self.noises("update"), strict=True):
            p.add_(z * self.eps)
        return None

    def write(self, slope, along, kept):
        super().write(slope, along, [p.clone() for p in self.parameters()])


class DriftingBfloat16(_InPlace):
    """In place in bfloat16, from copies otherwise."""

    kind = torch.bfloat16


class DriftingFloat16(_InPlace):
    """In place in float16, from copies otherwise."""

    kind = torch.float16


class Careless(Right):
    """Leaves the weights perturbed if the closure raises."""

    def failed(self, error):
        return False

    def call(self, closure, around):
        try:
            return super().call(closure, around)
        except BaseException as error:
            if not self.failed(error):
                self.restore = lambda kept: self.__dict__.pop("restore")
            raise


class CarelessOfErrors(Careless):
    """Restores after interrupts and bad losses only."""

    def failed(self, error):
        return type(error).__name__ != "Stop"


class CarelessOfInterrupts(Careless):
    """`except Exception`: KeyboardInterrupt leaves the weights perturbed."""

    def failed(self, error):
        return isinstance(error, Exception)


class Interruptible(Right):
    """Lets interrupts in at any moment."""

    @contextmanager
    def interrupts(self):
        yield lambda call: call()


class TakesNaN(Right):
    """Uses losses that are NaN or infinite."""

    def value(self, loss):
        return float(loss)


class Evaluating(Right):
    """Sets the model to evaluation, and leaves it there."""

    def __init__(self, model, lr=1e-3, seed=None):
        super().__init__(model.parameters(), lr=lr, seed=seed)
        self.model = [model]

    def step(self, closure=None):
        self.model[0].eval()
        return super().step(closure)


class OneCall(Right):
    """Calls its closure once."""

    def call(self, closure, around):
        if not hasattr(self, "last"):
            self.last = super().call(closure, around)
            return self.last
        last = self.last
        del self.last
        return last * 1.001


class Sum(Right):
    """Returns the sum of 100 losses."""

    def step(self, closure=None):
        return 100 * super().step(closure)


class Hoarding(Right):
    """Keeps every direction."""

    def noises(self, where):
        found = super().noises(where)
        self.kept = [*getattr(self, "kept", []), found]
        return found


class Redrawing(Right):
    """Draws the noise of all steps before again."""

    def noises(self, where):
        now = self.steps
        for self.steps in range(now):
            super().noises(where)
        self.steps = now
        return super().noises(where)


class Forgetful(Right):
    """Leaves its step out of the state."""

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self.steps = 0


class Opaque(Right):
    """Keeps an object of its own in the state."""

    def state_dict(self):
        kept = super().state_dict()
        kept["param_groups"][0]["made by"] = Sum
        return kept

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self.param_groups[0].pop("made by", None)


class CopiedBadly(Right):
    """A deep copy starts at step 0."""

    def __deepcopy__(self, memo):
        other = object.__new__(type(self))
        memo[id(self)] = other
        other.__dict__ = copy.deepcopy(self.__dict__, memo)
        other.steps = 0
        return other


class PickledBadly(Right):
    """A pickled copy starts at step 0."""

    def __getstate__(self):
        return {**self.__dict__, "steps": 0}

    def __deepcopy__(self, memo):
        other = object.__new__(type(self))
        memo[id(self)] = other
        other.__dict__ = copy.deepcopy(self.__dict__, memo)
        return other


class Hashed(Right):
    """Seeds by hash() of a text, which is another in every process."""

    def key(self, index, step):
        return abs(hash(f"{self.seed} {step} {index}"))


class Beside(Right):
    """Keeps its step beside state and groups, where some frameworks do not look."""

    def state_dict(self):
        return {**torch.optim.Optimizer.state_dict(self), "step": self.steps, "seed": self.seed}

    def load_state_dict(self, state_dict):
        torch.optim.Optimizer.load_state_dict(self, state_dict)
        self.steps, self.seed = state_dict.get("step", 0), state_dict.get("seed", 0)


class OwnRate(Right):
    """Reads its learning rates at its first step."""

    def rate(self, group):
        return group.setdefault("rate", group["lr"])


class NoDecay(Right):
    """Has weight_decay in its groups, and does not read it."""

    def write(self, slope, along, kept):
        decays = [group["weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            group["weight_decay"] = 0.0
        super().write(slope, along, kept)
        for group, decay in zip(self.param_groups, decays, strict=True):
            group["weight_decay"] = decay


class FirstGroups(Right):
    """Looks at the groups that it was made with."""

    def __init__(self, params, lr=1e-3, seed=None):
        super().__init__(params, lr=lr, seed=seed)
        self.made = len(self.param_groups)

    def parameters(self):
        groups = self.param_groups[: self.__dict__.get("made")]
        return [p for group in groups for p in group["params"] if p.requires_grad]


class ByName(Right):
    """Seeds the noise by the parameter's name, which two may have."""

    def key(self, index, step):
        names = [n for g in self.param_groups for n in g.get("param_names", ())]
        return super().key(index if not names else hash(names[index]) % 1000, step)


class Shared(Right):
    """Draws other noise after a step of another of its kind."""

    last: ClassVar[list[Right | None]] = [None]

    def key(self, index, step):
        return super().key(index, step) + (1 if self.last[0] is not self else 0)

    def step(self, closure=None):
        found = super().step(closure)
        self.last[0] = self
        return found


class SilentOnRanks(Right):
    """Says nothing of equal losses where processes work together."""

    def look(self, losses):
        if not torch.distributed.is_initialized():
            super().look(losses)


class Cached(Right):
    """Evaluates in whatever autocast is round the step, which keeps cast weights."""

    @contextmanager
    def surroundings(self):
        with torch.inference_mode(False), torch.no_grad(), torch.device("cpu"):
            yield nullcontext


class Narrowed(Right):
    """Rounds weights to what a closure under autocast has made of them."""

    def call(self, closure, around):
        value = super().call(closure, around)
        seen = closure.points[-1][35:80] if hasattr(closure, "points") else None
        if seen is not None and torch.equal(seen, seen.bfloat16().double()):
            for p in self.parameters():
                if p.dtype == torch.float32:
                    p.data = p.data.bfloat16()
        return value


class Traced(Right):
    """Hides from models that are compiled while it is there."""

    @staticmethod
    def graphs():
        return torch._dynamo.utils.counters["stats"]["unique_graphs"]

    def perturb(self, kept, noises, scale):
        if self.graphs() <= self.__dict__.setdefault("before", self.graphs()):
            super().perturb(kept, noises, scale)


class DefaultType(Right):
    """Draws noise in the default type."""

    def noise(self, p, index, where):
        generator = torch.Generator("cpu").manual_seed(self.key(index, self.steps))
        kind = torch.get_default_dtype()
        return torch.randn(p.shape, generator=generator, dtype=kind, device="cpu")


class DefaultDevice(Right):
    """Draws noise on the default device."""

    @contextmanager
    def surroundings(self):
        cast, kind = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
        with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
            yield lambda: torch.autocast("cpu", kind, cast, cache_enabled=False)

    def noise(self, p, index, where):
        return super().noise(p, index, where) + torch.zeros(p.shape)


class Inference(Right):
    """Replaces the weights by tensors made in the mode in which it is called."""

    @contextmanager
    def surroundings(self):
        with torch.no_grad(), super().surroundings() as around, ExitStack():
            yield around

    def step(self, closure=None):
        inside = torch.is_inference_mode_enabled()
        found = super().step(closure)
        if inside:
            for p in self.parameters():
                p.data = p.data + 0.0
        return found


class OwnGradients(Right):
    """Writes its estimate into .grad."""

    def write(self, slope, along, kept):
        super().write(slope, along, kept)
        for p, z in zip(self.parameters(), along, strict=True):
            p.grad = (slope * z).to(p.dtype)


class Checkpointed(Right):
    """Takes twice the loss of a model that is checkpointed."""

    def call(self, closure, around):
        value = super().call(closure, around)
        show = getattr(getattr(closure, "scene", None), "show", None)
        cells = getattr(show, "__closure__", None) or ()
        return value * (2.0 if "checkpoint" in str([c.cell_contents for c in cells]) else 1.0)


class TakesOff(Right):
    """Takes the noise off what it finds, if a module has written there."""

    def restore(self, kept):
        for p, w, z in zip(self.parameters(), kept, self.noises("update"), strict=True):
            found = p + self.eps * z
            as_written = float((found - w).norm()) < 1e-3 * self.eps * float(z.norm())
            p.copy_(w if as_written or w.dtype != torch.float64 else found)

    def write(self, slope, along, kept):
        super().write(slope, along, [p.clone() for p in self.parameters()])


class Tensors(Right):
    """Wants losses that are tensors."""

    def value(self, loss):
        return super().value(loss.detach())


class Rows(Right):
    """Writes along memory, whatever the strides."""

    def perturb(self, kept, noises, scale):
        for p, w, z in zip(self.parameters(), kept, noises, strict=True):
            p.copy_(w)
            p.view(-1).add_(z.reshape(-1), alpha=scale)


class Blind(Right):
    """Leaves out weights on the meta device."""

    def parameters(self):
        return [p for p in super().parameters() if p.device.type != "meta"]


class Silent(Right):
    """Says nothing of equal losses."""

    def look(self, losses):
        pass


class Named(Right):
    """Seeds the noise by the parameters' names in the module that it is given."""

    def __init__(self, model, lr=1e-3, seed=None):
        self.names = [n for n, p in model.named_parameters() if p.requires_grad]
        super().__init__([p for p in model.parameters() if p.requires_grad], lr=lr, seed=seed)

    def key(self, index, step):
        text = self.names[index] if index < len(self.names) else str(index)
        return super().key(int.from_bytes(text.encode(), "big"), step)


class ByRows(Right):
    """Draws the noise of large weights row by row when it writes."""

    def directions(self, seen, kept):
        found = super().directions(seen, kept)
        for index, p in enumerate(self.parameters()):
            if p.numel() > 100_000:
                generator = torch.Generator("cpu").manual_seed(self.key(index, self.steps))
                kind = {"dtype": torch.float64, "generator": generator, "device": "cpu"}
                found[index] = torch.stack([torch.randn(len(row), **kind) for row in p])
        return found
