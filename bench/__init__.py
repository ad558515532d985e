"""Latency, energy and accuracy on the board and the workstation."""
