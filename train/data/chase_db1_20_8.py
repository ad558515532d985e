"""CHASE_DB1 in the split of the SKU-Net paper: the first 20 for training, the last 8 for test.

The paper resizes photographs; here the network sees the 960x960 window of `chase_db1` (the fields
of view lie inside it) and scores are the full frame's, so that both splits compare.
"""

from dataclasses import replace
from pathlib import Path

from train.data.chase_db1 import CHASE_DB1
from train.data.dataset import Record

_TRAIN = 20


def _list_records(folder: Path, split: str) -> list[Record]:
    every = [one for part in ("train", "test") for one in CHASE_DB1.list_records(folder, part)]
    return every[:_TRAIN] if split == "train" else every[_TRAIN:]


CHASE_DB1_20_8 = replace(
    CHASE_DB1,
    name="chase_db1_20_8",
    counts={"train": _TRAIN, "test": 8},
    list_records=_list_records,
)
