"""Simulated streams of a kiosk's camera: eyes that look into it, and what is held there instead.

There is no footage of live eyes here, so one photograph is moved as an eye would move. Simulated
are fixational drift (a random walk that is drawn back), microsaccades (about 1.2 a second, median
0.3 degrees), torsion, the pulse (vessels 5 % deeper at each beat), light that wavers, a field stop
that stays where it is, and noise. Not simulated are blinks, breath, focus, reflexes of the cornea
and the pupil's rim. Rates on these streams say what a check can do, not what it does on people.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView

_FIELD_DEG = 45.0  # of the simulated camera: one diameter
_RADIUS = 0.46  # of the frame's side
_ZOOM = 1.12  # of the photograph, so that it fills the field wherever the eye turns
_PULSE_DEPTH = 0.05
_NOISE_SIDE = 1.25  # of the frame: the noise of a frame is a window of a larger picture of it

Image = NDArray[np.uint8]
Moves = NDArray[np.float64]
"""(N, 3): x and y in diameters of the field, rotation in radians."""


@dataclass(frozen=True)
class Shot:
    """A frame, (H, W, 3) uint8 RGB, `time_s` after the capture's beginning."""

    image: Image
    time_s: float


@dataclass(frozen=True)
class Camera:
    """How the simulated camera sees; `noise` is in grey levels at mid brightness, `jpeg_quality`
    None where frames are not compressed; with `repeats` 2 it gives each frame twice."""

    side_px: int = 360
    fps: float = 20.0
    noise: float = 2.0
    light: float = 1.0
    jpeg_quality: int | None = None
    repeats: int = 1


class Stage:
    """One photograph before one camera.

    Args:
        photograph: (H, W, 3) uint8 RGB.
        fov: its field of view.
    """

    def __init__(
        self, photograph: Image, fov: FieldOfView, camera: Camera, seed: int, duration_s: float
    ) -> None:
        self.camera = camera
        self.rng = np.random.default_rng(seed)
        side = camera.side_px
        self.radius_px = _RADIUS * side
        scale = self.radius_px / fov.radius
        self._plain = _placed(photograph, fov, side, scale)
        self._retina = _placed(photograph, fov, side, scale * _ZOOM).astype(np.float32)
        fine = cv2.GaussianBlur(self._retina, (0, 0), side / 400)
        self._depth = np.minimum(0, fine - cv2.GaussianBlur(self._retina, (0, 0), side / 50))
        self._stop = FieldOfView(side / 2, side / 2, self.radius_px).mask(side, side)[..., None]
        self._noise = self.rng.standard_normal((int(side * _NOISE_SIDE),) * 2 + (3,), np.float32)
        self.times_s = np.arange(0.0, duration_s, 1 / camera.fps)

    def looking(self, moves: Moves, pulse: bool) -> Iterator[Image]:
        """The retina moves behind a field stop that does not."""
        rate_hz, phase = self.rng.uniform(0.9, 1.6), self.rng.uniform(0, 2 * np.pi)
        for time_s, move in zip(self.times_s, moves, strict=True):
            beat = _PULSE_DEPTH * np.sin(2 * np.pi * rate_hz * time_s + phase) if pulse else 0.0
            lit = 1 + 0.01 * np.sin(2 * np.pi * 0.4 * time_s)
            seen = self._warped((self._retina + beat * self._depth) * lit, move, 0.0)
            yield self.exposed(seen * self._stop)

    def held(self, moves: Moves) -> Iterator[Image]:
        """A print of the whole photograph, black around it, in a hand before the lens."""
        for move in moves:
            yield self.exposed(self._warped(self._plain.astype(np.float32), move, 0.02))

    def exposed(self, light: NDArray[np.float32]) -> Image:
        """What the sensor makes of it: shot noise, a little of it in the dark, and eight bits."""
        side = self.camera.side_px
        row, column = self.rng.integers(0, self._noise.shape[0] - side, 2)
        noise = self._noise[row : row + side, column : column + side]
        light = light * self.camera.light
        level = light + noise * (self.camera.noise * np.sqrt(np.maximum(light, 8) / 128))
        return self.compressed(np.clip(level + 0.5, 0, 255).astype(np.uint8))

    def compressed(self, image: Image, quality: int | None = None) -> Image:
        """As the camera's JPEG, or one of `quality`, gives it back."""
        quality = quality or self.camera.jpeg_quality
        if quality is None:
            return image
        _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)

    def _warped(
        self, picture: NDArray[np.float32], move: NDArray[np.float64], tilt: float
    ) -> NDArray[np.float32]:
        side, x, y = self.camera.side_px, *(move[:2] * 2 * self.radius_px)
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(np.degrees(move[2])), 1.0)
        turn[:, 2] += x, y
        matrix = np.vstack([turn, [*(tilt * move[:2] / side), 1.0]])
        return np.asarray(cv2.warpPerspective(picture, matrix, (side, side)), np.float32)

    def fixation(self) -> Moves:
        """Drift and microsaccades of an eye that looks at a mark (Rolfs 2009, Martinez-Conde et
        al. 2004 for their orders of magnitude)."""
        step_s, moves = 1 / self.camera.fps, np.zeros((len(self.times_s), 3))
        for number in range(1, len(moves)):
            place = moves[number - 1, :2] * _FIELD_DEG
            place = place * (1 - 0.8 * step_s) + self.rng.normal(0, 0.15 * step_s**0.5, 2)
            if self.rng.random() < 1.2 * step_s:
                angle, size = self.rng.uniform(0, 2 * np.pi), self.rng.lognormal(np.log(0.3), 0.4)
                place = 0.6 * place + size * np.array([np.cos(angle), np.sin(angle)])
            moves[number, :2] = place / _FIELD_DEG
        moves[:, 2] = np.radians(0.1) * np.sin(2 * np.pi * 0.3 * self.times_s)
        return moves

    def nystagmus(self) -> Moves:
        """A jerk of 1.5 degrees about four times a second, no two alike, on top of fixation."""
        beats = np.floor(4 * self.times_s).astype(int)
        sizes = self.rng.normal(1.5, 0.15, beats[-1] + 1)
        moves = self.fixation()
        moves[:, 0] += sizes[beats] * (4 * self.times_s % 1) / _FIELD_DEG
        return moves

    def hand(self) -> Moves:
        """Tremor of 8 to 12 Hz on a slow sway: rigid, with a tilt that follows."""
        moves = np.zeros((len(self.times_s), 3))
        for rate_hz, size in ((self.rng.uniform(8, 12), 0.001), (self.rng.uniform(0.3, 1), 0.01)):
            phases = self.rng.uniform(0, 2 * np.pi, 3)
            moves += size * np.sin(2 * np.pi * rate_hz * self.times_s[:, None] + phases)
        return moves


