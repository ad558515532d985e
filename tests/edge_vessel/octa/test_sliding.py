"""Our patches against MONAI's sliding window."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from octa_folders import DEPTH, FORM, logits, scaled, voxels

from edge_vessel.octa.sliding import blend_weights, slide, starts
from edge_vessel.octa.stacks import ArrayStack
from edge_vessel.octa.volume import Volume


@dataclass(frozen=True)
class Case:
    name: str
    plane: tuple[int, int]
    patch: tuple[int, int] = (16, 16)
    overlap: float = 0.25
    blending: str = "gaussian"


CASES = [
    Case("one patch", (16, 16)),
    Case("whole steps", (40, 52)),
    Case("last patch moves back", (37, 45)),
    Case("constant", (37, 45), blending="constant"),
    Case("half", (37, 45), overlap=0.5),
    Case("odd overlap", (50, 33), overlap=0.37),
    Case("no overlap", (40, 40), overlap=0.0),
    Case("oblong patch", (41, 40), patch=(12, 20)),
    Case("plane smaller than a patch", (11, 14)),
    Case("plane smaller in height alone", (9, 45)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_what_monai_gives(case):
    form = replace(
        FORM,
        height=case.patch[0],
        width=case.patch[1],
        overlap=case.overlap,
        blending=case.blending,
    )
    volume = voxels(DEPTH, *case.plane)
    ours = slide(
        Volume("volume", "volume", tuple(ArrayStack(one, "volume") for one in volume)),
        form,
        lambda patch: logits(patch, 2),
        classes=2,
    )

    def network(patches: torch.Tensor) -> torch.Tensor:
        # MONAI's maps have as many axes as its volumes: the depth travels as channels.
        patch = patches[0].numpy().reshape(2, DEPTH, *case.patch)
        return torch.from_numpy(logits(patch, 2)[None])

    flat = torch.from_numpy(scaled(volume).reshape(1, 2 * DEPTH, *case.plane))
    theirs = sliding_window_inference(
        flat, case.patch, 1, network, overlap=case.overlap, mode=case.blending
    )[0].numpy()
    assert ours.logits.shape == theirs.shape == (2, *case.plane)
    assert np.abs(ours.logits - theirs).max() < 1e-5
    assert np.abs(ours.en_face - volume[1].mean(axis=0)).max() < 1e-4


def test_a_step_is_at_least_a_pixel():
    assert starts(5, 4, 0.95) == [0, 1]


def test_no_pixel_of_a_patch_is_left_out():
    assert blend_weights(replace(FORM, height=64, width=64)).min() == pytest.approx(1e-3)


def test_holds_one_row_of_patches_at_a_time():
    rows = []

    class Counted(ArrayStack):
        def scans(self, start: int, stop: int):
            rows.append((start, stop))
            return super().scans(start, stop)

    stack = Counted(voxels(DEPTH, 50, 20)[0], "volume")
    form = replace(FORM, channels=FORM.channels[1:])
    plane = slide(Volume("v", "v", (stack,)), form, logits, classes=1)
    assert rows == [(0, 16), (8, 24), (16, 32), (24, 40), (32, 48), (34, 50)]
    assert plane.patches == 12
