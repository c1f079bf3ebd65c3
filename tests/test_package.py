"""What is published: a wheel and an sdist that install where no checkout is, and judge a claim."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from zotheory.ledger import Ledger, recorded

ROOT = Path(__file__).parents[1]
PACKAGES = ("zotheory", "estimators", "proofs_check", "figures")
BUILT = ("out", "build", "dist", "__pycache__", "*.egg-info", ".*")  # whatever was made here
BUILD = "import sys, setuptools.build_meta as b; getattr(b, 'build_' + sys.argv[1])(sys.argv[2])"
ID = "svd0.alg3.as_printed"  # derived and measured
PRINTED = "lezo.sec41.rho"  # read off a table, a CSV file

pytestmark = pytest.mark.slow


def run(*command, cwd, **options):
    """A command whose Python sees no more than what is installed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [str(word) for word in command]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env=environment, **options
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def build(kind, source, folder):
    """A distribution of a folder's sources, with the setuptools installed here."""
    folder.mkdir()
    run(sys.executable, "-c", BUILD, kind, folder, cwd=source)
    (found,) = folder.iterdir()
    return found


def files(wheel):
    """The names of a wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def source(folder):
    """The checkout as it is cloned: building writes beside its sources."""
    return shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*BUILT))


@pytest.fixture(scope="module")
def sdist(source, folder):
    return build("sdist", source, folder / "sdist")


@pytest.fixture(scope="module")
def wheel(sdist, folder):
    """From the sdist, as pip builds it where there is no wheel."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return build("wheel", unpacked, folder / "wheel")


def test_the_wheel_has_every_file_of_the_packages_and_no_other(wheel):
    ours = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = files(wheel)
    assert {name for name in found if ".dist-info/" not in name} == ours
    assert {f"{package}/py.typed" for package in PACKAGES} <= found
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in found)


def test_the_checkout_builds_the_wheel_that_the_sdist_does(wheel, source, folder):
    assert files(build("wheel", source, folder / "straight")) == files(wheel)


def test_the_sdist_has_what_says_what_it_is_and_no_part_of_the_tests(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "pyproject.toml"} <= names
    folders = {name.partition("/")[0] for name in names if "/" in name}
    assert folders == {*PACKAGES, "zotheory.egg-info"}


@pytest.fixture(scope="module")
def python(wheel, folder):
    """An environment with the wheel, and the packages installed here but no editable install."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--quiet", "--python", python),
        *("install", "--no-deps", "--no-index", wheel),
        cwd=folder,
    )
    place = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there = Path(run(python, "-c", place, cwd=folder).strip())
    # An editable install is a .pth file too, and those are not read in a folder that one adds.
    (there / "outer.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture
def command(python, tmp_path):
    """Runs the installed `zotheory` in an empty folder."""
    return lambda *arguments: run(python.with_name("zotheory"), *arguments, cwd=tmp_path)


def test_what_runs_is_what_was_installed(python, folder, tmp_path):
    told = (
        f"import {', '.join(PACKAGES)}; print(*({', '.join(f'{p}.__file__' for p in PACKAGES)},))"
    )
    for path in run(python, "-c", told, cwd=tmp_path).split():
        assert Path(path).is_relative_to(folder / "venv")


def test_it_judges_its_first_claims_as_recorded(command, tmp_path):
    command("verify", ID, PRINTED, "--model", "none")  # exit status 0: nothing differs
    found = Ledger.read(tmp_path / "out" / "ledger.json").claims
    assert [(entry.id, entry.verdict) for entry in found] == [(ID, "refuted"), (PRINTED, "refuted")]
    assert (tmp_path / "out" / "ledger.html").is_file()


def test_it_shows_what_is_recorded(command):
    told = command("show", ID)
    assert "refuted" in told
    assert recorded()[ID].snippet.strip().splitlines()[-1].strip() in told


def test_it_writes_the_ledger_for_readers_and_for_programs(command, tmp_path):
    command("report")
    command("export")
    assert ID in (tmp_path / "ledger.html").read_text()
    assert ID in (tmp_path / "claims.json").read_text()


def test_it_draws_probes_and_trains(command, python, tmp_path):
    command("figures", "own_tezo_floor", "--budget", "quick")
    assert list((tmp_path / "out" / "figures").glob("own_tezo_floor.png"))
    assert "mezo" in command("probe", "mezo", "--samples", "50")
    step = (
        "import torch, estimators; layer = torch.nn.Linear(4, 3);"
        "print(estimators.mezo(layer, seed=0).step(lambda: layer(torch.ones(2, 4)).square().sum()))"
    )
    assert float(run(python, "-c", step, cwd=tmp_path)) > 0
