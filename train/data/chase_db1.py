"""CHASE_DB1: 28 photographs 999x960 of 14 children, two graders.

Source: Fraz et al., "An ensemble classification-based approach applied to retinal blood vessel
segmentation", IEEE TBME 2012. Protocol: the first 8 for training, the last 20 for test, cropped to
960x960 (18 px off the left, 21 off the right), as in the M2U-Net paper.
"""

from pathlib import Path

from train.data.dataset import DataSet, Record, Window

_IDS = [f"{child:02d}{eye}" for child in range(1, 15) for eye in "LR"]
_SPLITS = {"train": _IDS[:8], "test": _IDS[8:]}


def _list_records(folder: Path, split: str) -> list[Record]:
    return [
        Record(
            id=name,
            image=folder / f"Image_{name}.jpg",
            label=folder / f"Image_{name}_1stHO.png",
            fov=folder / "mask" / f"Image_{name}.gif",
            second_label=folder / f"Image_{name}_2ndHO.png",
        )
        for name in _SPLITS[split]
    ]


CHASE_DB1 = DataSet(
    name="chase_db1",
    folder="CHASE_DB1",
    size=(960, 999),
    window=Window(top=0, left=18, height=960, width=960),
    counts={"train": 8, "test": 20},
    vessel_fraction=(0.04, 0.20),
    list_records=_list_records,
    how_to_get="download CHASE_DB1 from Kingston University's research data page and unpack it as "
    "CHASE_DB1 (fields of view, which it lacks, go to CHASE_DB1/mask/Image_NNX.gif)",
)
