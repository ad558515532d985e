"""`python -m bench latency` with an artifact for volumes."""

import json

import numpy as np
import octa_folders
import pytest
from octa_folders import DEPTH, voxels

from bench.latency import latency


@pytest.mark.parametrize(
    ("name", "side", "patches"), [("eye.npy", 40, 16), ("synthetic", 304, 37 * 37)]
)
def test_every_patch_counts(name, side, patches, tmp_path, capsys):
    folder = octa_folders.write(tmp_path / "octa")
    np.save(tmp_path / "eye.npy", voxels(DEPTH, 40, 40))
    image = [] if name == "synthetic" else ["--image", str(tmp_path / name)]
    call = [str(folder), "--allow-unsigned", "--runs", "2", "--warmup", "0", "--force", "--json"]
    assert latency([*call, *image]) == 0
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert (case["image"], case["image_size"]) == (name, [side, side])
    assert case["stages"]["inference"]["count"] == 2
    adds = case["subject"]["multiply_adds"] * patches
    rate = adds / 1e6 / case["stages"]["inference"]["p50_ms"]
    assert case["gmadds_per_s"] == pytest.approx(rate, rel=0.01, abs=0.001)
