"""Another camera's photograph of the same eye: optics, light, colour, sensor, file.

A network that has seen one camera fails on the next: other focus and sharpening, an uneven flash,
another white balance, noise, JPEG blocks. Each step below is one of these, drawn anew for each
crop, in the order in which light meets them.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def other_camera(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> the same, as another camera might have taken it."""
    x = image.astype(np.float32) / 255.0
    for step in (_light, _optics, _colour, _tone, _sensor):
        x = step(x, random)
    return _file(np.clip(np.rint(x * 255.0), 0, 255).astype(np.uint8), random)


def _light(x: Image, random: np.random.Generator) -> Image:
    """An uneven flash (a smooth factor, quadratic in place) and haze of lens or cornea."""
    height, width = x.shape[:2]
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    a = (random.normal(0.0, (0.18, 0.18, 0.12, 0.12, 0.12))).astype(np.float32)
    field = a[0] * rows + a[1] * columns + a[2] * rows**2 + a[3] * columns**2
    x = x * np.exp(np.clip(field + a[4] * rows * columns, -0.9, 0.7))[..., None]
    if random.random() < 0.25:
        share = np.float32(random.uniform(0.05, 0.3))
        colour = random.uniform(0.2, 0.8, 3).astype(np.float32)
        x = x * (1 - share) + share * colour
    return x


def _optics(x: Image, random: np.random.Generator) -> Image:
    """Defocus, a moving eye, or a camera that sharpens."""
    draw = random.random()
    if draw < 0.35:
        return _blurred(x, random.uniform(0.4, 1.6))
    if draw < 0.43:
        return np.asarray(cv2.filter2D(x, -1, _motion_kernel(random)), np.float32)
    if draw < 0.65:
        soft = _blurred(x, random.uniform(0.8, 3.0))
        return np.asarray(x + np.float32(random.uniform(0.3, 1.5)) * (x - soft), np.float32)
    return x


def _blurred(x: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(x, (0, 0), float(sigma)), np.float32)


def _motion_kernel(random: np.random.Generator) -> Image:
    """A straight smear of 3 to 9 pixels in any direction."""
    kernel = np.zeros((9, 9), np.float32)
    angle, half = random.uniform(0, np.pi), random.uniform(1.0, 4.0)
    offset = np.array([np.cos(angle), np.sin(angle)]) * half
    start, end = np.rint(4 - offset).astype(int), np.rint(4 + offset).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _colour(x: Image, random: np.random.Generator) -> Image:
    """White balance, saturation, mixed channels; at times a red-free or a grey camera."""
    draw = random.random()
    if draw < 0.05:
        return np.repeat(x[..., 1:2], 3, axis=2)
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    if draw < 0.1:
        return np.repeat(grey[..., None], 3, axis=2)
    mixing = np.eye(3, dtype=np.float32) + random.normal(0.0, 0.06, (3, 3)).astype(np.float32)
    gain = np.exp(random.normal(0.0, 0.18, 3)).astype(np.float32)
    x = (x @ mixing.T) * gain
    saturation = np.float32(random.uniform(0.4, 1.4))
    return np.asarray(grey[..., None] + saturation * (x - grey[..., None]), np.float32)


def _tone(x: Image, random: np.random.Generator) -> Image:
    """Exposure, contrast and the camera's curve."""
    x = np.clip(x, 0.0, 1.5)
    x = np.power(x, np.float32(np.exp(random.uniform(-0.45, 0.45))))
    level = np.float32(x.mean())
    x = (x - level) * np.float32(np.exp(random.uniform(-0.5, 0.35))) + level
    return np.asarray(x * np.float32(np.exp(random.normal(0.0, 0.15))), np.float32)


def _sensor(x: Image, random: np.random.Generator) -> Image:
    """Noise, of pixels or of coarser grain."""
    if random.random() > 0.5:
        return x
    height, width = x.shape[:2]
    grain = int(random.integers(1, 4))
    shape = (-(-height // grain), -(-width // grain), 3 if random.random() < 0.5 else 1)
    noise = random.standard_normal(shape, np.float32) * np.float32(random.uniform(0.005, 0.04))
    if grain > 1:
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
        noise = noise.reshape(height, width, -1)
    return np.asarray(x + noise, np.float32)


def _file(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """JPEG of quality 30 to 95, at times."""
    if random.random() > 0.5:
        return image
    quality = int(random.integers(30, 96))
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
