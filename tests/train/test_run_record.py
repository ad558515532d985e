"""What tells a run that goes on from another one."""

from train.run_record import differences, without_gone

RUN = {"model": "skunet", "options": {"keep_rate": 0.85, "block_size": 7}, "seed": 1}


def test_the_same_run_has_no_differences():
    assert differences(RUN, RUN) == []
    assert differences({"model": "skunet"}, RUN) == []  # a record older than the rest


def test_a_change_and_an_option_left_out_are_told():
    now = {**RUN, "options": {"keep_rate": 0.8}}
    assert differences(RUN, now) == ["keep_rate was 0.85, is 0.8", "block_size was 7, is not given"]


def test_the_share_of_teachers_that_a_run_had_not_is_no_difference():
    before = {"files": [{"role": "start_from"}], "settings": {"distillation": 0.5, "cycles": 20}}
    now = {"settings": {"cycles": 20}}
    assert differences(without_gone(before), now) == []
    taught = {**before, "files": [{"role": "teachers"}]}
    assert differences(without_gone(taught), now) == ["distillation was 0.5, is not given"]
    assert without_gone({"model": "m2unet"}) == {"model": "m2unet"}
