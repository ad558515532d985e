"""Templates as they are; the store seals them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from edge_vessel.biometrics import matcher, template
from edge_vessel.biometrics.gallery import Gallery
from edge_vessel.biometrics.renewal import Kind
from edge_vessel.biometrics.template import Template


@dataclass(frozen=True)
class ClearScheme:
    """See `Scheme`."""

    kind: ClassVar[Kind] = "clear"
    version: ClassVar[int] = template.VERSION

    def content(self, merged: Template) -> bytes:
        return merged.to_bytes()

    def matches(self, probe: Template, contents: Sequence[bytes]) -> bool:
        """A stranger's probe is compared with its own mirror image, which it does not match."""
        references = [template.parse(one) for one in contents] or [_mirrored(probe)]
        ready = matcher.Probe(probe)
        best = max(ready.compare(reference).score for reference in references)
        return bool(contents) and best >= matcher.THRESHOLD

    def gallery(self, contents: Sequence[bytes]) -> Callable[[Template], int | None]:
        """The threshold rises with the gallery (Bonferroni), so that a stranger is taken for
        somebody no more often than in one comparison."""
        gallery = Gallery([template.parse(one) for one in contents])
        needed = matcher.THRESHOLD + np.log10(len(contents))

        def find(probe: Template) -> int | None:
            best = gallery.search(probe)[0]
            return best.index if best.comparison.score >= needed else None

        return find


def _mirrored(probe: Template) -> Template:
    samples, landmarks = probe.samples.copy(), probe.landmarks.copy()
    for records in (samples, landmarks):
        records["x"] = -np.maximum(records["x"], 1 - template.UNIT)
    samples["axis"] = (256 - samples["axis"].astype(int)) % 256
    return replace(probe, field=probe.field[:, ::-1], samples=samples, landmarks=landmarks)
