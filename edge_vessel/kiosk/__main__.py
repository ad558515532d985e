"""`edge-vessel kiosk serve | token | verify`; `serve` where none is named."""

import importlib
import sys
from collections.abc import Sequence

from edge_vessel.command_line import leave

_COMMANDS = {
    "serve": "edge_vessel.kiosk.serve_command",
    "token": "edge_vessel.kiosk.token_command",
    "verify": "edge_vessel.kiosk.verify_command",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words.pop(0) if words and words[0] in _COMMANDS else "serve"
    code: int = importlib.import_module(_COMMANDS[name]).main(words)
    return code


if __name__ == "__main__":
    leave(main())
