"""Steps of the optimiser through one stage, which another process can go on with."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from train import losses
from train.octa.settings import Settings


@dataclass(frozen=True)
class Step:
    """One step of the optimiser; `stage` is "patches" or "whole"."""

    stage: str
    number: int
    loss: float
    seconds: float


class Descent:
    """The steps that are left of a stage, AdamW down half a cosine.

    After each step `state_dict` is all, beside the network's own, that decides the next one: a
    descent that takes it over with `load_state_dict` makes the same steps bit for bit, on the same
    machine and number of threads.

    Args:
        stage: of each `Step`.
        network: what learns.
        draw: an image and its label; all its chance comes from `random`.
        steps: of the whole stage.
    """

    def __init__(
        self,
        stage: str,
        network: nn.Module,
        draw: Callable[[], tuple[Tensor, Tensor]],
        random: np.random.Generator,
        settings: Settings,
        steps: int,
    ) -> None:
        self.stage, self.steps = stage, steps
        self._network, self._draw, self._random = network, draw, random
        self._loss = losses.find(settings.loss)
        self._optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimiser, steps)
        self._done, self._seconds = 0, 0.0

    def __len__(self) -> int:
        return self.steps - self._done

    def __iter__(self) -> Iterator[Step]:
        self._network.train()
        began = time.monotonic() - self._seconds
        while self._done < self.steps:
            image, label = self._draw()
            loss = self._loss(self._network(image), label)
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            self._schedule.step()
            self._done += 1
            self._seconds = time.monotonic() - began
            yield Step(self.stage, self._done, loss.item(), round(self._seconds, 1))
        self._network.eval()

    def state_dict(self) -> dict[str, Any]:
        return {
            "done": self._done,
            "seconds": self._seconds,
            "random": self._random.bit_generator.state,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._done, self._seconds = state["done"], state["seconds"]
        self._random.bit_generator.state = state["random"]
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
