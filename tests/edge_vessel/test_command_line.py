"""`edge-vessel NAME`: the modules' commands under one name, and how they end."""

import subprocess
import sys
from pathlib import Path

import pytest
from artifact_folders import python, write

from edge_vessel.command_line import guarded


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "usage: edge-vessel {run,doctor,artifact,slots,kiosk,store,audit}"),
        (["fly"], 2, "usage: edge-vessel {run,doctor,artifact,slots,kiosk,store,audit}"),
        (["--help"], 0, "usage: edge-vessel {run,doctor,artifact,slots,kiosk,store,audit}"),
        (["--version"], 0, "edge-vessel 0."),
        (["run", "--help"], 0, "usage: edge-vessel run"),
        (["doctor", "--help"], 0, "usage: edge-vessel doctor"),
        (["store", "keygen", "--help"], 0, "usage: edge-vessel store keygen"),
        (["audit", "verify"], 2, "required: --key (edge-vessel audit verify --help)"),
        (["kiosk", "token", "add"], 2, "(edge-vessel kiosk token add --help)"),
        (["artifact", "verify", "nowhere"], 2, "nowhere: no such artifact"),
    ],
)
def test_names(arguments, code, says):
    done = python("-m", "edge_vessel", *arguments)
    assert done.returncode == code
    assert says in done.stdout + done.stderr


def test_the_console_script_runs(tmp_path):
    """Without the modules of the folder that it is called in: root may stand in another user's."""
    for name in ("argparse", "edge_vessel"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    script = Path(sys.executable).with_name("edge-vessel")
    folder = write(tmp_path / "tiny")
    command = [script, "run", "--input", "synthetic:frames=1", "--allow-unsigned", "--model"]
    done = subprocess.run(
        [*command, folder, "--jsonl", tmp_path / "f.jsonl"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0


def test_a_thread_that_hangs_in_a_driver_does_not_crash_the_way_out():
    script = """
import threading, time
from edge_vessel.abandonable import PREFIX
from edge_vessel.command_line import leave
threading.Thread(target=time.sleep, args=(60,), name=PREFIX + "x").start()
print("done")
leave(3)
"""
    done = python("-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (3, "done\n", "")


def test_ctrl_c_before_the_run_is_130():
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert guarded(interrupted) == 130