def _placed(photograph: Image, fov: FieldOfView, side: int, scale: float) -> Image:
    """The fundus in the middle of a square frame."""
    matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    matrix[:, 2] = side / 2 - scale * np.array([fov.centre_x, fov.centre_y])
    picture = photograph if scale >= 1 else cv2.GaussianBlur(photograph, (0, 0), 0.5 / scale)
    return np.asarray(cv2.warpAffine(picture, matrix, (side, side)), np.uint8)


def _live(stage: Stage) -> Iterator[Image]:
    return stage.looking(stage.fixation(), pulse=True)


def _frozen(stage: Stage) -> Iterator[Image]:
    still = next(_live(stage))
    return (still for _ in stage.times_s)


def _frozen_anew(stage: Stage) -> Iterator[Image]:
    return map(stage.compressed, _frozen(stage), cycle(range(75, 96)))


def _on_a_stand(stage: Stage) -> Iterator[Image]:
    return stage.held(np.zeros((len(stage.times_s), 3)))


def _loop(period_s: float) -> Callable[[Stage], Iterator[Image]]:
    def looped(stage: Stage) -> Iterator[Image]:
        wanted = round(period_s * stage.camera.fps)
        frames = list(islice(_live(stage), wanted))
        return (frames[number % wanted] for number in range(len(stage.times_s)))

    return looped


def _loop_anew(stage: Stage) -> Iterator[Image]:
    qualities = (95 - 5 * int(time_s / 2) for time_s in stage.times_s)
    return map(stage.compressed, _loop(2.0)(stage), qualities)


LIVE = Camera()
EYES: dict[str, tuple[Camera, Callable[[Stage], Iterator[Image]]]] = {
    "an eye": (LIVE, _live),
    "an eye, dim and noisy": (Camera(noise=5.0, light=0.5), _live),
    "an eye, hardly any noise": (Camera(noise=0.5), _live),
    "an eye, camera sends JPEG": (Camera(jpeg_quality=80), _live),
    "an eye, each frame twice": (Camera(repeats=2), _live),
    "an eye with nystagmus": (LIVE, lambda stage: stage.looking(stage.nystagmus(), pulse=True)),
}
"""What has to pass."""

ATTACKS: dict[str, tuple[Camera, Callable[[Stage], Iterator[Image]]]] = {
    "a frozen frame": (LIVE, _frozen),
    "a frozen frame, JPEG anew": (LIVE, _frozen_anew),
    "a print on a stand": (LIVE, _on_a_stand),
    "a loop of 1 s": (LIVE, _loop(1.0)),
    "a loop of 2 s": (LIVE, _loop(2.0)),
    "a loop of 2 s, JPEG anew": (LIVE, _loop_anew),
    "a loop of 5 s": (LIVE, _loop(5.0)),
    "a print in a hand": (LIVE, lambda stage: stage.held(stage.hand())),
    "a print in a hand, its rim hidden": (
        LIVE,
        lambda stage: stage.looking(stage.hand(), pulse=False),
    ),
    "a still that a program moves as an eye": (
        LIVE,
        lambda stage: stage.looking(stage.fixation(), pulse=False),
    ),
    "a recording of an eye": (LIVE, _live),
}
"""What should not; the recording does, and so does a loop longer than the capture."""


def shots(
    name: str,
    photograph: Image,
    fov: FieldOfView,
    seed: int,
    duration_s: float,
    side_px: int | None = None,
) -> Iterator[Shot]:
    """The frames of one capture of a stream that is in EYES or ATTACKS; `side_px` overrides its
    camera's."""
    camera, play = (EYES | ATTACKS)[name]
    camera = replace(camera, side_px=side_px or camera.side_px)
    stage = Stage(photograph, fov, camera, seed, duration_s)
    for time_s, image in zip(stage.times_s, play(stage), strict=True):
        for again in range(camera.repeats):
            yield Shot(image, float(time_s) + again / (camera.fps * camera.repeats))
