"""`edge-vessel run | doctor | artifact | slots | kiosk | store | audit`: commands under one name.

Unlike `python -m` it takes no module from the folder that it is called in: root may stand in one
of another user's.
"""

import importlib
import sys

from edge_vessel import __version__
from edge_vessel.command_line import leave

_COMMANDS = {
    "run": "edge_vessel.run",
    "doctor": "edge_vessel.doctor",
    "artifact": "edge_vessel.artifact_cli",
    "slots": "edge_vessel.slots.command_line",
    "kiosk": "edge_vessel.kiosk.__main__",
    "store": "edge_vessel.biometrics.store_commands",
    "audit": "edge_vessel.biometrics.audit_commands",
}


def main() -> int:
    """Runs the command that the first argument names; returns its exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"edge-vessel {__version__}\n")
        return 0
    name, rest = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if name not in _COMMANDS:
        out = sys.stdout if name in ("-h", "--help") else sys.stderr
        out.write(f"usage: edge-vessel {{{','.join(_COMMANDS)}}} ...\n")
        return 0 if name in ("-h", "--help") else 2
    sys.argv[0] = f"edge-vessel {name}"
    code: int = importlib.import_module(_COMMANDS[name]).main(rest)
    return code


def console_script() -> None:
    """The entry point of `edge-vessel`."""
    leave(main())


if __name__ == "__main__":
    console_script()
