"""Does a run go on from what is kept of it, and do the services of PyTorch's optimisers work?"""

from __future__ import annotations

import copy
import io
import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import torch

from zotheory.checking.noise import alike, cosine
from zotheory.checking.registry import check
from zotheory.checking.result import Failed, NotApplicable, Passed
from zotheory.checking.subject import Subject, raised, seed_globally
from zotheory.checking.toy import Scene

AFTER = 4  # steps before a run is kept


def _going_on(subject: Subject) -> tuple[Scene, Any]:
    subject.needs_repeating()
    scene = subject.scene()
    made = subject.build(scene)
    subject.trace(scene, scene.curved(), AFTER, made=made)
    return scene, made


def _same_way(
    subject: Subject, one: tuple[Scene, Any], other: tuple[Scene, Any], what: str
) -> Passed:
    """Whether two go on alike; from a global generator of one state, if they draw from it."""
    runs = []
    for scene, made in (one, other):
        seed_globally(77)
        runs.append(subject.trace(scene, subject.scene().curved(), 3, made=made))
    for number, (a, b) in enumerate(zip(*runs, strict=True), 1):
        if not torch.equal(a.after, b.after):
            apart = float((a.after - b.after).norm() / a.update.norm().clamp_min(1e-300))
            told = f"{what}: step {number} is another ({apart:.2g} of a step apart)"
            if a.perturbed and b.perturbed and not alike(a.perturbed[0], b.perturbed[0]):
                told += f", its noise too (cosine {cosine(a.perturbed[0], b.perturbed[0]):.2f})"
            raise Failed(told, step=number, apart=apart)
    return Passed(f"{what}: 3 further steps equal bit for bit")


def _stateful(made: Any) -> None:
    if not (hasattr(made, "state_dict") and hasattr(made, "load_state_dict")):
        raise NotApplicable("it has no state_dict")


@check("state", "A run that is resumed from a checkpoint must be the run that was not interrupted.")
def state_dict_goes_on(subject: Subject) -> Passed:
    scene, made = _going_on(subject)
    _stateful(made)
    kept = io.BytesIO()
    torch.save([scene.model.state_dict(), made.state_dict()], kept)
    kept.seek(0)
    weights, state = torch.load(kept, weights_only=False)
    there = subject.scene()
    there.model.load_state_dict(weights)
    again = subject.build(there, globally=subject.seed + 1)
    again.load_state_dict(state)
    return _same_way(subject, (scene, made), (there, again), "resumed from a state_dict")


@check("state", "Frameworks keep checkpoints with weights_only=True: plain tensors and numbers.")
def state_dict_is_plain(subject: Subject) -> Passed:
    _, made = _going_on(subject)
    _stateful(made)
    kept = io.BytesIO()
    torch.save(made.state_dict(), kept)
    kept.seek(0)
    try:
        torch.load(kept, weights_only=True)
    except pickle.UnpicklingError as error:
        raise Failed(
            f"torch.load(weights_only=True) refuses its state_dict: {raised(error)}"
        ) from error
    return Passed("torch.load(weights_only=True) reads it")


def _copied(subject: Subject, how: Callable[[Any], Any], what: str) -> Passed:
    scene, made = _going_on(subject)
    try:
        there, again = how((scene, made))
    except Exception as error:
        raise Failed(f"{what} raised {raised(error)}") from error
    if next(iter(there.model.parameters())) is next(iter(scene.model.parameters())):
        raise Failed(f"{what} shares its weights with the original")
    return _same_way(subject, (scene, made), (there, again), what)


@check(
    "state", "Copies are made for averages of weights, trials, and by frameworks behind one's back."
)
def deepcopy_goes_on(subject: Subject) -> Passed:
    return _copied(subject, copy.deepcopy, "a deep copy")


@check("state", "Workers and some frameworks pickle what they are given.")
def pickle_goes_on(subject: Subject) -> Passed:
    return _copied(
        subject, lambda pair: cloudpickle.loads(cloudpickle.dumps(pair)), "a pickled copy"
    )


_RESUME = """
import json, sys
sys.path += [path for path in json.loads(sys.argv[2]) if path not in sys.path]
import cloudpickle, torch
subject, path, out = cloudpickle.load(open(sys.argv[1], "rb"))
weights, state = torch.load(path, weights_only=False)
scene = subject.scene()
scene.model.load_state_dict(weights)
made = subject.build(scene, globally=subject.seed + 1)
made.load_state_dict(state)
from zotheory.checking.subject import alone, seed_globally
with alone():
    seed_globally(77)
    steps = subject.trace(scene, subject.scene().curved(), 2, made=made)
torch.save([step.after for step in steps], out)
"""


