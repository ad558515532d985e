"""From a frame to a person: the one place where templates are made, stored and compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics import enrolment, extraction, matcher, quality, template
from edge_vessel.biometrics.enrolment_record import Enrolment
from edge_vessel.biometrics.gallery import Gallery
from edge_vessel.biometrics.quality import Quality
from edge_vessel.biometrics.store import Store
from edge_vessel.biometrics.template import Template
from edge_vessel.errors import UsageError
from edge_vessel.field_of_view import FieldOfView
from edge_vessel.segmenter import Segmenter
from edge_vessel.vessels import Field, analyse

TEMPLATE_VERSION = template.VERSION


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
        self._indexed: tuple[tuple[Enrolment, ...], Gallery] = ((), Gallery(()))

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

    def enrolled(self) -> tuple[Enrolment, ...]:
        """Everybody's, without a template."""
        return self._store.enrolments()

    def knows(self, subject: str) -> bool:
        """Whether the subject is enrolled."""
        return any(one.subject == subject for one in self.enrolled())

    def enrol(self, subject: str, captures: Sequence[Template]) -> bool:
        """Merges the captures and keeps the template; False where they are not of one eye.

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
            self._store.enrol(subject, merged.to_bytes(), TEMPLATE_VERSION)
        return True

    def matches(self, subject: str, probe: Template) -> bool:
        """One to one. A stranger's probe is compared with its own mirror image, which it does not
        match, so that the time does not tell who is enrolled."""
        stored = self._store.templates(subject)
        references = [template.parse(one.content) for one in stored] or [_mirrored(probe)]
        ready = matcher.Probe(probe)
        best = max(ready.compare(reference).score for reference in references)
        return bool(stored) and best >= matcher.THRESHOLD

    def identify(self, probe: Template) -> str | None:
        """One to many: whose template the probe matches best, by a threshold that rises with the
        gallery (Bonferroni), so that a stranger is taken for somebody no more often than in one
        comparison."""
        enrolments = self.enrolled()
        if not enrolments:
            return None
        if self._indexed[0] != enrolments:
            stored = self._store.templates()
            gallery = Gallery([template.parse(one.content) for one in stored])
            self._indexed = tuple(one.enrolment for one in stored), gallery
        indexed, gallery = self._indexed
        best = gallery.search(probe)[0]
        needed = matcher.THRESHOLD + np.log10(len(indexed))
        return indexed[best.index].subject if best.comparison.score >= needed else None


def _mirrored(probe: Template) -> Template:
    samples, landmarks = probe.samples.copy(), probe.landmarks.copy()
    for records in (samples, landmarks):
        records["x"] = -np.maximum(records["x"], 1 - template.UNIT)
    samples["axis"] = (256 - samples["axis"].astype(int)) % 256
    return replace(probe, field=probe.field[:, ::-1], samples=samples, landmarks=landmarks)
