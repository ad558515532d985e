"""What a skeleton has too much of: spurs and specks."""

from edge_vessel.vessels.draft import Draft
from edge_vessel.vessels.gaps import bridge_gaps

_SPUR = 2.5  # of the radius at the junction: a shorter branch is a bump of the vessel's wall
_SPECK = 3.0  # calibres of all the lines that hang together


def prune(draft: Draft) -> None:
    """Takes out spurs, bridges gaps, takes out specks; nodes between two chains go."""
    _remove_spurs(draft)
    bridge_gaps(draft)
    _remove_specks(draft)


def _remove_spurs(draft: Draft) -> None:
    """Of each junction the shortest first: where a vessel's end forks, one prong stays."""
    while True:
        shortest: dict[int, tuple[float, int]] = {}
        for number, chain in draft.chains.items():
            for tip, node in ((chain.start, chain.end), (chain.end, chain.start)):
                if len(draft.at(tip)) == 1 and len(draft.at(node)) > 2:
                    spur = (chain.length, number)
                    if chain.length < _SPUR * draft.radius[node]:
                        shortest[node] = min(shortest.get(node, spur), spur)
        if not shortest:
            return
        for node, (_, number) in shortest.items():
            draft.remove(number)
            draft.join(node)


def _remove_specks(draft: Draft) -> None:
    """Blobs and dashes: small in calibres, their own or all vessels'."""
    usual = _mean_calibre(draft, set(draft.chains))
    for together in draft.components():
        length = sum(draft.chains[number].length for number in together)
        if length <= _SPECK * max(usual, _mean_calibre(draft, together)):
            for number in together:
                draft.remove(number)


def _mean_calibre(draft: Draft, numbers: set[int]) -> float:
    chains = [draft.chains[number] for number in numbers]
    length = sum(chain.length for chain in chains)
    return sum(chain.calibre * chain.length for chain in chains) / length if length else 0.0
