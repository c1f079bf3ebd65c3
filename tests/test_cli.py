"""The commands as a user types them: what they print, where, and their exit status."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.pages import OURS, PAPERS, worded
from zotheory import cli
from zotheory.ledger import Entry, Ledger
from zotheory.papers import declared
from zotheory.report.terminal import row, summary
from zotheory.vocabulary import Kind, Verdict

EXAMPLE = Path(__file__).parent.parent / "examples" / "my_claims.py"
PRELUDE = """
from zotheory import Check, Claim, Evidence, Kind, Statement, Verdict

def says(verdicts):
    def judge(statement, context):
        if verdicts[statement.says] == "raise":
            raise RuntimeError("the check broke")
        return Evidence(Kind.EXACT, Verdict(verdicts[statement.says]), "because")
    return Check(Kind.EXACT, judge)

def claim(id, verdict):
    checks = (says({"so": verdict, "not so": "refuted"}),)
    return Claim(id, "here", Statement("so"), (Kind.EXACT,), checks, Statement("not so"))
"""
LINE = PRELUDE.count("\n") + 1  # of the first line after the prelude


@pytest.fixture
def claims_file(tmp_path):
    """Writes a claims file after the prelude and returns its path."""

    def write(body, name="own.py"):
        path = tmp_path / name
        path.write_text(PRELUDE + body)
        return path

    return write


def one_line(told: str) -> str:
    """The only line of standard error, without the program's name."""
    assert told.count("\n") == 1, told
    assert told.startswith("zotheory: ")
    return told.removeprefix("zotheory: ").rstrip()


def verdicts(out: Path) -> dict[str, str]:
    return {claim.id: claim.verdict for claim in Ledger.read(out / "ledger.json").claims}


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["verify", "tezo.nothing"], "'tezo.nothing'"),
        (["verify", "nopaper"], "'nopaper'"),
        (["verify", "tez"], "'tez'"),
        (["verify", "[/red]"], "'[/red]'"),
        (["list", "nopaper"], "'nopaper'"),
        (["show", "tezo.nothing"], "'tezo.nothing'"),
        (["verify", "none.py"], "no claims file none.py"),
        (["verify", "--budget", "huge"], "'quick', 'standard', 'deep'"),
        (["verify", "--jobs", "0"], "'--jobs'"),
        (["verify", "--jobs", "two"], "'--jobs'"),
        (["verify", "--seed", "-1"], "'--seed'"),
        (["verify", "--unheard-of"], "--unheard-of"),
        (["verify", "--model", "./nope"], "'./nope': there is no such folder or file"),
        (["verify", "--model", "/"], "'/': the folder holds no config.json"),
        (["verify", ""], "is called ''"),
        (["verify", "folder.py"], "no claims file folder.py"),
        (["figures", "--budget", "deep"], "'quick', 'standard'"),
        (["show", "tezo.thm1", "--ledger", "none.json"], "cannot read none.json"),
        (["frobnicate"], "frobnicate"),
        (["show"], "ID"),
    ],
)
def test_bad_input_is_one_line_and_status_2(command, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    status, out, error = command(*arguments)
    assert (status, out) == (2, "")
    assert expected in one_line(error)
    assert list(tmp_path.iterdir()) == []  # nothing was begun


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("CLAIMS = [", f"line {LINE}: '[' was never closed"),
        ("CLAIMS = [1 / 0]", f"line {LINE}: ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import no_such_module", f"line {LINE}: ModuleNotFoundError"),
        ("CLAIM = claim('my.a', 'proved')", "declares no CLAIMS"),
        ("CLAIMS = []", "declares no CLAIMS"),
        ("CLAIMS = claim('my.a', 'proved')", "declares no CLAIMS"),
        ("CLAIMS = ['my.a']", "must be a zotheory.Claim"),
        ("CLAIMS = [claim('my.a', 'proved')] * 2", "my.a more than once"),
        ("CLAIMS = [claim('my', 'proved')]", "ValueError: claim id 'my'"),
        ("CLAIMS = [claim('my.a/b', 'proved')]", "ValueError: claim id 'my.a/b'"),
    ],
)
def test_a_broken_claims_file_is_one_line_and_status_2(
    command, claims_file, tmp_path, body, expected
):
    path = claims_file(body)
    status, out, error = command("verify", path, "--out", tmp_path / "out")
    assert (status, out) == (2, "")
    assert expected in one_line(error)
    assert str(path) in error
    assert not (tmp_path / "out").exists()


