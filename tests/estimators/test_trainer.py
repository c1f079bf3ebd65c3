"""The Trainer: no gradients, and everything else that a Trainer does."""

from functools import partial

import pytest
import torch
from torch import nn
from transformers import Trainer, TrainerCallback

import estimators
from estimators.trainer import ZerothOrderTrainer
from tests.estimators.language import arguments, sentences, tiny_llama
from tests.estimators.problems import RECIPES, build, same, weights


def trainer(folder, name="mezo", model=None, **options):
    options = {"train_dataset": sentences(), **options}
    kind = {
        k: options.pop(k) for k in ("callbacks", "train_dataset", "eval_dataset") if k in options
    }
    recipe = options.pop("recipe", partial(build, name))
    model = tiny_llama() if model is None else model
    return ZerothOrderTrainer(model, arguments(folder, **options), recipe=recipe, **kind)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_without_gradients(name, tmp_path):
    model = tiny_llama()

    def forbid(parameter):
        raise AssertionError("a gradient was computed")

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(forbid)
    modes = []
    model.register_forward_hook(lambda *_: modes.append(torch.is_grad_enabled()))
    before = weights(model)
    run = trainer(tmp_path, name, model, max_steps=2)
    run.train()
    assert not any(modes)
    assert all(p.grad is None for p in model.parameters())
    assert not same(before, weights(model))
    optimizer = run.optimizer.optimizer
    assert optimizer.steps == 2
    assert len(modes) == sum(map(len, optimizer.log.losses))


@pytest.mark.parametrize("apply", ["inplace", "forward"])
def test_the_trainer_makes_the_steps_of_a_plain_loop(apply, tmp_path):
    """Schedule, decay groups, batches and their losses: the weights are those of a short loop."""
    data = sentences(8)
    run = trainer(
        tmp_path,
        recipe=partial(estimators.tezo_adam, apply=apply, rank=4),
        train_dataset=data,
        max_steps=5,
        weight_decay=0.5,
        warmup_steps=2,
        per_device_train_batch_size=8,
        lr_scheduler_type="cosine",
        seed=11,
    )
    run.train()

    model = tiny_llama()
    norms = [(n, p) for n, p in model.named_parameters() if "norm" in n]
    others = [(n, p) for n, p in model.named_parameters() if "norm" not in n]
    groups = [{"params": others}, {"params": norms, "weight_decay": 0.0}]
    optimizer = estimators.tezo_adam(
        groups, 1e-3, model=model, weight_decay=0.5, seed=11, rank=4, apply=apply
    )
    inputs, labels = (torch.stack([d[k] for d in data]) for k in ("input_ids", "labels"))
    rates = [0.0, 5e-4, 1e-3, 7.5e-4, 2.5e-4]
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step(lambda: model(input_ids=inputs, labels=labels).loss)
    logged = [entry["learning_rate"] for entry in run.state.log_history if "loss" in entry]
    torch.testing.assert_close(logged, rates)
    for left, right in zip(run.model.parameters(), model.parameters(), strict=True):
        # The order of sentences in the batch changes roundings of the loss only.
        torch.testing.assert_close(left, right, rtol=0, atol=2e-4)


def test_accumulation_is_a_larger_batch(tmp_path):
    """Uneven numbers of tokens: the loss is the mean over the tokens of all batches."""
    losses = []
    for size, batches in ((8, 1), (4, 2), (2, 4)):
        run = trainer(
            tmp_path,
            train_dataset=sentences(24),
            max_steps=3,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=batches,
        )
        run.train()
        losses.append(run.optimizer.optimizer.log.losses)
        logged = [entry["loss"] for entry in run.state.log_history if "loss" in entry]
        means = [sum(step) / len(step) for step in losses[-1]]
        torch.testing.assert_close(logged, means, rtol=0, atol=1e-4)
    for other in losses[1:]:
        torch.testing.assert_close(other, losses[0], rtol=0, atol=1e-5)


def test_batches_of_models_that_do_not_count_tokens_are_averaged(tmp_path):
    class Regression(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 1)

        def forward(self, x, labels):
            return {"loss": (self.linear(x).squeeze(-1) - labels).square().mean()}

    data = [{"x": torch.full((3,), i / 10), "labels": torch.tensor(1.0)} for i in range(8)]
    losses = []
    for size, batches in ((8, 1), (2, 4)):
        torch.manual_seed(0)
        options = {"per_device_train_batch_size": size, "gradient_accumulation_steps": batches}
        run = trainer(tmp_path, model=Regression(), train_dataset=data, max_steps=4, **options)
        run.train()
        losses.append(run.optimizer.optimizer.log.losses)
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["mezo", "svd0_adam", "lozo_m", "tezo_adam"])
def test_a_resumed_run_equals_the_uninterrupted_one(name, tmp_path):
    options = {
        "max_steps": 8,
        "save_strategy": "steps",
        "save_steps": 3,
        "gradient_accumulation_steps": 2,
        "weight_decay": 0.1,
    }
    whole = trainer(tmp_path, name, **options)
    whole.train()
    rest = trainer(tmp_path, name, **options)
    rest.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert same(weights(whole.model), weights(rest.model))
    logs = [run.optimizer.optimizer.log for run in (whole, rest)]
    assert logs[0].losses == logs[1].losses
    assert logs[0].rates == logs[1].rates
    assert len(logs[0]) == 8


