"""A vessel graph while it is being put together."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Chain:
    """A line between two nodes of the draft.

    `points` is (N, 2) float64, x and y in pixels from the node `start` to the node `end`, both
    included. `area` is (N,) float64: the vessel pixels that lie nearest to each point, NaN where
    that is not known, as at nodes and in bridged gaps.
    """

    start: int
    end: int
    points: NDArray[np.float64]
    area: NDArray[np.float64]

    @cached_property
    def length(self) -> float:
        """In pixels, along the points."""
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())

    @cached_property
    def calibre(self) -> float:
        """Mean width in pixels: known area over its length; 1 where none is known."""
        known = np.isfinite(self.area)
        share = known.sum() / max(1, len(known) - 1)
        covered = self.length * min(1.0, float(share))
        return float(self.area[known].sum()) / covered if covered > 0 else 1.0

    def reversed(self) -> "Chain":
        """The same line the other way round."""
        return Chain(self.end, self.start, self.points[::-1], self.area[::-1])


class Draft:
    """Nodes and chains by number, open to change.

    `position` is each node's (x, y) in pixels, `radius` the distance in pixels from there to the
    vessel's wall.
    """

    def __init__(self) -> None:
        self.position: dict[int, NDArray[np.float64]] = {}
        self.radius: dict[int, float] = {}
        self.chains: dict[int, Chain] = {}
        self.crossings: set[int] = set()
        self._at: dict[int, set[int]] = {}
        self._next = 0

    def add_node(self, position: NDArray[np.float64], radius: float) -> int:
        """The new node's number."""
        node = self._number()
        self.position[node], self.radius[node], self._at[node] = position, radius, set()
        return node

    def add_chain(self, chain: Chain) -> int:
        """The new chain's number."""
        number = self._number()
        self.chains[number] = chain
        self._at[chain.start].add(number)
        self._at[chain.end].add(number)
        return number

    def at(self, node: int) -> list[int]:
        """The chains at a node, in order; a ring stands there twice."""
        once = sorted(self._at[node])
        return once + [one for one in once if self.chains[one].start == self.chains[one].end]

    def leaving(self, number: int, node: int) -> Chain:
        """The chain, turned so that it starts at `node`."""
        chain = self.chains[number]
        return chain if chain.start == node else chain.reversed()

    def remove(self, number: int) -> None:
        """Takes a chain out, and the nodes that it leaves alone."""
        chain = self.chains.pop(number)
        for node in {chain.start, chain.end}:
            self._at[node].discard(number)
            if not self._at[node]:
                self._drop_node(node)

    def join(self, node: int) -> None:
        """Makes one chain of the two at a node, which goes; a ring's node and others stay."""
        numbers = self.at(node)
        if len(numbers) != 2 or numbers[0] == numbers[1]:
            return
        first, second = (self.leaving(number, node) for number in numbers)
        for number in numbers:
            self._forget(number)
        self._drop_node(node)
        points = np.concatenate([first.points[::-1], second.points[1:]])
        area = np.concatenate([first.area[::-1], second.area[1:]])
        self.add_chain(Chain(first.end, second.end, points, area))

    def contract(self, number: int) -> int:
        """Makes one node, half way, of the two that a chain connects, and drops the chain."""
        chain = self.chains[number]
        kept, lost = chain.start, chain.end
        self._forget(number)
        middle = (self.position[kept] + self.position[lost]) / 2
        self.radius[kept] = max(self.radius[kept], self.radius[lost])
        self.position[kept] = middle
        for other in {*self.at(kept), *self.at(lost)}:
            old = self.chains[other]
            self._forget(other)
            start, end = (kept if node == lost else node for node in (old.start, old.end))
            points = old.points.copy()
            points[0], points[-1] = self.position[start], self.position[end]
            self.add_chain(Chain(start, end, points, old.area))
        if lost != kept:
            self._drop_node(lost)
        return kept

    def components(self) -> list[set[int]]:
        """The numbers of the chains that hang together, set by set."""
        left, found = set(self.chains), []
        while left:
            todo, together = [next(iter(left))], set()
            while todo:
                number = todo.pop()
                if number not in together:
                    together.add(number)
                    chain = self.chains[number]
                    todo += self._at[chain.start] | self._at[chain.end]
            left -= together
            found.append(together)
        return found

    def _forget(self, number: int) -> None:
        chain = self.chains.pop(number)
        self._at[chain.start].discard(number)
        self._at[chain.end].discard(number)

    def _drop_node(self, node: int) -> None:
        del self.position[node], self.radius[node], self._at[node]
        self.crossings.discard(node)

    def _number(self) -> int:
        self._next += 1
        return self._next


def direction(points: NDArray[np.float64], skip: float, reach: float) -> NDArray[np.float64]:
    """The unit vector (2,) along a line, away from its first point.

    It is taken between the points at `skip` and `skip + reach` pixels along it, or less where the
    line is shorter: what lies inside the junction's own disc has a direction of its own.
    """
    near, far = stations(points, skip, reach)
    step = far - near
    return np.asarray(step / max(float(np.hypot(*step)), 1e-9))


def stations(
    points: NDArray[np.float64], skip: float, reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points (2,) at `skip` and `skip + reach` pixels along a line, nearer on a short one."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    first = min(skip, 0.5 * along[-1])
    places = (first, min(first + reach, along[-1]))
    near, far = (
        np.array([np.interp(place, along, points[:, axis]) for axis in (0, 1)]) for place in places
    )
    return near, far
