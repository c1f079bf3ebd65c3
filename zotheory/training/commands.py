"""`zotheory train` and `zotheory results`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated, Any

import typer

from zotheory.budget import OWN_MODEL
from zotheory.console import console, stop
from zotheory.training.setup import AUTO, DType, Loss, Setup, TrainingError, Tuning


def train(
    method: Annotated[str, typer.Option(help="A recipe of `estimators`, or a reference.")],
    model: Annotated[str, typer.Option(help="Causal LM: a name, a folder or a file.")] = OWN_MODEL,
    task: Annotated[
        str, typer.Option(help="'reviews', or a file of lines label<TAB>sentence.")
    ] = "reviews",
    tuning: Annotated[Tuning, typer.Option(help="Which weights are trained.")] = "full",
    lr: Annotated[
        list[str] | None,
        typer.Option(help="A learning rate to try, or 'auto' to measure one; give several."),
    ] = None,
    options: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Of the method.")
    ] = None,
    loss: Annotated[Loss, typer.Option(help="What the softmax runs over.")] = "vocabulary",
    passes: Annotated[int | None, typer.Option(min=1, help="Budget in forward passes.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Budget in steps.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences in a batch.")] = 16,
    evaluate_every: Annotated[
        int | None, typer.Option(min=1, help="In steps; a tenth of the budget by default.")
    ] = None,
    train: Annotated[int, typer.Option(min=1, help="Training sentences.")] = 1000,
    validation: Annotated[int, typer.Option(min=1, help="Validation sentences.")] = 500,
    test: Annotated[int, typer.Option(min=1, help="Test sentences.")] = 1000,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Leave out sentences with longer prompts.")
    ] = None,
    max_words: Annotated[
        int | None, typer.Option(min=1, help="Leave out sentences with more words.")
    ] = None,
    dtype: Annotated[DType, typer.Option(help="Of the weights.")] = "float32",
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; cuda where there is one.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of split, batches and noise.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; out/train/METHOD by default.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with an interrupted run.")] = False,
    save: Annotated[bool, typer.Option(help="Keep the best model, in OUT/model.")] = False,
) -> None:
    """Fine-tune a model by the papers' protocol, and write the result to OUT/row.json.

    Each learning rate is tried for the whole budget; the weights with the lowest validation loss
    are tested. Ctrl-C or SIGTERM stop the run between two steps, and --resume goes on from there.

    References: zero_shot, icl, linear_probe, ft_sgd, ft_adam (also with --tuning lora). Exit
    status: 0 done, 2 bad input or a missing download, 130 or 143 stopped.
    """
    from zotheory.model.assets import AssetError
    from zotheory.model.language_model import ModelError
    from zotheory.training.checkpoint import Stopped
    from zotheory.training.model import best_device
    from zotheory.training.rows import show
    from zotheory.training.run import train as run
    from zotheory.training.watch import TrainingProgress

    try:
        setup = Setup(
            method=method,
            model=model,
            task=task,
            tuning=tuning,
            lrs=tuple(map(_rate, lr or ())),
            options=tuple(sorted(map(_option, options or ()), key=lambda pair: pair[0])),
            loss=loss,
            passes=passes,
            steps=steps,
            batch_size=batch_size,
            evaluate_every=evaluate_every,
            train=train,
            validation=validation,
            test=test,
            max_tokens=max_tokens,
            max_words=max_words,
            dtype=dtype,
            device=device or best_device(),
            seed=seed,
        )
        out = out or Path("out/train") / method
        with TrainingProgress(console) as progress:
            row = run(setup, out, resume=resume, save=save, watch=progress)
    except (TrainingError, AssetError, ModelError) as error:
        stop(error)
    except Stopped as error:
        stop(f"{error}; the same command with --resume goes on", 128 + error.signum)
    except KeyboardInterrupt:
        stop("stopped at once; --resume goes on from the last checkpoint", 130)
    show(console, [row])


def results(
    places: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR|FILE]...", help="Where rows are.")
    ] = None,
    markdown: Annotated[bool, typer.Option(help="As Markdown.")] = False,
) -> None:
    """Show the rows that `zotheory train` wrote, under `results` by default, as a table."""
    from zotheory.training import rows as table

    try:
        rows = table.read_rows(places or [Path("results")])
    except TrainingError as error:
        stop(error)
    if markdown:
        print(table.markdown(rows), end="")
    else:
        table.show(console, rows)


def _rate(text: str) -> float | str:
    try:
        return AUTO if text == AUTO else float(text)
    except ValueError as error:
        raise TrainingError(f"--lr takes a number or 'auto', got {text!r}") from error


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise TrainingError(f"--set takes NAME=VALUE, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value
