"""Templates under a key, which a renewal revokes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edge_vessel.biometrics import protection
from edge_vessel.biometrics.protected_gallery import ProtectedGallery
from edge_vessel.biometrics.protected_matcher import THRESHOLD, Landmarks, ProtectedProbe
from edge_vessel.biometrics.protection import ProtectedTemplate
from edge_vessel.biometrics.protection_key import ProtectionKey
from edge_vessel.biometrics.renewal import Kind
from edge_vessel.biometrics.template import Template

RISE = 1.2
"""Of the threshold for a tenfold gallery. The score is no likelihood ratio, so no formula says how
much is due: in RIDB and between synthetic cameras each unit from 3 to 5 leaves an eighth of the
non-mated scores or fewer, so that 1.2 leave less than a tenth. Above 5.3 there were none to count;
that the tail goes on like this is taken to be so."""


@dataclass(frozen=True)
class ProtectedScheme:
    """See `Scheme`. What is under another key, as who can write to the store's folder may put back
    after a renewal, is revoked: nobody's."""

    key: ProtectionKey
    kind: ClassVar[Kind] = "protected"
    version: ClassVar[int] = protection.VERSION

    def content(self, merged: Template) -> bytes:
        return protection.protect(merged, self.key).to_bytes()

    def matches(self, probe: Template, contents: Sequence[bytes]) -> bool:
        """A stranger's probe is compared with a template without a landmark."""
        references = [one for one in map(protection.parse, contents) if self._is_ours(one)]
        nobody = ProtectedTemplate(self.key.identifier, *self.key.unused)
        ready = ProtectedProbe(Landmarks(probe), self.key)
        best = max(ready.compare(reference) for reference in references or [nobody])
        return bool(references) and best >= THRESHOLD

    def gallery(self, contents: Sequence[bytes]) -> Callable[[Template], int | None]:
        """The threshold rises with the gallery by `RISE`."""
        parsed = [protection.parse(one) for one in contents]
        ours = [index for index, one in enumerate(parsed) if self._is_ours(one)]
        gallery = ProtectedGallery([parsed[index] for index in ours], self.key)
        needed = THRESHOLD + RISE * np.log10(len(contents))

        def find(probe: Template) -> int | None:
            best = next(iter(gallery.search(probe)), None)
            return ours[best.index] if best is not None and best.score >= needed else None

        return find

    def _is_ours(self, template: ProtectedTemplate) -> bool:
        return template.key_id == self.key.identifier
