"""The command line: `zotheory verify | list | show | report | probe | check | train | ...`."""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zotheory.budget import BUDGETS, OWN_MODEL, BudgetName
from zotheory.console import console, run_app
from zotheory.console import stop as _stop
from zotheory.training.commands import results, train

if TYPE_CHECKING:
    from zotheory.ledger import Entry

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which published claims on zeroth-order optimisation are true, and how do you know?",
)
ObjectiveName = StrEnum("ObjectiveName", ["linear", "quadratic", "model"])
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID|PAPER|FILE.py]...", help="What to judge; everything by default."),
]


@app.command()
def verify(
    names: Names = None,
    budget: Annotated[BudgetName, typer.Option(help="How much work to spend.")] = "standard",
    model: Annotated[
        str, typer.Option(help="Causal LM for model claims: a name, a path, or 'none'.")
    ] = OWN_MODEL,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Root seed of every random stream.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the ledger and its page.")] = Path("out"),
    resume: Annotated[bool, typer.Option(help="Go on with an interrupted run.")] = False,
) -> None:
    """Judge claims; write OUT/ledger.json and, as a page to read, OUT/ledger.html.

    Exit status: 0 all judged as recorded; 1 a verdict differs from the recorded ledger, exact and
    measured evidence contradict each other, or a check failed; 2 bad input or a missing download.
    """
    from zotheory.ledger import LedgerError, changes, recorded
    from zotheory.model.source import ModelError
    from zotheory.montecarlo import MonteCarloError
    from zotheory.papers import BrokenClaims, UnknownClaim, files_digest, select
    from zotheory.report.terminal import Progress, summary
    from zotheory.run import OutputError, Run, asked_model

    try:
        claims = select(names or [])
        known = recorded()
        run = Run(
            seed,
            BUDGETS[budget],
            asked_model(model),
            out,
            jobs,
            dask,
            resume,
            files_digest(names or []),
        )
        with Progress(console, claims) as progress:
            entries = []
            for entry in run.entries(claims, progress.tell):
                progress.add(entry)
                entries.append(entry)
    except (
        UnknownClaim,
        BrokenClaims,
        ModelError,
        OutputError,
        LedgerError,
        MonteCarloError,
    ) as error:
        _stop(error)
    except KeyboardInterrupt:
        _stop(f"stopped; finished work is in {out}, `--resume` goes on from it", 130)
    changed = changes(entries, known.claims)
    summary(console, entries, changed, out / "ledger.json")
    raise typer.Exit(_status(entries, changed))


def _status(entries: list[Entry], changed: list[tuple[str, str, str]]) -> int:
    from zotheory.judge import CONTRADICTION

    if changed or any(e.failed or CONTRADICTION in e.reason for e in entries):
        return 1
    return 2 if any(e.missing for e in entries) else 0


@app.command("list")
def list_claims(names: Names = None) -> None:
    """Name the claims: id, place in the paper, what is said of what, the recorded verdict."""
    from zotheory.ledger import LedgerError, recorded
    from zotheory.papers import BrokenClaims, UnknownClaim, outline
    from zotheory.report.terminal import listing

    try:
        console.print(listing(outline(names or [], recorded().claims)))
    except (UnknownClaim, BrokenClaims, LedgerError) as error:
        _stop(error)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="A claim's id.")],
    ledger: Annotated[
        Path | None, typer.Option(help="A ledger.json; the recorded one by default.")
    ] = None,
) -> None:
    """Show one claim: statement, verdict, evidence, derivation, certificate and snippet."""
    from zotheory.ledger import Ledger, LedgerError, recorded
    from zotheory.report.export import address
    from zotheory.report.terminal import details

    try:
        found = Ledger.read(ledger) if ledger else recorded()
    except LedgerError as error:
        _stop(error)
    try:
        details(console, found[name])
        console.print(f"Its page on the site: {address(name)}", style="dim", highlight=False)
    except KeyError:
        _stop(f"no claim {name!r} in {ledger or 'the recorded ledger'}; `zotheory list` names all")


