"""From a frame to a person: the one place where templates are made, kept and compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics import enrolment, extraction, quality, renewal
from edge_vessel.biometrics.enrolment_record import Enrolment
from edge_vessel.biometrics.protection_key import ProtectionKey
from edge_vessel.biometrics.quality import Quality
from edge_vessel.biometrics.store import Store
from edge_vessel.biometrics.template import Template
from edge_vessel.errors import UsageError
from edge_vessel.field_of_view import FieldOfView
from edge_vessel.kiosk.clear_scheme import ClearScheme
from edge_vessel.kiosk.protected_scheme import ProtectedScheme
from edge_vessel.kiosk.scheme import Scheme
from edge_vessel.segmenter import Segmenter
from edge_vessel.vessels import Field, analyse


@dataclass(frozen=True)
class Look:
    """A frame that was looked at. `mask` (H, W) bool, its vessels; `image` (H, W, 3) uint8 RGB."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    fov: FieldOfView | None
    quality: Quality


class Recognition:
    """Looks at frames with a network, and compares with what a store holds.

    Every method but `look` and `template` raises DeviceError where the store fails.
    """

    def __init__(self, segmenter: Segmenter, store: Store) -> None:
        self.artifact = segmenter.artifact
        self._segmenter = segmenter
        self._store = store
        self._scheme: Scheme = ClearScheme()
        self._key: ProtectionKey | None = None
        self._indexed: tuple[Scheme, tuple[Enrolment, ...]] | None = None
        self._find: Callable[[Template], int | None] = lambda _: None

    def look(self, image: NDArray[np.uint8], before: NDArray[np.uint8]) -> Look:
        """image, before: (H, W, 3) uint8 RGB, a frame and the camera's frame before it.

        Raises:
            DeviceError: the engine failed.
        """
        found = self._segmenter.segment(image)
        same_size = before if before.shape == image.shape else None
        return Look(image, found.mask, found.fov, quality.assess(image, found, same_size))

    def template(self, look: Look) -> Template | None:
        """Of a good look; None where it shows no vessels to compare."""
        if look.fov is None:
            return None
        field = Field.of(look.image, look.fov)
        made = extraction.extract(analyse(look.mask, field), look.fov, field)
        return made if len(made.samples) else None

    @property
    def scheme(self) -> Scheme:
        """How the store's templates are kept; `store renew` may change its key at any time."""
        key = renewal.key_of(self._store)
        if key != self._key:
            self._scheme = ClearScheme() if key is None else ProtectedScheme(key)
            self._key = key
        return self._scheme

    def enrolled(self) -> tuple[Enrolment, ...]:
        """Everybody's, without a template."""
        return self._store.enrolments()

    def knows(self, subject: str) -> bool:
        """Whether the subject is enrolled."""
        return any(one.subject == subject for one in self.enrolled())

    def enrol(self, subject: str, captures: Sequence[Template]) -> bool:
        """Merges the captures and keeps the template; False where they are not of one eye, or show
        too little to be matched again.

        Raises:
            UsageError: the subject is enrolled already.
        """
        try:
            merged = enrolment.enrol(captures)
        except UsageError:
            return False
        with self._store.transaction():
            if self.knows(subject):
                raise UsageError(f"{subject}: is enrolled already; delete the subject first")
            scheme = self.scheme
            content = scheme.content(merged)
            if not scheme.matches(captures[0], [content]):
                return False
            self._store.enrol(subject, content, scheme.version)
        return True

    def matches(self, subject: str, probe: Template) -> bool:
        """One to one."""
        contents = [one.content for one in self._store.templates(subject)]
        return self.scheme.matches(probe, contents)

    def identify(self, probe: Template) -> str | None:
        """One to many: whose template the probe matches best, and well enough for so many."""
        scheme, enrolments = self.scheme, self.enrolled()
        if not enrolments:
            return None
        if self._indexed != (scheme, enrolments):  # a gallery under another key is revoked
            stored = self._store.templates()
            self._find = scheme.gallery([one.content for one in stored])
            enrolments = tuple(one.enrolment for one in stored)
            self._indexed = scheme, enrolments
        index = self._find(probe)
        return None if index is None else enrolments[index].subject
