"""What the wheel installs, and what the base needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge_vessel.models import PINNED

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_holds_the_runtime_and_its_model_alone(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)],
        check=True,
    )
    (wheel,) = tmp_path.glob("edge_vessel-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"edge_vessel"}
    assert {name for name in names if name.startswith("edge_vessel/models/m2unet")} == {
        f"edge_vessel/models/{model}/{name}"
        for model in PINNED
        for name in ("manifest.json", "model.onnx", "golden.npz")
    }
    assert "edge_vessel/py.typed" in names
    page = {path.name for path in (ROOT / "edge_vessel/kiosk/static").iterdir()}
    assert {f"edge_vessel/kiosk/static/{name}" for name in page} <= set(names)
    assert wheel.stat().st_size < 8e6


def test_the_runtime_imports_nothing_of_the_workstation():
    """No torch, no compiler, no window toolkit; numpy, OpenCV, ONNX Runtime, psutil, rich only."""
    script = """
import sys
import edge_vessel.run, edge_vessel.doctor, edge_vessel.artifact_cli
foreign = {"torch", "onnx", "tvm", "lightning", "kornia", "skimage", "scipy", "pygame", "fastapi",
           "uvicorn", "train", "compile", "bench", "deploy"}
print(sorted(foreign & {name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_one_way_of_imports():
    """edge_vessel imports none of the others; bench and deploy import edge_vessel alone."""
    for folder, forbidden in {
        "edge_vessel": ("train", "compile", "bench", "deploy"),
        "train": ("compile", "bench", "deploy"),
        "compile": ("bench", "deploy"),
    }.items():
        for path in (ROOT / folder).rglob("*.py"):
            for line in path.read_text().splitlines():
                words = line.split()
                if words[:1] in (["import"], ["from"]):
                    assert words[1].split(".")[0] not in forbidden, f"{path}: {line}"
