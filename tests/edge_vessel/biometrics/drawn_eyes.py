"""Templates of eyes that do not exist: bent lines that branch, and the same seen from elsewhere."""

import numpy as np

from edge_vessel.biometrics.similarity import Similarity
from edge_vessel.biometrics.template import (
    GRID,
    LANDMARK,
    MAX_LANDMARKS,
    MAX_SAMPLES,
    SAMPLE,
    Template,
    quantised,
)

STEP = 0.02


def eye(seed: int) -> Template:
    """Seen whole: a circle of one diameter."""
    rng = np.random.default_rng(seed)
    samples, landmarks = [], []
    for _ in range(24):
        place, heading = complex(*rng.uniform(-0.4, 0.4, 2)), rng.uniform(0, 2 * np.pi)
        landmarks.append((place, heading))
        for spread in (0, 2.4, -2.4):
            at, along = place, heading + spread
            for _ in range(8):
                at += STEP * np.exp(1j * along)
                along += rng.normal(0, 0.15)
                samples.append((at, along))
    return template(np.array(samples), np.array(landmarks), lambda z: np.abs(z) < 0.5)


def seen(original: Template, pose: Similarity, seed: int = 0, lost: float = 0.1) -> Template:
    """Another capture: moved, a little unsteady, a share of it lost, and only what is inside."""
    rng = np.random.default_rng(seed)
    parts = []
    for records, name, turns in (
        (original.samples, "axis", 1),
        (original.landmarks, "direction", 2),
    ):
        place = (records["x"] + 1j * records["y"]) / 32768
        noise = rng.normal(0, 0.002, (2, len(place)))
        heading = records[name] * (np.pi * turns / 256) + pose.rotation_rad
        both = np.stack([pose.factor * place + pose.shift + noise[0] + 1j * noise[1], heading], 1)
        parts.append(both[rng.random(len(both)) >= lost])
    return template(*parts, lambda z: np.abs(z) < 0.5)


def template(samples, landmarks, inside) -> Template:
    """From (N, 2) complex: place and direction in radians."""
    centres = (np.arange(GRID) + 0.5) * (2 / GRID) - 1
    field = inside(centres + 1j * centres[:, None])
    records = []
    for found, kind, name, turns, most in (
        (samples, SAMPLE, "axis", 1, MAX_SAMPLES),
        (landmarks, LANDMARK, "direction", 2, MAX_LANDMARKS),
    ):
        kept = found[inside(found[:, 0])][:most]
        made = np.zeros(len(kept), kind)
        made["x"], made["y"] = quantised(kept[:, 0].real), quantised(kept[:, 0].imag)
        made[name] = np.round(kept[:, 1].real * 256 / (np.pi * turns)).astype(int) % 256
        made["seen"] = 1
        records.append(made)
    return Template(1, field, records[1], records[0])