def test_evaluation_logging_and_stopping(tmp_path):
    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.global_step == 4

    run = trainer(
        tmp_path,
        eval_dataset=sentences(6),
        eval_strategy="steps",
        eval_steps=2,
        callbacks=[Stop()],
    )
    run.train()
    history = run.state.log_history
    assert [e["step"] for e in history if "eval_loss" in e] == [2, 4]
    assert run.optimizer.optimizer.steps == 4
    assert not any("grad_norm" in entry for entry in history)
    assert run.evaluate()["eval_loss"] == [e["eval_loss"] for e in history if "eval_loss" in e][-1]


def test_dropout_is_off_while_losses_are_compared(tmp_path):
    ends = []
    for rate in (0.0, 0.5):
        run = trainer(tmp_path, model=tiny_llama(attention_dropout=rate))
        run.train()
        ends.append(weights(run.model))
    assert same(*ends)


def test_the_loss_falls(tmp_path):
    tokens = torch.randint(0, 4, (32, 9), generator=torch.Generator().manual_seed(1))
    data = [{"input_ids": row, "labels": row} for row in tokens]
    options = {"max_steps": 30, "learning_rate": 3e-3, "lr_scheduler_type": "constant"}
    run = trainer(tmp_path, train_dataset=data, eval_dataset=data, **options)
    before = run.evaluate()["eval_loss"]
    run.train()
    assert run.evaluate()["eval_loss"] < before - 0.2


def test_an_optimiser_and_a_scheduler_of_ones_own(tmp_path):
    model = tiny_llama()
    optimizer = estimators.mezo(model, lr=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    run = ZerothOrderTrainer(
        model,
        arguments(tmp_path),
        optimizers=(optimizer, schedule),
        train_dataset=sentences(),
    )
    run.train()
    assert optimizer.steps == 6
    rates = [rate for _, (rate,), _ in optimizer.log.rates]
    torch.testing.assert_close(rates, [1e-3, 1e-4, 1e-5])


def test_a_nan_stops_the_run_with_the_weights_restored(tmp_path):
    class Poisoned(ZerothOrderTrainer):
        def compute_loss(self, *args, **kwargs):
            return super().compute_loss(*args, **kwargs) * float("nan")

    model = tiny_llama(torch.bfloat16)
    before = weights(model)
    run = Poisoned(model, arguments(tmp_path), recipe=estimators.mezo, train_dataset=sentences())
    with pytest.raises(ValueError, match="returned nan in step 0"):
        run.train()
    assert same(before, weights(model))


def test_bad_arguments(tmp_path):
    model, args = tiny_llama(), arguments(tmp_path)
    with pytest.raises(ValueError, match="either a recipe or"):
        ZerothOrderTrainer(model, args)
    with pytest.raises(ValueError, match="either a recipe or"):
        ZerothOrderTrainer(
            model, args, recipe=estimators.mezo, optimizers=(estimators.mezo(model), None)
        )
    with pytest.raises(TypeError, match="need a ZerothOrder optimiser, got SGD"):
        ZerothOrderTrainer(model, args, optimizers=(torch.optim.SGD(model.parameters(), 0.1), None))
    args.fp16 = True
    with pytest.raises(ValueError, match="load the model in float16"):
        ZerothOrderTrainer(model, args, recipe=estimators.mezo)
    assert issubclass(ZerothOrderTrainer, Trainer)


@pytest.mark.slow
def test_the_real_model_on_the_reviews(tmp_path):
    """SmolLM2-135M reads "<sentence> It was" and learns to say terrible or great."""
    from zotheory.model.language_model import load_model
    from zotheory.model.prompts import LABEL_WORDS, prompt
    from zotheory.model.reviews import examples, load_reviews, split

    loaded = load_model()
    reviews = split(examples(load_reviews()), seed=0)

    def encode(example):
        tokens = loaded.tokenizer(prompt(example.sentence) + LABEL_WORDS[example.label]).input_ids
        tokens = tokens[-32:]
        pad = 32 - len(tokens)
        return {
            "input_ids": torch.tensor([0] * pad + tokens),
            "attention_mask": torch.tensor([0] * pad + [1] * len(tokens)),
            "labels": torch.tensor([-100] * 31 + tokens[-1:]),  # the label word alone
        }

    run = trainer(
        tmp_path,
        model=loaded.model,
        recipe=partial(estimators.tezo, apply="forward"),
        train_dataset=[encode(e) for e in reviews.train[:512]],
        eval_dataset=[encode(e) for e in reviews.validation[:24]],
        max_steps=15,
        learning_rate=3e-6,
        lr_scheduler_type="constant",
        per_device_train_batch_size=8,
        logging_steps=5,
    )
    before = run.evaluate()["eval_loss"]
    run.train()
    assert run.evaluate()["eval_loss"] < before - 0.3
    assert all(p.grad is None for p in loaded.model.parameters())
