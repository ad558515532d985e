"""The emulated board as the tests use it: what runs there counts for coverage too."""

import shutil
from pathlib import Path

import coverage

from deploy.board.boot import CORTEX_A72, Machine, run
from deploy.board.image import Image

REPOSITORY = Path(__file__).parents[2]


class Board:
    """A board with two cores; each `run` boots it anew from the same image."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def run(
        self, command: str, share: Path, timeout_s: float, cpu: str = CORTEX_A72
    ) -> tuple[int | None, str]:
        """Boots, runs one bash command, powers off: its exit code and its output.

        The command's working folder is `share`, which the board may write; this repository is
        mounted read-only at /mnt/ro and stands in PYTHONPATH.
        """
        environment = "export PYTHONPATH=/mnt/ro PYTHONDONTWRITEBYTECODE=1;"
        measuring = coverage.Coverage.current()
        if measuring is not None:
            (share / "coverage").mkdir(exist_ok=True)
            environment += "export COVERAGE_PROCESS_START=/mnt/ro/pyproject.toml "
            environment += "COVERAGE_FILE=/mnt/host/coverage/data;"
        outcome = run(
            self.image, f"{environment} {command}", share, timeout_s, Machine(cpu), REPOSITORY
        )
        if measuring is not None:
            own = Path(measuring.config.data_file)
            for number, file in enumerate(sorted((share / "coverage").iterdir())):
                shutil.copy(file, own.with_name(f".coverage.board.{share.name}.{number}"))
        return outcome.exit_code, outcome.output
