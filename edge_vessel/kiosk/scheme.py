"""How templates are kept and compared; one file a scheme."""

from collections.abc import Callable, Sequence
from typing import Protocol

from edge_vessel.biometrics.renewal import Kind
from edge_vessel.biometrics.template import Template


class Scheme(Protocol):
    """`contents` are what the store keeps of templates. Damaged ones raise ArtifactError."""

    @property
    def kind(self) -> Kind:
        """Which it is."""

    @property
    def version(self) -> int:
        """Of the contents' format."""

    def content(self, merged: Template) -> bytes:
        """What is to be kept of a template of one or more captures."""

    def matches(self, probe: Template, contents: Sequence[bytes]) -> bool:
        """Whether the probe is of the eye of one of them. Without contents, a stranger's, it takes
        as long as with one, so that the time does not tell who is enrolled."""

    def gallery(self, contents: Sequence[bytes]) -> Callable[[Template], int | None]:
        """What finds the index of whom a probe matches best, None where that is not enough for so
        many; made once for many probes.

        Args:
            contents: one or more.
        """
