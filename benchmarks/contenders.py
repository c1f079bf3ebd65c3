"""What is timed: a language model's loss, the recipes, and a plain loop to compare them with."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

import estimators.recipes
from zotheory.model.assets import AssetError
from zotheory.model.language_model import ModelError, load_model
from zotheory.papers.shared.steps import PublishedStep

REFERENCE = "reference"
LEADING = (REFERENCE, "mezo", "lezo", "mezo_gv", "mezo_greedy", "tezo", "lozo", "subzo", "svd0")
RECIPES = LEADING + tuple(
    name
    for name, value in vars(estimators.recipes).items()
    if inspect.isfunction(value)
    and value.__module__ == estimators.recipes.__name__
    and not name.startswith(("_", "with_"))
    and name not in LEADING
)
# Small enough to leave the model as it is, large enough to be written.
_LR, _EPS = 1e-9, 1e-3

Closure = Callable[[], Tensor]


def language_model() -> tuple[str, nn.Module]:
    """Return SmolLM2-135M in float32, with random weights if the download is missing."""
    try:
        loaded = load_model()
        return loaded.name, loaded.model
    except (AssetError, ModelError) as error:
        config = LlamaConfig(
            vocab_size=49152,
            hidden_size=576,
            intermediate_size=1536,
            num_hidden_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            tie_word_embeddings=True,
        )
        torch.manual_seed(0)
        return f"SmolLM2-135M with random weights ({error})", LlamaForCausalLM(config).eval()


def loss_of(model: nn.Module, batch: int, length: int) -> Closure:
    """Return the closure of the language-model loss on `batch` x `length` random tokens."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(model.config.vocab_size, (batch, length), generator=generator)
    tokens = tokens.to(model.device)
    return lambda: model(input_ids=tokens, labels=tokens, use_cache=False).loss


class Contender:
    """A recipe at work on a model; `evaluations` is what a step of it needs."""

    def __init__(self, name: str, apply: str, rank: int, model: nn.Module) -> None:
        self.name = name
        self.apply = apply
        self.model = model
        self.evaluations = 2
        self.optimizer = None
        if name == REFERENCE:
            self.published = PublishedStep(model, _LR, _EPS)
            return
        recipe = getattr(estimators, name)
        options = {"rank": rank} if takes_rank(name) else {}
        if name == "s_mezo" and apply == "forward":
            options["implementation"] = "forward"
        self.optimizer = recipe(model, lr=_LR, seed=0, apply=apply, **options)

    def step(self, closure: Closure) -> None:
        """Make one step."""
        if self.optimizer is None:
            self.published(closure)
            return
        self.optimizer.step(closure)
        self.evaluations = len(self.optimizer.log.losses[-1])


def takes_rank(name: str) -> bool:
    """Whether the noise of a recipe has low rank."""
    return "rank" in inspect.signature(getattr(estimators, name)).parameters
