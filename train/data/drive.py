"""DRIVE: 40 photographs 565x584, half of them for training.

Source: Staal et al., "Ridge-based vessel segmentation in color images of the retina", IEEE TMI
2004.
Protocol: the centre 544x544 of each photograph, as in the M2U-Net paper.
"""

from pathlib import Path

from train.data.dataset import DataSet, Record, Window

_FOLDERS = {"train": "training", "test": "test"}
_NUMBERS = {"train": range(21, 41), "test": range(1, 21)}


def _list_records(folder: Path, split: str) -> list[Record]:
    part = _FOLDERS[split]
    base = folder / part
    return [
        Record(
            id=f"{number:02d}",
            image=base / "images" / f"{number:02d}_{part}.tif",
            label=base / "1st_manual" / f"{number:02d}_manual1.gif",
            fov=base / "mask" / f"{number:02d}_{part}_mask.gif",
            second_label=base / "2nd_manual" / f"{number:02d}_manual2.gif"
            if split == "test"
            else None,
        )
        for number in _NUMBERS[split]
    ]


DRIVE = DataSet(
    name="drive",
    folder="DRIVE",
    size=(584, 565),
    window=Window(top=20, left=10, height=544, width=544),
    counts={"train": 20, "test": 20},
    vessel_fraction=(0.05, 0.25),
    list_records=_list_records,
    how_to_get="register at the DRIVE challenge page, download both archives and unpack them as "
    "DRIVE/training and DRIVE/test",
)
