"""From the pixels of a skeleton to the draft of a graph."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.draft import Chain, Draft
from edge_vessel.vessels.skeleton import neighbour_steps


def trace(mask: NDArray[np.bool_], skeleton: NDArray[np.bool_]) -> Draft:
    """Nodes where three or more lines meet or one ends, chains of pixels between them.

    Touching pixels with three neighbours or more are one node, at their mean. A ring has a node
    somewhere on it. Pixels' centres lie at half-integers, as in `FieldOfView`.

    Args:
        mask: (H, W) bool.
        skeleton: (H, W) bool, of this mask, as `skeletonise` gives it.
    """
    return _Tracer(mask, skeleton).draft


class _Tracer:
    def __init__(self, mask: NDArray[np.bool_], skeleton: NDArray[np.bool_]) -> None:
        lines = np.pad(skeleton, 1)
        vessels = np.pad(mask, 1).astype(np.uint8)
        self.draft = Draft()
        self._width = lines.shape[1]
        self._distance = cv2.distanceTransform(vessels, cv2.DIST_L2, cv2.DIST_MASK_5).ravel()
        self._area = _nearest_area(vessels > 0, lines)
        pixels = np.flatnonzero(lines)
        beside = pixels[:, None] + neighbour_steps(self._width)
        there = lines.ravel()[beside]
        self._beside = {
            pixel: row[seen].tolist()
            for pixel, row, seen in zip(pixels.tolist(), beside, there, strict=True)
        }
        self._node_of = self._junctions(pixels[there.sum(axis=1) > 2], lines.shape)
        self._seen: set[int] = set(self._node_of)
        self._draw_chains()

    def _junctions(self, pixels: NDArray[np.intp], shape: tuple[int, ...]) -> dict[int, int]:
        """The node of every pixel with three neighbours or more."""
        picture = np.zeros(shape, np.uint8)
        picture.ravel()[pixels] = 1
        labels = cv2.connectedComponents(picture, connectivity=8)[1].ravel()[pixels]
        node_of: dict[int, int] = {}
        order = np.argsort(labels, kind="stable")
        for group in np.split(pixels[order], np.flatnonzero(np.diff(labels[order])) + 1):
            if len(group):
                radius = float(self._distance[group].max())
                node = self.draft.add_node(self._points(group).mean(axis=0), radius)
                node_of.update(dict.fromkeys(group.tolist(), node))
        return node_of

    def _draw_chains(self) -> None:
        tips = [
            pixel
            for pixel, beside in self._beside.items()
            if pixel not in self._node_of
            and sum(other not in self._node_of for other in beside) < 2
        ]
        for tip in tips:
            if tip not in self._seen:
                self._add(self._walk(tip))
        for pixel in self._beside:  # what is left are rings
            if pixel not in self._seen:
                self._add_ring(self._walk(pixel))

    def _walk(self, pixel: int) -> list[int]:
        path = [pixel]
        self._seen.add(pixel)
        while ahead := [other for other in self._beside[path[-1]] if other not in self._seen]:
            path.append(ahead[0])
            self._seen.add(ahead[0])
        return path

    def _add(self, path: list[int]) -> None:
        first = [self._node_of[one] for one in self._beside[path[0]] if one in self._node_of]
        last = [self._node_of[one] for one in self._beside[path[-1]] if one in self._node_of]
        if len(path) == 1:
            first, last = first[:1], first[1:]
        start = first[0] if first else self._end(path[0])
        end = last[0] if last else self._end(path[-1])
        self._add_chain(start, end, path)

    def _add_ring(self, path: list[int]) -> None:
        node = self._end(path[0])
        self._add_chain(node, node, path)

    def _end(self, pixel: int) -> int:
        at = np.array([pixel])
        return self.draft.add_node(self._points(at)[0], float(self._distance[pixel]))

    def _add_chain(self, start: int, end: int, path: list[int]) -> None:
        pixels = np.array(path)
        position = self.draft.position
        points = np.vstack([position[start], self._points(pixels), position[end]])
        area = np.concatenate([[np.nan], self._area[pixels], [np.nan]])
        self.draft.add_chain(Chain(start, end, points, area))

    def _points(self, pixels: NDArray[np.intp]) -> NDArray[np.float64]:
        rows, columns = np.divmod(pixels, self._width)
        return np.stack([columns - 0.5, rows - 0.5], axis=1)  # less the padding of 1


def _nearest_area(vessels: NDArray[np.bool_], lines: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each pixel of the flat picture that is on a line, how many vessel pixels lie nearest."""
    area = np.zeros(lines.size)
    if not lines.any():
        return area
    labels = cv2.distanceTransformWithLabels(
        (~lines).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    counts = np.bincount(labels[vessels])
    area[lines.ravel()] = counts[labels[lines]]
    return area