def test_two_files_may_not_declare_one_claim(command, claims_file, tmp_path):
    files = [claims_file("CLAIMS = [claim('my.a', 'proved')]", name) for name in ("a.py", "b.py")]
    status, _, error = command("verify", *files, "--out", tmp_path / "out")
    assert status == 2
    assert "b.py declares my.a, which is already chosen" in one_line(error)


def test_a_name_given_twice_is_judged_once(command, claims_file, tmp_path):
    path = claims_file("CLAIMS = [claim('my.a', 'proved')]")
    status, _, _ = command("verify", path, path, "--out", tmp_path / "out")
    assert (status, verdicts(tmp_path / "out")) == (0, {"my.a": "proved"})


@pytest.mark.parametrize("place", ["file/out", "file"])
def test_an_unwritable_folder_is_one_line_and_status_2(command, claims_file, tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    path = claims_file("CLAIMS = [claim('my.a', 'proved')]")
    status, out, error = command("verify", path, "--out", tmp_path / place)
    assert (status, out.strip()) == (2, "")
    assert f"cannot write {tmp_path / place}" in one_line(error)


def test_a_scratch_folder_that_is_not_ours_is_left_alone(command, claims_file, tmp_path):
    treasure = tmp_path / "scratch" / "thesis.tex"
    treasure.parent.mkdir()
    treasure.write_text("ten years of work")
    path = claims_file("CLAIMS = [claim('my.a', 'proved')]")
    status, _, error = command("verify", path, "--out", tmp_path)
    assert status == 2
    assert "in the way" in one_line(error)
    assert treasure.read_text() == "ten years of work"


@pytest.mark.parametrize("content", ["", '{"schema": 1', '{"schema": 9}', "[]"])
def test_a_corrupt_ledger_is_one_line_and_status_2(command, tmp_path, content):
    (tmp_path / "ledger.json").write_text(content)
    status, out, error = command("show", "my.a", "--ledger", tmp_path / "ledger.json")
    assert (status, out) == (2, "")
    assert "is not a ledger" in one_line(error)


def test_a_missing_ledger_is_one_line_and_status_2(command, tmp_path):
    status, _, error = command("show", "my.a", "--ledger", tmp_path / "none.json")
    assert status == 2
    assert "cannot read" in one_line(error)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["verify", "nopaper"], "no claim, paper or file"), (["verify", "--jobs", "0"], "'--jobs'")],
)
def test_the_installed_module_behaves_the_same(tmp_path, arguments, expected):
    done = subprocess.run(
        [sys.executable, "-m", "zotheory", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in one_line(done.stderr)


def test_help_names_the_commands(command):
    status, out, _ = command("--help")
    assert status == 0
    assert all(name in out for name in ("verify", "list", "show", "report", "probe"))


# --- verdicts -----------------------------------------------------------------------------------


def test_a_check_that_raises_costs_no_other_claim_its_verdict(command, claims_file, tmp_path):
    path = claims_file(
        "CLAIMS = [claim('my.a', 'proved'), claim('my.b', 'raise'), claim('my.c', 'proved')]"
    )
    status, out, error = command("verify", path, "--out", tmp_path / "out")
    assert (status, error) == (1, "")
    assert verdicts(tmp_path / "out") == {"my.a": "proved", "my.b": "not_run", "my.c": "proved"}
    trouble = "my.b: the exact check raised RuntimeError: the check broke (own.py:"
    assert " ".join(out.split()).count(trouble) == 1


def test_a_check_that_contradicts_another_exits_1(command, claims_file, tmp_path):
    path = claims_file("""
from dataclasses import replace
wrong = Check(Kind.MEASURED, lambda s, c: Evidence(Kind.MEASURED, Verdict.REFUTED, "no"))
sound = claim("my.a", "proved")
CLAIMS = [replace(sound, checks=(*sound.checks, wrong)), claim("my.b", "proved")]
""")
    status, out, _ = command("verify", path, "--out", tmp_path / "out")
    assert status == 1
    assert "contradict" in out
    assert verdicts(tmp_path / "out") == {"my.a": "inconclusive", "my.b": "proved"}


def record(monkeypatch, id, verdict):
    """Let the package carry a ledger in which `id` was found `verdict`."""
    entry = Entry(id, "my", "here", "so.", "", Verdict(verdict))
    ledger = Ledger(0, "quick", {}, (entry,))
    monkeypatch.setattr("zotheory.ledger.recorded", lambda: ledger)


@pytest.mark.parametrize(
    ("before", "status"), [("proved", 0), ("refuted", 1), ("confirmed", 1), ("not_run", 0)]
)
def test_a_verdict_that_differs_from_the_recorded_one_exits_1(
    command, claims_file, tmp_path, monkeypatch, before, status
):
    record(monkeypatch, "my.a", before)
    path = claims_file("CLAIMS = [claim('my.a', 'proved'), claim('my.b', 'proved')]")
    found, out, _ = command("verify", path, "--out", tmp_path / "out")
    assert found == status
    assert (f"my.a: recorded as {before}, now proved" in out) == bool(status)


def test_a_corrupt_recorded_ledger_stops_before_anything_runs(
    command, claims_file, tmp_path, monkeypatch
):
    (tmp_path / "bad.json").write_text("{")
    monkeypatch.setattr("zotheory.ledger.recorded", lambda: Ledger.read(tmp_path / "bad.json"))
    path = claims_file("CLAIMS = [claim('my.a', 'proved')]")
    status, _, error = command("verify", path, "--out", tmp_path / "out")
    assert status == 2
    assert "is not a ledger" in one_line(error)
    assert not (tmp_path / "out").exists()


def test_a_missing_asset_is_told_and_exits_2(command, claims_file, tmp_path):
    path = claims_file("""
from zotheory.vocabulary import AssetMissing
def judge(statement, context):
    raise AssetMissing("no model; fetch it so")
model = Claim("my.m", "", Statement("so"), (Kind.MODEL,), (Check(Kind.MODEL, judge),))
CLAIMS = [model, claim("my.a", "proved")]
""")
    status, out, _ = command("verify", path, "--out", tmp_path / "out")
    assert status == 2
    assert "my.m: no model; fetch it so" in out
    assert verdicts(tmp_path / "out") == {"my.m": "not_run", "my.a": "proved"}


def test_an_asset_that_was_missing_is_asked_for_again_on_resume(command, claims_file, tmp_path):
    path = claims_file(f"""
import pathlib
from zotheory.vocabulary import AssetMissing
def judge(statement, context):
    if not pathlib.Path({str(tmp_path / "asset")!r}).exists():
        raise AssetMissing("no model")
    found = Verdict.CONFIRMED if statement.says == "so" else Verdict.REFUTED
    return Evidence(Kind.MODEL, found, "")
CLAIMS = [
    Claim("my.m", "", Statement("so"), (Kind.MODEL,), (Check(Kind.MODEL, judge),), Statement("no"))
]
""")
    assert command("verify", path, "--out", tmp_path / "out")[0] == 2
    (tmp_path / "asset").touch()
    assert command("verify", path, "--out", tmp_path / "out", "--resume")[0] == 0
    assert verdicts(tmp_path / "out") == {"my.m": "confirmed"}


# --- what is shown ------------------------------------------------------------------------------


def test_list_names_every_claim(command, monkeypatch):
    monkeypatch.setattr(cli.console, "_width", 200)
    status, out, _ = command("list")
    assert status == 0
    assert all(claim.id in out for claim in declared())


def test_list_of_a_prefix(command, monkeypatch):
    monkeypatch.setattr(cli.console, "_width", 200)
    _, out, _ = command("list", "tezo.lemma1")
    assert "tezo.lemma1.norm4" in out
    assert "tezo.thm1" not in out


def test_the_list_shows_settings_and_words_the_verdicts(command, monkeypatch):
    monkeypatch.setattr(cli.console, "_width", 200)
    monkeypatch.setattr("zotheory.ledger.recorded", worded)
    _, out, _ = command("list", "p")
    told = " ".join(out.split())
    assert f"judged: {OURS}; the paper's: {PAPERS}" in told
    assert "refuted p.elsewhere" in told
    assert "(other setting)" in told
    rows = [line.split("  ")[0] for line in out.splitlines()]
    assert rows[1:3] == ["refuted", "(other setting)"]
    assert "does not follow" in rows


def test_a_run_marks_verdicts_that_say_too_much_and_explains_the_mark(capsys):
    entries = worded().claims
    for entry in entries:
        cli.console.print(row(entry, 12))
    summary(cli.console, entries, [], Path("ledger.json"))
    out = capsys.readouterr().out
    first = {line.split()[1]: line.split()[0] for line in out.splitlines() if " p." in line}
    assert first["p.premise"] == "refuted†"
    assert first["p.same"] == "refuted"
    assert out.count("† in another setting than the paper's") == 1
    assert "p.elsewhere  refuted (other setting); instead: It is not so." in out
    summary(cli.console, entries[3:], [], Path("ledger.json"))
    assert "†" not in capsys.readouterr().out


def test_show_prints_certificate_and_snippet(command, tmp_path, monkeypatch):
    monkeypatch.setattr(cli.console, "_width", 200)
    assert command("verify", "tezo.lemma1.norm4", "--out", tmp_path, "--model", "none")[0] == 0
    status, out, _ = command("show", "tezo.lemma1.norm4", "--ledger", tmp_path / "ledger.json")
    assert status == 0
    for expected in ("refuted", "App. B.2", "claimed: 1", "actual: 3", "m(m+2)", "import numpy"):
        assert expected in out


def test_the_table_shows_every_verdict(command, claims_file, tmp_path, monkeypatch):
    monkeypatch.setattr(cli.console, "_width", 120)
    path = claims_file("CLAIMS = [claim('my.a', 'proved'), claim('my.b', 'inconclusive')]")
    _, out, _ = command("verify", path, "--out", tmp_path / "out")
    rows = {line.split()[1]: line.split()[0] for line in out.splitlines() if " my." in line}
    assert rows == {"my.a": "proved", "my.b": "inconclusive"}


# --- claims of one's own ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_claim(tmp_path_factory):
    """The example, judged by the command in a process of its own with two workers."""
    out = tmp_path_factory.mktemp("own")
    arguments = ["verify", str(EXAMPLE), "--budget", "quick", "--jobs", "2", "--out", str(out)]
    done = subprocess.run([sys.executable, "-m", "zotheory", *arguments], capture_output=True)
    assert done.returncode == 0, done.stderr
    (entry,) = Ledger.read(out / "ledger.json").claims
    return entry


def test_the_example_is_proved_and_its_mutant_refuted(own_claim):
    assert (own_claim.id, own_claim.verdict) == ("mine.spsa", "proved")
    assert own_claim.mutant.verdict == "refuted"
    found = {e.kind: e.verdict for e in own_claim.evidence}
    assert found == {Kind.EXACT: "proved", Kind.MEASURED: "confirmed"}


def test_the_example_of_a_paper_has_a_verdict_of_each_kind(tmp_path, command):
    paper = EXAMPLE.parent / "my_paper" / "claims.py"
    status, _, _ = command("verify", paper, "--budget", "quick", "--out", tmp_path)
    assert status == 0
    found = {c.id.partition(".")[2]: c for c in Ledger.read(tmp_path / "ledger.json").claims}
    assert {place: claim.verdict for place, claim in found.items()} == {
        "lemma1": Verdict.PROVED,
        "corollary2": Verdict.REFUTED,
        "table1": Verdict.REFUTED,
    }
    assert found["lemma1"].mutant.verdict is Verdict.REFUTED
    assert found["corollary2"].correction.verdict is Verdict.PROVED
    assert found["table1"].correction.verdict.holds


def test_the_example_is_short():
    code = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(code) < 30