@check(
    "state", "Python's hashes differ between processes: what is seeded by hash() does not go on."
)
def a_new_process_goes_on(subject: Subject) -> Passed:
    scene, made = _going_on(subject)
    _stateful(made)
    with tempfile.TemporaryDirectory() as folder:
        kept, out, what = (Path(folder) / name for name in ("kept.pt", "out.pt", "what.pkl"))
        torch.save([scene.model.state_dict(), made.state_dict()], kept)
        try:
            what.write_bytes(cloudpickle.dumps((subject, kept, out)))
        except Exception as error:
            raise NotApplicable(
                f"the factory cannot be sent to a process: {raised(error)}"
            ) from error
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _RESUME, str(what), json.dumps(sys.path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise Failed(f"in a new process it raised {last[0][:200]}")
        there = torch.load(out)
    seed_globally(77)
    here = subject.trace(scene, subject.scene().curved(), 2, made=made)
    for number, (one, other) in enumerate(zip(here, there, strict=True), 1):
        if not torch.equal(one.after, other):
            apart = float((one.after - other).norm() / one.update.norm())
            raise Failed(
                f"resumed in a new process, step {number} is another ({apart:.2g} of a step apart)"
            )
    return Passed("2 further steps equal bit for bit")


@check(
    "state",
    "torchtitan, Lightning and others keep optimisers by torch.distributed.checkpoint, which "
    "takes state and groups alone.",
)
def distributed_checkpoint_goes_on(subject: Subject) -> Passed:
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    scene, made = _going_on(subject)
    if not isinstance(made, torch.optim.Optimizer):
        raise NotApplicable("it is no torch.optim.Optimizer")
    weights, state = copy.deepcopy(get_state_dict(scene.model, made))
    there = subject.scene()
    again = subject.build(there, globally=subject.seed + 1)
    set_state_dict(there.model, again, model_state_dict=weights, optim_state_dict=state)
    return _same_way(subject, (scene, made), (there, again), "resumed by set_state_dict")


def _grouped(made: Any) -> None:
    if not getattr(made, "param_groups", None):
        raise NotApplicable("it has no param_groups")


@check(
    "state", "A schedule of PyTorch writes the groups' learning rate: a step must read it there."
)
def schedules_have_effect(subject: Subject) -> Passed:
    scene, made = subject.scene(), None
    made = subject.build(scene)
    _grouped(made)
    subject.needs_repeating()
    if not isinstance(made, torch.optim.Optimizer):
        raise NotApplicable("it is no torch.optim.Optimizer")
    schedule = torch.optim.lr_scheduler.LambdaLR(made, lambda step: 1.0 if step < 2 else 0.0)
    moved = []
    for _ in range(4):
        (step,) = subject.trace(scene, scene.linear(), made=made)
        schedule.step()
        moved.append(float(step.update.norm()))
    if not moved[0]:
        raise Failed("at its full rate a step moves nothing")
    if moved[3] > 1e-6 * moved[0]:
        raise Failed(
            f"where the schedule says 0, a step moves {moved[3] / moved[0]:.2g} as far as before"
        )
    return Passed("where the schedule says 0, nothing moves")


@check("state", "Weight decay in a group must shrink the weights, and in no group, not.")
def weight_decay_shrinks(subject: Subject) -> Passed:
    moved = {}
    for decay in (0.0, 0.1):
        scene = subject.scene()
        made = subject.build(scene)
        _grouped(made)
        if "weight_decay" not in made.param_groups[0]:
            raise NotApplicable("its groups have no weight_decay")
        for group in made.param_groups:
            group["weight_decay"] = decay
        (step,) = subject.trace(scene, lambda seen: seen.sum() * 0.0 + 1.0, made=made)
        moved[decay] = step
    shrink = float(moved[0.1].update @ moved[0.1].before / moved[0.1].before.square().sum())
    wanted = -0.1 * subject.lr
    if shrink > 0.5 * wanted:
        raise Failed(
            f"at weight_decay 0.1 and lr {subject.lr:g} the weights change by {shrink:.2g} of them;"
            f" {wanted:.2g} is asked"
        )
    return Passed(
        f"at weight_decay 0.1 the weights change by {shrink:.3g} of them; lr times decay is"
        f" {-wanted:.3g}"
    )


@check(
    "state",
    "Layers added later (gradual unfreezing) must move, with noise of their own, and the state"
    " must still be kept.",
)
def added_groups_move(subject: Subject) -> Passed:
    scene = subject.scene()
    layers = scene.toy.blocks
    first, later = layers[:3], layers[3]
    names = [n for n in scene.slices() if not n.startswith("layers.3")]
    groups = [{"params": [scene.parameters[n] for n in names]}]
    made = subject.build(scene, groups=groups)
    if not hasattr(made, "add_param_group"):
        raise NotApplicable("it has no add_param_group")
    place = scene.slices()["layers.3.linear.weight"]
    other = scene.slices()["layers.0.linear.weight"]
    (before,) = subject.trace(scene, scene.linear(), made=made)
    if float(before.update[place].norm()):
        raise Failed("a weight that it was not given moves")
    made.add_param_group({"params": list(later.parameters()), "lr": subject.lr})
    steps = subject.trace(scene, scene.linear(), 16, made=made)
    if not any(float(step.update[place].norm()) for step in steps):
        raise Failed("a group added later does not move in 16 steps")
    for step in steps:
        for move in step.perturbed:
            if (
                float(move[place].norm())
                and float(move[other].norm())
                and alike(move[place], move[other])
            ):
                raise Failed("a group added later has the noise of an earlier tensor")
    if hasattr(made, "state_dict"):
        try:
            made.state_dict()
        except Exception as error:
            raise Failed(f"after add_param_group state_dict raised {raised(error)}") from error
    return Passed(f"moves, beside {len(first)} earlier layers, and the state can be kept")


@check("state", "A name in use already must not give two tensors one noise.")
def added_names_do_not_clash(subject: Subject) -> Passed:
    scene = subject.scene()
    one, two = scene.toy.blocks[0].linear, scene.toy.blocks[1].linear
    if subject.takes_model and not subject.takes_both:
        raise NotApplicable("it takes a model, and no named parameters")
    seed_globally(subject.seed)
    if subject.takes_both:
        try:
            made = subject.factory([("weight", one.weight)], lr=subject.lr, seed=subject.seed)
        except ValueError as error:  # of one that needs its model
            raise NotApplicable(f"it takes no parameters alone: {error}"[:200]) from error
    else:
        try:
            made = subject._made([("weight", one.weight)], subject.lr, subject.seed, {})
        except Exception as error:
            raise NotApplicable(f"it takes no named parameters ({type(error).__name__})") from error
    if not hasattr(made, "add_param_group"):
        raise NotApplicable("it has no add_param_group")
    try:
        made.add_param_group({"params": [("weight", two.weight)]})
    except ValueError as error:
        return Passed(f"refused: {error}"[:200])
    step = subject.trace(scene, scene.linear(), made=made)[0]
    first, second = (scene.slices()[f"layers.{i}.linear.weight"] for i in (0, 1))
    for move in step.perturbed:
        if float(move[second].norm()) and alike(move[first], move[second]):
            raise Failed("two tensors of one name have the same noise")
    return Passed("two tensors of one name have noise of their own")


@check(
    "state", "Two optimisers in one program (a generator and a critic, two adapters) step in turn."
)
def two_do_not_disturb_each_other(subject: Subject) -> Passed:
    subject.needs_repeating()
    if _draws_globally(subject):
        raise Failed("it draws from the global generators, so that two share their numbers")
    alone, pair = subject.scene(), (subject.scene(), subject.scene(seed=9))
    single = subject.trace(alone, alone.curved(), 4)
    made = subject.build(pair[0]), subject.build(pair[1], seed=subject.seed + 3)
    loss = [scene.curved() for scene in pair]
    mixed = []
    for _ in range(4):
        mixed += subject.trace(pair[0], loss[0], made=made[0])
        subject.trace(pair[1], loss[1], made=made[1])
    for number, (one, other) in enumerate(zip(single, mixed, strict=True), 1):
        if not torch.equal(one.after, other.after):
            raise Failed(f"beside another optimiser, step {number} is another")
    return Passed("4 steps in turn with another, equal bit for bit to those alone")


def _draws_globally(subject: Subject) -> bool:
    """Whether the noise of a step depends on the global generators at its time."""
    noises = []
    for later in (1, 2):
        scene = subject.scene()
        made = subject.build(scene)
        seed_globally(later)
        (step,) = subject.trace(scene, scene.curved(), made=made)
        noises.append(step.perturbed[0] if step.perturbed else step.update)
    return not torch.allclose(noises[0], noises[1])
