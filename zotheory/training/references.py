"""What fine-tuning is compared with: the model as it is, shown examples, or probed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.prompts import LABEL_WORDS, prompt
from zotheory.model.reviews import Example, Split
from zotheory.training.model import Demonstrated
from zotheory.training.objective import Objective, Score
from zotheory.training.setup import Setup, TrainingError
from zotheory.training.state import Tally

PENALTIES = tuple(10.0**k for k in range(-4, 3))
BETWEEN = "\n\n"  # two demonstrations, as in MeZO's released code


@dataclass(frozen=True)
class Found:
    """A reference's scores, what getting ready cost in passes, and what it chose."""

    validation: Score
    test: Score
    training: Tally
    evaluation: Tally
    chosen: dict[str, Any]


def zero_shot(setup: Setup, objective: Objective, text: Split, check: Callable[[], None]) -> Found:
    """The model as it is."""
    return _scored(objective, text, Tally(), {}, check)


def icl(setup: Setup, objective: Objective, text: Split, check: Callable[[], None]) -> Found:
    """In-context learning (Brown et al. 2020): labelled sentences stand before each prompt.

    The first `shots` training sentences (32 in the papers), or as many as the model's context
    holds. What the model computes for them is kept and shared by all prompts.
    """
    shots = dict(setup.options).get("shots", 32)
    if not isinstance(shots, int) or shots < 1:
        raise TrainingError(f"icl: shots must be a number of at least 1, got {shots}")
    plain, training = objective.language_model, Tally()
    room = _room(plain, text)
    for count in range(min(shots, len(text.train)), 0, -1):
        tokens = _demonstrations(plain, text.train[:count])
        if tokens.numel() <= room:
            break
    else:
        raise ModelError(f"{plain.name} has no room for a demonstration")
    with objective.counter.into(training):
        model: Any = Demonstrated(plain.model, tokens.to(objective.device))
    shown = LanguageModel(plain.name, model.eval(), plain.tokenizer)
    behind = Objective(shown, objective.kind, objective.device, objective.dtype, begin=False)
    return _scored(behind, text, training, {"shots": count}, check)


def linear_probe(
    setup: Setup, objective: Objective, text: Split, check: Callable[[], None]
) -> Found:
    """Logistic regression on the features that the model's head sees (Kumar et al. 2022).

    Features are standardised by the training sentences; the penalty is the one of `PENALTIES`
    with the best validation loss, which is over the two classes.
    """
    training, evaluation = Tally(), Tally()
    with objective.counter.into(training):
        x, y = _features(objective, text.train, check)
    with objective.counter.into(evaluation):
        validation = _features(objective, text.validation, check)
        test = _features(objective, text.test, check)
    mean, scale = x.mean(0), x.std(0) + 1e-6
    fits = {}
    for penalty in PENALTIES:
        check()
        head = _logistic_regression((x - mean) / scale, y, penalty)
        first, second = (_score(head, (a - mean) / scale, b) for a, b in (validation, test))
        fits[penalty] = first, second
    penalty = min(fits, key=lambda p: fits[p][0].loss)
    return Found(*fits[penalty], training, evaluation, {"penalty": penalty})


REFERENCES = {"zero_shot": zero_shot, "icl": icl, "linear_probe": linear_probe}


def _scored(
    objective: Objective,
    text: Split,
    training: Tally,
    chosen: dict[str, Any],
    check: Callable[[], None],
) -> Found:
    evaluation = Tally()
    with objective.counter.into(evaluation):
        validation, test = (objective.score(part, check) for part in (text.validation, text.test))
    return Found(validation, test, training, evaluation, chosen)


def _demonstrations(model: LanguageModel, shown: Sequence[Example]) -> Tensor:
    """Token ids (1, N) of the prompts with their label words, each followed by an empty line."""
    told = (prompt(e.sentence) + LABEL_WORDS[e.label] + BETWEEN for e in shown)
    return torch.tensor(model.tokenizer("".join(told)).input_ids)[None]


def _room(model: LanguageModel, text: Split) -> int:
    """Tokens that the model's context leaves in front of the longest prompt."""
    longest = max(
        len(model.tokenizer(prompt(e.sentence), add_special_tokens=False).input_ids)
        for part in (text.validation, text.test)
        for e in part
    )
    return getattr(model.model.config, "max_position_embeddings", 2048) - longest


@torch.no_grad()
def _features(
    objective: Objective, examples: Sequence[Example], check: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    """What the head of the model is given at each prompt's end: float64, (N, width); labels."""
    seen: list[Tensor] = []
    head = objective.language_model.model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda module, args: seen.append(args[0][0]))
    labels = []
    try:
        for batch in objective.batches(examples):
            check()
            objective.loss(batch)
            labels.append(batch.labels)
    finally:
        hook.remove()
    return torch.cat(seen).double().cpu(), torch.cat(labels).cpu()


def _logistic_regression(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """Minimise mean cross-entropy + penalty |w|^2 / 2; returns the weights, the bias last."""
    head = torch.zeros(x.shape[1] + 1, dtype=x.dtype, requires_grad=True)
    solver = torch.optim.LBFGS(
        [head],
        max_iter=1000,
        tolerance_grad=1e-8,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        solver.zero_grad()
        loss = cross_entropy(_logits(head, x), y) + penalty * head[:-1].square().sum() / 2
        loss.backward()
        return loss

    solver.step(closure)
    return head.detach()


def _logits(head: Tensor, x: Tensor) -> Tensor:
    margin = x @ head[:-1] + head[-1]
    return torch.stack([-margin / 2, margin / 2], 1)


def _score(head: Tensor, x: Tensor, y: Tensor) -> Score:
    logits = _logits(head, x)
    right = (logits.argmax(1) == y).double().mean()
    return Score(float(cross_entropy(logits, y)), float(right), len(y))
