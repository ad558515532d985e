"""Onto the board and through its life."""
