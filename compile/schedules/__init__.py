"""Hand-written TIR schedules: maps are (H, W, C) with the channels padded to whole vectors.

Channels lie in vector lanes, so that no stride, border or upsampling needs a shuffle.
"""