@app.command()
def report(
    ledger: Annotated[
        Path | None,
        typer.Argument(metavar="LEDGER.json", help="The recorded ledger by default."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("ledger.html"),
    figures: Annotated[
        Path | None, typer.Option(help="A folder of `zotheory figures`, to show them, too.")
    ] = None,
) -> None:
    """Write a ledger as one HTML page that needs no network."""
    from zotheory.ledger import Ledger, LedgerError, recorded
    from zotheory.report.page import read_pictures, write_page

    try:
        pictures = read_pictures(figures) if figures else ()
        write_page(Ledger.read(ledger) if ledger else recorded(), out, pictures)
    except LedgerError as error:
        _stop(error)
    except OSError as error:
        _stop(f"cannot write {out}: {error.strerror}")
    console.print(str(out), markup=False, highlight=False, soft_wrap=True)


@app.command()
def export(
    ledger: Annotated[
        Path | None,
        typer.Argument(metavar="LEDGER.json", help="The recorded ledger by default."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The JSON file to write.")] = Path("claims.json"),
) -> None:
    """Write the verdicts for other programs: a schema, digests of the evidence, and commands."""
    from zotheory.ledger import Ledger, LedgerError, recorded
    from zotheory.report.export import write_export

    try:
        write_export(Ledger.read(ledger) if ledger else recorded(), out)
    except LedgerError as error:
        _stop(error)
    except OSError as error:
        _stop(f"cannot write {out}: {error.strerror}")
    console.print(str(out), markup=False, highlight=False, soft_wrap=True)


@app.command()
def probe(
    context: typer.Context,
    estimators: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE|MODULE:FACTORY|FILE.py:FACTORY]...",
            help="What to measure; your own stands beside all recipes unless some are named.",
        ),
    ] = None,
    objective: Annotated[
        list[ObjectiveName] | None,
        typer.Option(help="Repeatable; the first is shown in full. [default: linear, quadratic]"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Causal LM, a name or a path: how far does its loss fall by each method?"
        ),
    ] = None,
    groups: Annotated[
        Literal["kinds", "layers"] | None,
        typer.Option(help="Of a model: MeZO on each group of weights alone."),
    ] = None,
    passes: Annotated[
        int, typer.Option(min=1, help="Of a model: forward passes for each, about.")
    ] = 16,
    batches: Annotated[
        int, typer.Option(min=1, help="Of a model: batches that the draws go round.")
    ] = 1,
    size: Annotated[str, typer.Option(metavar="MxN", help="The gradient's shape.")] = "24x16",
    samples: Annotated[int, typer.Option(min=50, help="Estimates of each.")] = 1500,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Root seed of every random stream.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Write the numbers (.csv, .json) or the plot (.png, .svg).")
    ] = None,
) -> None:
    """Compare gradient estimators, named ones and your own, by what a loss value buys.

    With --model, and no --objective, by how far that model's loss falls along their updates: best
    step and fall per forward pass, with intervals. (With --objective model a cut of its gradient
    is one of the losses.)

    A factory(parameters, seed=...) makes an object with estimate(closure), which returns a tensor
    per parameter; see examples/my_estimator.py.
    """
    from zotheory.probing import ProbeError
    from zotheory.probing.command import run, run_on_model

    on_model = model is not None and not objective
    others = ("size", "samples", "jobs") if on_model else ("groups", "passes", "batches")
    sources = {name: context.get_parameter_source(name) for name in others}
    given = [name for name, source in sources.items() if source and source.name != "DEFAULT"]
    try:
        if given:
            where = "without --model, or with --objective" if on_model else "with --model alone"
            raise ProbeError(f"--{given[0]} is for a probe {where}")
        if model is not None and not objective:
            methods = estimators or []
            run_on_model(console, methods, model, groups, passes, batches, seed, out)
            return
        run(console, estimators or [], objective or [], model, size, samples, jobs, seed, out)
    except ProbeError as error:
        _stop(error)
    except KeyboardInterrupt:
        _stop("stopped", 130)


@app.command()
def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE|MODULE:FACTORY|FILE.py:FACTORY]...",
            help="factory(params, lr=...) makes an optimiser with step(closure).",
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="A check's name; repeatable.")] = None,
    card: Annotated[
        str | None,
        typer.Option(help="A recipe whose estimate it claims to make, or its mean's scale."),
    ] = None,
    lr: Annotated[float, typer.Option(help="A learning rate for sensible steps.")] = 1e-2,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    model: Annotated[
        str | None, typer.Option(help="A causal LM in the small model's place: name or path.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    failures: Annotated[
        bool, typer.Option("--failures", help="Show only the checks that failed.")
    ] = False,
    list_checks: Annotated[
        bool, typer.Option("--list", help="Name the checks, and why each matters.")
    ] = False,
) -> None:
    """Check whether an optimiser, anybody's, does what its formula says, from the outside.

    Exit status: 0 nothing failed; 1 a check failed; 2 bad input or a missing download.
    """
    from zotheory.checking import CheckError
    from zotheory.checking.command import names, run

    try:
        if list_checks:
            names(console)
            return
        if not targets:
            _stop("name what to check: a recipe, MODULE:FACTORY or FILE.py:FACTORY")
        found = run(console, targets, only or [], card, lr, seed, model, json, failures)
    except CheckError as error:
        _stop(error)
    except KeyboardInterrupt:
        _stop("stopped", 130)
    raise typer.Exit(1 if any(one.failed for one in found) else 0)


app.command()(train)
app.command()(results)
for other in entry_points(group="zotheory.commands"):  # `figures`, which this package does not know
    app.command(other.name)(other.load())


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `zotheory` command.

    arguments: those of the command line by default.
    """
    run_app(app, arguments)
