"""The data sets, by name."""

from edge_vessel.errors import UsageError
from train.data.chase_db1 import CHASE_DB1
from train.data.chase_db1_20_8 import CHASE_DB1_20_8
from train.data.dataset import DataSet
from train.data.drive import DRIVE
from train.data.hrf import HRF, HRF_HALF

DATA_SETS: dict[str, DataSet] = {
    one.name: one for one in (DRIVE, CHASE_DB1, CHASE_DB1_20_8, HRF, HRF_HALF)
}


def find(name: str) -> DataSet:
    """The data set of that name.

    Raises:
        UsageError: the name is not in the registry.
    """
    if name not in DATA_SETS:
        raise UsageError(f"unknown data set {name!r}; known: {', '.join(sorted(DATA_SETS))}")
    return DATA_SETS[name]
