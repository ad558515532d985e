"""The seed of the run in hand."""

import os


def run_seed() -> int:
    """What `--seed` set; Lightning keeps it in the environment. 0 outside a run."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))
