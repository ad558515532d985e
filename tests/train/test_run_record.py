"""What tells a run that goes on from another one."""

from train.run_record import differences

RUN = {"model": "skunet", "options": {"keep_rate": 0.85, "block_size": 7}, "seed": 1}


def test_the_same_run_has_no_differences():
    assert differences(RUN, RUN) == []
    assert differences({"model": "skunet"}, RUN) == []  # a record older than the rest


def test_a_change_and_an_option_left_out_are_told():
    now = {**RUN, "options": {"keep_rate": 0.8}}
    assert differences(RUN, now) == ["keep_rate was 0.85, is 0.8", "block_size was 7, is not given"]
