"""The command that prints what each network costs."""

import json

import pytest
from artifact_folders import called, python

from edge_vessel.errors import UsageError
from train.__main__ import main
from train.models import create


def test_it_counts_every_network():
    done = python("-m", "train", "networks", "--json")
    assert done.returncode == 0, done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["m2unet"]["parameters"] == 549_748
    assert found["m2unet"]["multiply_adds"] == 1_418_860_528
    assert {"unet", "erfnet", "unet_dropblock", "skunet", "wnet", "wnet_unet"} < set(found)


@pytest.mark.parametrize("size", ["0", "100", "-16"])
def test_a_size_that_no_network_takes_is_one_line(size):
    done = called(main, "networks", f"--size={size}")
    assert done.returncode == 2
    assert done.stderr == f"error: --size {size}: a multiple of 16, such as 544\n"


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("asr_ipn_v2", {"width": 0}, "width 0"),
        ("asr_ipn_v2", {"width": "wide"}, "width 'wide'"),
        ("asr_ipn_v2", {"plane": ["unet"]}, r"plane \['unet'\]"),
        ("ipn_v2", {"poolings": 3}, "poolings 3"),
        ("skunet", {"keep_rate": [0.9]}, r"keep_rate \[0.9\]"),
    ],
)
def test_an_option_of_no_use_is_named(name, options, says):
    with pytest.raises(UsageError, match=f"^{name}: cannot be made with {says}$"):
        create(name, **options)
