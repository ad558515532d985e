"""Training on rendered eyes: on patches, then, where the network has a second stage, on planes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_vessel.errors import UsageError
from train.data.octa_synth import Eyes
from train.models import OCTA_MODELS, create
from train.models.checkpoint import Checkpoint
from train.models.ipn_v2 import IPNV2
from train.models.ipn_v2_plus import IPNV2Plus
from train.octa.descent import Descent
from train.octa.inference import slide
from train.octa.patches import Patches, network_input
from train.octa.settings import Settings


def images_of(eyes: Eyes, settings: Settings) -> NDArray[np.uint8]:
    """What the network is to see of each eye."""
    return eyes.volumes if settings.input == "volume" else eyes.projections


def check_fit(name: str, network: nn.Module, images: NDArray[np.uint8]) -> None:
    """Raises UsageError where a network is of another depth or other channels than the images."""
    seen = (images.shape[1], images.shape[2] if images.ndim == 5 else 1)
    if (network.channels, network.depth) != seen:
        raise UsageError(
            f"{name}: made for {network.channels} channels of depth {network.depth}, the rendered "
            f"eyes have {seen[0]} of {seen[1]}: adapt channels and poolings"
        )


def make_network(settings: Settings, images: NDArray[np.uint8]) -> nn.Module:
    """A fresh network that fits the images.

    Raises:
        UsageError: it is none for OCTA, or of another depth or other channels.
    """
    if settings.model not in OCTA_MODELS:
        raise UsageError(f"model {settings.model!r}: not for OCTA; known: {', '.join(OCTA_MODELS)}")
    network = create(settings.model, **settings.model_options)
    check_fit(settings.model, network, images)
    multiple = int(network.multiple)  # type: ignore[arg-type]
    for name in ("patch_px", "window_px", "tile_px"):
        if getattr(settings, name) % multiple:
            raise UsageError(f"{name} {getattr(settings, name)}: a multiple of {multiple}")
    return network


def on_patches(
    network: nn.Module, eyes: Eyes, places: list[int], settings: Settings, seed: int
) -> Descent:
    """Training on random patches; of a network of two stages the first alone."""
    first: nn.Module = network.local if isinstance(network, IPNV2Plus) else network
    random = np.random.default_rng(seed)
    patches = Patches(
        images_of(eyes, settings), eyes.labels, places, settings.patch_px, settings.scale, random
    )
    draw = lambda: patches.batch(settings.batch_size)  # noqa: E731
    return Descent("patches", first, draw, random, settings, settings.steps)


def on_whole_planes(
    network: IPNV2Plus, eyes: Eyes, places: list[int], settings: Settings, seed: int
) -> Descent:
    """Global retraining: the first stage stays as it is, its features of all tiles of an eye are
    stitched once, here, and the second stage learns from whole planes."""
    network.eval()
    images, places = images_of(eyes, settings), places[: settings.whole_eyes]
    with torch.inference_mode():
        planes = [
            slide(network_input(images[one])[None], network.features, settings.tile_px, 0.0).half()
            for one in places
        ]
    random = np.random.default_rng(seed)

    def draw() -> tuple[Tensor, Tensor]:
        one = int(random.integers(len(places)))
        axes = [axis for axis in (-2, -1) if random.random() < 0.5]
        label = torch.from_numpy(eyes.labels[places[one]].astype(np.float32))[None, None]
        return planes[one].float().clone().flip(axes), label.flip(axes)

    return Descent("whole", network.whole, draw, random, settings, settings.whole_steps)


def take_first_stage(network: IPNV2Plus, trained: Checkpoint, training_eyes: list[str]) -> None:
    """Begins with an IPN-V2 that is trained already, on the same eyes.

    Raises:
        UsageError: it is another network, of other options, or of other eyes.
    """
    if not isinstance(trained.network, IPNV2):
        raise UsageError(f"the first stage of ipn_v2_plus is an ipn_v2, not {trained.name}")
    if trained.run.get("training_eyes") != training_eyes:
        raise UsageError(
            "the ipn_v2 to start from was trained on other eyes than this run's: some may be for "
            "test here"
        )
    try:
        network.local.load_state_dict(trained.network.state_dict())
    except RuntimeError as error:
        raise UsageError("the ipn_v2 to start from has other options than this one") from error
