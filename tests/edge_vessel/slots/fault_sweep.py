"""Runs one action on copies of a board, each with a fault at another call that changes the disk.

    LD_PRELOAD=fault_shim.so python fault_sweep.py kill|full ACTION BOARD SOURCE PUBLIC_KEY

prints a JSON line a fault: the call, how the process ended, what a start runs then, and what lies
in the slots' folder after the next staging; at the end the names of all calls.
"""

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from edge_vessel.errors import EdgeVesselError
from edge_vessel.slots import state as states
from edge_vessel.slots.install import Rules, activate, install, stage
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.opening import Trust, release_of
from edge_vessel.slots.start import Started, start
from edge_vessel.slots.state import State

COUNT, KILL, FULL = 1, 2, 3
_MOST_CALLS = 200
shim = ctypes.CDLL(None)
shim.fault_names.restype = ctypes.c_char_p


def begin(layout: Layout, trust: Trust) -> Started[str]:
    """A start whose loading is to learn the artifact's name and version."""
    return start(
        layout, trust, lambda artifact: f"{artifact.manifest.name} {artifact.manifest.version}",
        lambda _: None,
    )  # fmt: skip


def actions(source: Path, trust: Trust) -> dict[str, Callable[[Layout], object]]:
    return {
        "install": lambda layout: install(layout, trust.open(source), trust, Rules()),
        "stage": lambda layout: stage(layout, trust.open(source)),
        "activate": lambda layout: activate(layout, release_of(trust.open(source)), Rules()),
        "start": lambda layout: begin(layout, trust),
        "confirm": lambda layout: states.change(layout, State.confirmed),
        "revert": lambda layout: states.change(layout, lambda now: now.given_up("by hand")),
    }


def in_child(mode: int, call: int, act: Callable[[], object]) -> str:
    """How it ended: "done", "killed" or the class of its error."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        ended = "done"
        shim.fault_arm(mode, call)
        try:
            act()
        except EdgeVesselError as error:
            ended = type(error).__name__
        finally:
            os.write(writer, f"{ended}\n{shim.fault_names().decode()}".encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as answer:
        return answer.read() or "killed\n"


def main() -> None:
    mode = {"kill": KILL, "full": FULL}[sys.argv[1]]
    board, source, key = map(Path, sys.argv[3:])
    trust = Trust((key,))
    layout = Layout(board.parent / "swept")
    act = actions(source, trust)[sys.argv[2]]
    for call in range(1, _MOST_CALLS):
        shutil.rmtree(layout.root, ignore_errors=True)
        shutil.copytree(board, layout.root)
        ended, _, names = in_child(mode, call, lambda: act(layout)).partition("\n")
        active = states.read(layout).active
        started = begin(layout, trust).loaded
        stage(layout, trust.open(source))
        say({
            "call": call, "ended": ended, "started": started,
            "active": None if active is None else active.release.version,
            "left": sorted(path.name for path in layout.root.iterdir()),
        })  # fmt: skip
        if ended == "done" and len(names.split()) < call:
            say(names.split())
            return
    raise SystemExit("it never ends")


def say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
