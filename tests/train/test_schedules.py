"""Learning rates step by step, losses by name."""

import numpy as np
import pytest
import torch
from torch import nn

from edge_vessel.errors import UsageError
from train import losses
from train.schedules import schedule


def _rates(name: str, steps: int, cycles: int = 1) -> list[float]:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.01)
    scheduler = schedule(name, optimiser, steps, cycles)["scheduler"]
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def test_constant_stays_and_cosine_falls_to_nothing():
    assert _rates("constant", 5) == [0.01] * 5
    rates = _rates("cosine", 100)
    assert rates[50] == pytest.approx(0.005)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-5


def test_cyclical_begins_anew_each_cycle_and_ends_low():
    rates = _rates("cyclical", 60, cycles=3)
    assert [rates[i] for i in (0, 20, 40)] == pytest.approx([0.01] * 3)
    assert [rates[i] for i in (10, 30, 50)] == pytest.approx([0.005] * 3, rel=1e-3)
    assert max(rates[19], rates[39], rates[59]) < 1e-4


@pytest.mark.parametrize(("steps", "cycles"), [(65, 3), (7, 7), (5, 20), (1005, 20)])
def test_cycles_end_with_the_run_whatever_its_steps(steps, cycles):
    rates = _rates("cyclical", steps, cycles)
    assert rates[0] == 0.01
    last = 0.005 * (1 + np.cos(np.pi * ((steps - 1) * cycles / steps % 1)))
    assert rates[-1] == pytest.approx(last, abs=2e-8)
    assert min(rates) >= 1e-8


def test_plateau_watches_the_validation_loss():
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.01)
    found = schedule("plateau", optimiser, 10, 1)
    assert found["monitor"] == "val_loss"
    for _ in range(12):
        found["scheduler"].step(1.0)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: _rates("warm", 1), "unknown schedule 'warm'; known: constant, cosine"),
        (lambda: _rates("cyclical", 5, cycles=0), "--model.cycles 0: 1 or more"),
        (lambda: losses.find("focal"), "unknown loss 'focal'; known: bce, bce_jaccard"),
    ],
)
def test_unknown_names_list_the_known(call, says):
    with pytest.raises(UsageError, match=says):
        call()


def test_jbce_is_bce_plus_a_share_of_one_minus_j():
    logits = torch.tensor([[[[0.0, 2.0]]]])
    label = torch.tensor([[[[0.0, 1.0]]]])
    p = torch.sigmoid(logits).flatten()
    bce = -(torch.log(1 - p[0]) + torch.log(p[1])) / 2
    j = p[1] / (p.sum() + 1.0 - p[1])
    assert losses.bce(logits, label).item() == pytest.approx(bce.item(), rel=1e-6)
    expected = bce + 0.3 * (1 - j)
    assert losses.bce_jaccard(logits, label).item() == pytest.approx(expected.item(), rel=1e-5)
