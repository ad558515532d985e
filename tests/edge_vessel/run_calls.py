"""`python -m edge_vessel.run` in a process of its own, and what it needs and writes."""

import json
import subprocess
from pathlib import Path

from artifact_folders import python

TINY = ["--allow-unsigned", "--model"]


def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Runs it; a traceback is a failure wherever it stands."""
    done = python("-m", "edge_vessel.run", *arguments, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def lines(path: Path) -> list[dict]:
    """A file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]
