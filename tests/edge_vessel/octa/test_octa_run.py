"""`python -m edge_vessel.run` and `artifact verify` with an artifact for volumes."""

import json
from dataclasses import dataclass, replace

import cv2
import numpy as np
import octa_folders
import pytest
from artifact_folders import python
from octa_folders import DEPTH, FORM, logits, scaled, sigmoid, voxels

from edge_vessel import artifact_cli, run
from edge_vessel.octa.biomarkers import area_mm2, faz_area_px, vessel_density_percent

SIDE = octa_folders.SIDE


@pytest.fixture
def volume(tmp_path):
    """One patch, so that numpy knows the whole map."""
    path = tmp_path / "eye.npy"
    np.save(path, voxels(DEPTH, SIDE, SIDE))
    return path


@pytest.fixture
def artifact(tmp_path):
    return octa_folders.write(tmp_path / "octa")


def segment(*arguments) -> int:
    return run.main([*map(str, arguments), "--allow-unsigned", "--meter", "none"])


def expected(classes: int = 1):
    return sigmoid(logits(scaled(voxels(DEPTH, SIDE, SIDE)), classes))


def test_a_volume_becomes_a_map_an_overlay_and_a_line(volume, artifact, tmp_path, capsys):
    lines = tmp_path / "lines.jsonl"
    kinds = ("--save", "mask,overlay,probability")
    where = ("--output", tmp_path / "maps", "--jsonl", lines)
    assert segment("--input", volume, "--model", artifact, *where, *kinds, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert json.loads(lines.read_text()) == document
    mask = expected()[0] >= 0.5
    assert document["vessel_px"] == mask.sum()
    assert document["vessel_density_percent"] == pytest.approx(100 * mask.mean())
    assert (document["type"], document["patches"], document["faz_area_px"]) == ("volume", 1, None)
    assert (document["depth"], document["height"], document["width"]) == (DEPTH, SIDE, SIDE)
    written = cv2.imread(str(tmp_path / "maps" / "eye_mask.png"), cv2.IMREAD_UNCHANGED)
    assert (written == mask * 255).all()
    probability = cv2.imread(str(tmp_path / "maps" / "eye_probability.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(probability / 65535 - expected()[0]).max() < 1e-4
    overlay = cv2.imread(str(tmp_path / "maps" / "eye_overlay.png"))
    assert overlay.shape == (SIDE, SIDE, 3)


def test_faz_has_an_area_where_the_field_is_known(volume, tmp_path, capsys):
    artifact = octa_folders.write(tmp_path / "two", classes=("vessel", "faz"))
    call = ("--input", volume, "--model", artifact, "--output", tmp_path / "maps")
    assert segment(*call, "--field-mm", "3x6", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    pixels = faz_area_px(expected(2)[1] >= 0.5)
    assert document["faz_area_px"] == pixels > 0
    assert document["faz_area_mm2"] == pytest.approx(pixels * 18 / SIDE**2)
    assert segment(*call) == 0
    assert f"FAZ {pixels} px" in capsys.readouterr().out


def test_the_lines_may_go_to_stdout(volume, artifact, capfd):
    assert segment("--input", volume, "--model", artifact, "--jsonl", "-") == 0
    assert json.loads(capfd.readouterr().out)["output"] is None


@dataclass(frozen=True)
class Refused:
    name: str
    flags: tuple[str, ...]
    says: str
    code: int = 2


REFUSED = [
    Refused("a photograph", ("--input", "PHOTOGRAPH"), "07L.jpg: is no volume; give .npy"),
    Refused("absent", ("--input", "absent.npy"), "absent.npy: no such volume"),
    Refused("no input", (), "no volume: name one with --input"),
    Refused("a camera", ("--camera",), "--camera is not for volumes"),
    Refused("a preview", ("--input", "VOLUME", "--serve", "127.0.0.1:0"), "--serve is not for"),
    Refused(
        "biomarkers",
        ("--input", "VOLUME", "--jsonl", "-", "--biomarkers"),
        "--biomarkers is not for vol",
    ),
    Refused("landmarks", ("--input", "VOLUME", "--save", "landmarks"), "--save landmarks is not"),
    Refused("threads", ("--input", "VOLUME", "--threads", "1000"), "threads 1000: from 1 to"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_is_not_for_volumes_is_one_line(case, volume, artifact, samples, capsys):
    names = {"PHOTOGRAPH": samples / "chase_db1_07L.jpg", "VOLUME": volume}
    flags = [names.get(flag, flag) for flag in case.flags]
    assert segment("--model", artifact, *flags) == case.code
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert case.says in said[0]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--input", "VOLUME"), "eye.npy: is a volume, and this model segments photographs"),
        (("--input", "synthetic:", "--field-mm", "6"), "--field-mm is for volumes"),
    ],
)
def test_a_volume_is_not_for_photographs(flags, says, volume, capsys):
    assert segment(*[volume if flag == "VOLUME" else flag for flag in flags]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0x3", "3x", "a", "1x2x3", "3xnan", "1000"])
def test_a_field_is_one_or_two_lengths(text, capsys):
    with pytest.raises(SystemExit):
        run.main(["--field-mm", text])
    assert "HxW in mm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "source", "place"),
    [
        ("--output", "eye", "eye"),
        ("--output", "eye", "eye/OCTA"),
        ("--output", "eye", "eye/OCTA/maps"),
        ("--jsonl", "eye", "eye/OCTA/1.png"),
        ("--jsonl", "eye/OCT,eye/OCTA", "eye/OCT/maps.jsonl"),
        ("--jsonl", "eye.npy", "eye.npy"),
    ],
)
def test_results_do_not_lie_in_the_volume(
    flag, source, place, volume, artifact, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for name, channel in zip(("OCT", "OCTA"), np.load(volume), strict=True):
        (tmp_path / "eye" / name).mkdir(parents=True)
        for number in range(SIDE):
            scan = np.ascontiguousarray(channel[:, number])
            cv2.imwrite(str(tmp_path / "eye" / name / f"{number}.png"), scan)
    assert segment("--input", source, "--model", artifact, flag, place) == 2
    assert "holds the volume" in capsys.readouterr().err


def test_results_may_lie_beside_the_b_scans(volume, artifact, tmp_path, capsys):
    folder = tmp_path / "eye\x1b[2J"
    folder.mkdir()
    for name, channel in zip(("OCT", "OCTA"), np.load(volume), strict=True):
        np.save(folder / f"{name}.npy", channel)
    assert segment("--input", folder, "--model", artifact, "--output", folder / "maps") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_network_that_gives_no_numbers_is_one_line(volume, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(octa_folders, "WEIGHTS", np.full_like(octa_folders.WEIGHTS, np.inf))
    artifact = octa_folders.write(tmp_path / "broken")
    assert segment("--input", volume, "--model", artifact, "--output", tmp_path / "maps") == 4
    assert "values that are not finite" in capsys.readouterr().err


def test_too_little_memory_is_one_line(artifact, tmp_path):
    """A sparse volume whose row of patches takes half a gigabyte."""
    path = tmp_path / "wide.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (2, DEPTH, SIDE, 2**19)).flush()
    call = ["--input", str(path), "--model", str(artifact), "--allow-unsigned", "--meter", "none"]
    limited = (
        "import resource, sys; from edge_vessel import run; "
        "resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20)); "
        f"sys.exit(run.main({call!r}))"
    )
    done = python("-c", limited)
    assert done.returncode == 3, done.stderr
    assert "4x16x524288 voxels need more memory than is free" in done.stderr
    assert "Traceback" not in done.stderr


def verify(folder, *flags) -> int:
    return artifact_cli.main(["verify", str(folder), "--allow-unsigned", *flags])


def test_verify_runs_the_golden_patch(artifact, capsys):
    assert verify(artifact, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"]
    assert report["selftest"]["max_abs_difference"] < 1e-3
    assert report["input"] == {"channels": 2, "depth": DEPTH, "height": SIDE, "width": SIDE}


def test_show_tells_the_channels_apart(artifact, capsys):
    assert artifact_cli.main(["show", str(artifact), "--allow-unsigned"]) == 0
    shown = capsys.readouterr().out
    assert "input.channels.1.name" in shown
    assert "gaussian" in shown


def test_verify_sees_another_network(tmp_path, capsys):
    wrong = octa_folders.model(classes=2)
    assert verify(octa_folders.write(tmp_path / "a", model=wrong)) == 4
    assert "gives [('tensor(float)', [1, 2, 16, 16])]" in capsys.readouterr().err
    shallow = octa_folders.model(replace(FORM, depth=2))
    assert verify(octa_folders.write(tmp_path / "b", model=shallow)) == 4
    assert "takes [('tensor(float)', [1, 2, 2, 16, 16])]" in capsys.readouterr().err


def test_verify_sees_another_golden(tmp_path, capsys):
    patch = voxels(DEPTH, SIDE, SIDE)
    other = octa_folders.npz(patch=patch, probability=np.zeros((1, SIDE, SIDE), np.float16))
    assert verify(octa_folders.write(tmp_path / "a", golden=other)) == 4
    assert "the self-test is off by" in capsys.readouterr().err
    fundus = octa_folders.npz(image=patch, probability=np.zeros((1, SIDE, SIDE), np.float16))
    assert verify(octa_folders.write(tmp_path / "b", golden=fundus)) == 4
    assert "is not the golden pair of 16x16" in capsys.readouterr().err


def test_biomarkers_by_hand():
    """Two parts of 5 (across a corner) and 2 pixels on 4 x 6; 3 x 6 mm."""
    faz = np.zeros((4, 6), bool)
    faz[0:2, 0:2] = faz[2, 2] = True
    faz[0, 4:6] = True
    assert faz_area_px(faz) == 5
    assert faz_area_px(np.zeros((4, 6), bool)) == 0
    assert area_mm2(5, (4, 6), (3.0, 6.0)) == pytest.approx(5 * 0.75)
    assert vessel_density_percent(faz) == pytest.approx(100 * 7 / 24)
