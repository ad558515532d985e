"""Threads that may hang inside a driver for ever, known by their names."""

import threading

PREFIX = "abandonable-"


def any_left() -> bool:
    """Whether one of them still runs: the interpreter's own way out could crash in it."""
    return any(thread.name.startswith(PREFIX) for thread in threading.enumerate())
