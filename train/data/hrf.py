"""HRF: 45 photographs 3504x2336, 15 each healthy (h), with diabetic retinopathy (dr), glaucoma (g).

Source: Budai et al., "Robust vessel segmentation in fundus images", IJBI 2013. Protocol: the first
5 of each group for training, the other 30 for test, as in the M2U-Net paper. `hrf_half` is the same
at half size; the network sees 1744 of its 1752 columns (4 off each side, black in all photographs),
a multiple of 16.
"""

from dataclasses import replace
from pathlib import Path

from train.data.dataset import DataSet, Record, Window

_NUMBERS = {"train": range(1, 6), "test": range(6, 16)}


def _photograph(folder: Path, name: str) -> Path:
    """The release mixes .jpg and .JPG."""
    upper = folder / "images" / f"{name}.JPG"
    return upper if upper.exists() else folder / "images" / f"{name}.jpg"


def _list_records(folder: Path, split: str) -> list[Record]:
    names = [f"{number:02d}_{group}" for group in ("dr", "g", "h") for number in _NUMBERS[split]]
    return [
        Record(
            id=name,
            image=_photograph(folder, name),
            label=folder / "manual1" / f"{name}.tif",
            fov=folder / "mask" / f"{name}_mask.tif",
        )
        for name in names
    ]


HRF = DataSet(
    name="hrf",
    folder="HRF",
    size=(2336, 3504),
    window=Window(top=0, left=0, height=2336, width=3504),
    counts={"train": 15, "test": 30},
    vessel_fraction=(0.03, 0.20),
    list_records=_list_records,
    how_to_get="download the HRF segmentation data set from the FAU Erlangen pattern recognition "
    "lab and unpack it as HRF/images, HRF/manual1 and HRF/mask",
)

HRF_HALF = replace(
    HRF,
    name="hrf_half",
    size=(1168, 1752),
    window=Window(top=0, left=4, height=1168, width=1744),
    scale=0.5,
)
