"""What a function would cost on a board that nobody has: emulated, counted, weighed."""
