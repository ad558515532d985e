"""Two slots for artifacts on the board, so that an update can fail at any moment without harm."""
