import pytest
from rich.console import Console

from zotheory.training import train
from zotheory.training.rows import COLUMNS, cells, markdown, passes_to, show, tables


@pytest.fixture(scope="module")
def rows(setup, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    asked = [
        setup("mezo", lrs=(1e-3,)),
        setup("mezo", lrs=(1e-3,), seed=1),
        setup("mezo", lrs=(1e-4, 1e-2), tuning="lora"),
        setup("zero_shot"),
        setup("ft_sgd", lrs=(1e-3,)),
        setup("tezo", lrs=(1e-3,), options=(("rank", 2),), batch_size=4),
    ]
    return [train(one, folder / str(place)) for place, one in enumerate(asked)]


def test_seeds_share_a_line_and_protocols_a_table(rows):
    found = tables(rows)
    assert len(found) == 2  # another batch size is another protocol
    names = [[cells(group)[0] for group in groups] for _, groups in found]
    assert sorted(names) == [["tezo rank=2"], ["zero_shot", "ft_sgd", "mezo", "mezo (lora)"]]
    (title, groups) = next(one for one in found if len(one[1]) == 4)
    assert "(64/32/48 sentences), batches of 8, loss over the vocabulary" in title
    line = dict(zip(COLUMNS, cells(groups[2]), strict=True))
    accuracies = [100 * row["test"]["accuracy"] for row in rows[:2]]
    assert line["accuracy"] == (
        f"{sum(accuracies) / 2:.1f} ({min(accuracies):.1f}-{max(accuracies):.1f})"
    )
    assert (line["lr"], line["passes"], line["seeds"]) == ("0.001", "12", "2")
    assert dict(zip(COLUMNS, cells(groups[0]), strict=True))["best at"] == "-"


def test_machines_share_a_line_but_not_their_memory(rows):
    other = rows[1] | {"machine": "another", "peak_memory": 3 * 10**9}
    other["setup"] = other["setup"] | {"device": "cuda"}
    ((_, groups),) = tables([rows[0], other])
    line = dict(zip(COLUMNS, cells(groups[0]), strict=True))
    assert line["machine"] == f"{rows[0]['machine']}, another"
    assert line["memory"] == f"{rows[0]['peak_memory'] / 1e9:.2f} GB, 3.00 GB"


def test_markdown_holds_every_line_and_every_command(rows):
    text = markdown(rows)
    assert text.count("| method | lr |") == 2
    for row in rows:
        assert row["command"] in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {len(COLUMNS) + 1}


def test_the_terminal_shows_the_same(rows):
    console = Console(width=140, record=True)
    show(console, rows)
    told = console.export_text()
    for row in rows:
        assert row["command"] in told
    assert "mezo (lora)" in told


def test_the_passes_a_run_would_need_go_on_at_its_second_half(rows):
    losses = {0: 9.0, 10: 7.0, 20: 4.0, 30: 2.0, 40: 1.0}
    history = [{"passes": passes, "loss": loss} for passes, loss in losses.items()]
    assert passes_to(history, 2.0) == 30
    assert passes_to(history, 0.25) == pytest.approx(60)  # two more halvings, ten passes each
    assert passes_to([*history[:3], {"passes": 40, "loss": 4.0}], 1.0) == float("inf")

    tuned = {**rows[4], "method": "ft_adam", "validation": {"loss": 0.1}}
    text = markdown([rows[0], tuned])
    (line,) = (row for row in text.splitlines() if row.startswith("| mezo "))
    told = dict(zip(COLUMNS, line.strip("| ").split(" | "), strict=True))["to FT"]
    needed = passes_to(rows[0]["history"], 0.1)
    assert told == ("never" if needed == float("inf") else f"{float(f'{needed:.2g}'):.0f}")
