"""From a checkpoint to an artifact: on the workstation, never on the board."""
