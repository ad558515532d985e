"""Vessel graphs as volumes."""

import gzip

import numpy as np
import pytest

from edge_vessel.errors import UsageError
from train.data.octa_synth import graphs, label_dice
from train.data.vessel_graph import VesselGraph, read_graph
from train.data.voxelise import Appearance, draw_label, reduce_depth, render

DEPTH, SIDE = 40, 32
_NOTHING = Appearance(*[False] * 5)


def _graph():
    """One thick vessel along row 8, one thin across it, deeper."""
    start = np.array([[0.25, 0.0, 0.0], [0.0, 0.75, 0.01]])
    end = np.array([[0.25, 1.0, 0.0], [1.0, 0.75, 0.01]])
    return VesselGraph(start, end, np.array([0.05, 0.03]))


def _render(seed=0, **switches):
    appearance = Appearance(**{**vars(_NOTHING), **switches})
    return render(_graph(), seed, appearance, DEPTH, SIDE)


def test_a_graph_is_read(tmp_path):
    path = tmp_path / "eye.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("node1,node2,radius\n[0.5 0.25 0. ],[1. 0.25 0.01],0.02\n")
    graph = read_graph(path)
    assert graph.start.tolist() == [[0.5, 0.25, 0.0]]
    assert graph.end.tolist() == [[1.0, 0.25, 0.01]]
    assert graph.radius.tolist() == [0.02]


def _compressed(content: bytes) -> bytes:
    """Without the time of day: every process that collects tests has to find the same."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip",
        _compressed(b"node1,node2,radius\n"),
        _compressed(b"node1,node2\n[0 0 0],[1 1 1]\n"),
        _compressed(b"node1,node2,radius\n[0 0],[1 1 1],0.1\n"),
        _compressed(b"node1,node2,radius\n[0 0 0],[1 1 1],-0.1\n"),
        _compressed(b"node1,node2,radius\n[0 0 0],[1 1 1],0.1\n")[:-9],
    ],
)
def test_what_is_no_graph_is_one_line(tmp_path, content):
    path = tmp_path / "eye.csv.gz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"eye\.csv\.gz: no vessel graph") as caught:
        read_graph(path)
    assert "\n" not in str(caught.value)


def test_points_lie_close_on_each_piece():
    points, radius = _graph().along(0.1)
    assert np.abs(np.diff(points[:11], axis=0)).max() <= 0.1 + 1e-12
    assert points[0].tolist() == [0.25, 0.0, 0.0]
    assert points[-1].tolist() == [1.0, 0.75, 0.01]
    assert len(points) == len(radius) == 22


def test_the_label_is_as_wide_as_the_vessel():
    label = draw_label(_graph(), 200)
    assert label[:, 20].sum() == pytest.approx(2 * 0.05 * 200, abs=1)
    assert label[150].sum() == pytest.approx(2 * 0.03 * 200, abs=1)
    assert not label[120:, :140].any()


def test_a_volume_without_appearance_is_the_vessels_in_dim_tissue():
    eye = _render()
    above = eye.octa.max(axis=0)
    assert above[eye.label].min() > 2 * above[~eye.label].mean()
    assert eye.volume.shape == (2, DEPTH, SIDE, SIDE)
    assert eye.projections.shape == (3, SIDE, SIDE)
    # The thin vessel lies deeper below the surface than the thick one.
    depth = np.where(eye.octa > 0.2, eye.below_um, np.nan)
    assert np.nanmean(depth[:, 26, 24]) > np.nanmean(depth[:, 8, 4]) + 50


def test_the_seed_decides_everything():
    one, again, other = (render(_graph(), seed, depth=DEPTH, side_px=SIDE) for seed in (3, 3, 4))
    assert np.array_equal(one.volume, again.volume)
    assert np.array_equal(one.projections, again.projections)
    assert not np.array_equal(one.volume, other.volume)
    assert np.array_equal(one.label, other.label)


def _below(eye):
    """OCTA below the thick vessel against beside it, far from the thin one."""
    deep = (eye.below_um > 210) & (eye.below_um < 290)
    thick, beside = (eye.octa[:, row, 4][deep[:, row, 4]].mean() for row in (8, 16))
    return thick / beside


def test_tails_lie_below_vessels():
    assert _below(_render()) == pytest.approx(1.0, abs=0.05)
    assert _below(_render(tails=True)) > 1.5


def test_stripes_are_whole_scans():
    plain, striped = _render(seed=1, layers=True), _render(seed=1, layers=True, stripes=True)
    more = (striped.octa - plain.octa).sum(axis=0)
    rows = np.flatnonzero(more.sum(axis=1) > 1e-3)
    assert 0 < len(rows) < SIDE / 4
    assert (more[rows] > 0).all()


def test_layers_speckle_and_choroid_do_what_they_say():
    flat, layered = _render(), _render(layers=True)
    assert len(np.unique(np.round(layered.oct[:, 2, 2], 4))) >= 6
    assert len(np.unique(np.round(flat.oct[:, 2, 2], 4))) == 1
    noisy = _render(speckle=True)
    assert noisy.oct[:, 2, 2].std() > 0.1
    deep = flat.below_um > 350
    assert _render(choroid=True).octa[deep].mean() > 1.5 * flat.octa[deep].mean()


def test_depth_is_reduced_by_averaging():
    volume = np.arange(2 * 4 * 1 * 2, dtype=np.uint8).reshape(2, 4, 1, 2)
    assert reduce_depth(volume, 2)[0, :, 0].tolist() == [[1, 2], [5, 6]]
    with pytest.raises(UsageError, match="a divisor of 4"):
        reduce_depth(volume, 3)


@pytest.mark.data
def test_a_rendered_label_matches_the_data_sets_image(data):
    # At a half of its 1216 px: what vessels of two pixels lose by it is a pixel's rounding.
    assert label_dice(data, graphs(data)[0], 608) > 0.9
