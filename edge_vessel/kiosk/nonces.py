"""Nonces that were used: an answer to an old question is no answer."""

from collections import OrderedDict

REMEMBERED = 10_000


class Nonces:
    """The last `REMEMBERED` since the service started; used on the event loop alone."""

    def __init__(self) -> None:
        self._used: OrderedDict[str, None] = OrderedDict()

    def use(self, nonce: str) -> bool:
        """False where it was used before."""
        if nonce in self._used:
            return False
        self._used[nonce] = None
        if len(self._used) > REMEMBERED:
            self._used.popitem(last=False)
        return True
