"""`python -m compile.parity`: does the artifact compute what the checkpoint computes?

Both run on the test photographs of a data set; the protocol and the Dice are training's own.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compile.golden import onnx_predictor
from compile.size import Size
from edge_vessel import engines, signing
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import ArtifactError, EdgeVesselError
from edge_vessel.preprocessing import Crop
from train import data as registry
from train.data.root import data_root
from train.metrics import Prediction, pooled
from train.models.checkpoint import load_network
from train.predict import Predictor, predictions, torch_predictor

MAX_DIFFERENCE = 1e-4
DICE_DIGITS = 4


@dataclass(frozen=True)
class Parity:
    """Two stages on the same photographs: Dice pooled over full frames at one threshold."""

    images: int
    max_abs_difference: float
    mean_abs_difference: float
    threshold: float
    dice_before: float
    dice_after: float

    @property
    def holds(self) -> bool:
        """Probabilities closer than 1e-4, and the same Dice to four digits."""
        same = round(self.dice_before, DICE_DIGITS) == round(self.dice_after, DICE_DIGITS)
        return same and self.max_abs_difference < MAX_DIFFERENCE


def at_size(predict: Predictor, size: Size) -> Predictor:
    """Gives a network of that input photographs of any size, as the device would."""

    def resized(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        if (height, width) == size:
            return predict(image)
        crop = Crop(height, width, 0, 0, height, width, *size)
        return crop.to_camera(predict(crop.to_network(image)))

    return resized


def compare(before: Iterable[Prediction], after: Iterable[Prediction], threshold: float) -> Parity:
    """Compares two stages' predictions of the same photographs, given in the same order."""
    pairs = list(zip(before, after, strict=True))
    differences = [np.abs(a.probability - b.probability) for a, b in pairs]
    return Parity(
        images=len(pairs),
        max_abs_difference=max(float(one.max()) for one in differences),
        mean_abs_difference=float(np.mean([one.mean() for one in differences])),
        threshold=threshold,
        dice_before=pooled([a for a, _ in pairs], threshold, inside=False).dice,
        dice_after=pooled([b for _, b in pairs], threshold, inside=False).dice,
    )


def compare_artifact(checkpoint: Path, artifact: Path, dataset: str, folder: str) -> Parity:
    """The same for an unsigned artifact, in a process without the compiler.

    TVM's compiler brings its own runtime, which does not get along with the artifact's.

    Raises:
        ArtifactError: the process failed; its message is passed on.
    """
    command = [sys.executable, "-m", "compile.parity", str(checkpoint), str(artifact), "--json"]
    command += ["--allow-unsigned", "--dataset", dataset, "--data", str(folder), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ArtifactError(f"the parity check ended early: {last.removeprefix('error: ')}")
    return Parity(**json.loads(done.stdout))


def _reference(path: Path) -> Predictor:
    """The network that the artifact was made from."""
    if path.suffix == ".onnx":
        return onnx_predictor(path.read_bytes())
    return torch_predictor(load_network(path)[1])


def main(arguments: list[str] | None = None) -> int:
    """0 where parity holds, 4 where it does not."""
    parse = argparse.ArgumentParser(prog="python -m compile.parity", description=__doc__)
    parse.add_argument("checkpoint", type=Path)
    parse.add_argument("artifact", type=Path)
    parse.add_argument("--dataset", default="drive")
    parse.add_argument("--data", metavar="DIR", help="the folder that holds the data sets")
    parse.add_argument("--trusted-key", type=Path, action="append", default=[], metavar="FILE")
    parse.add_argument("--allow-unsigned", action="store_true")
    parse.add_argument("--threads", type=int, default=2, metavar="N")
    parse.add_argument("--json", action="store_true")
    options = parse.parse_args(arguments)
    try:
        root, dataset = data_root(options.data), registry.find(options.dataset)
        trusted = signing.trusted_keys(options.trusted_key)
        artifact = open_artifact(options.artifact, trusted, options.allow_unsigned)
        engine = engines.create(artifact, options.threads)
        size = Size(artifact.fundus.input.height, artifact.fundus.input.width)
        reference = at_size(_reference(options.checkpoint), size)
        found = compare(
            predictions(reference, dataset, root, "test"),
            predictions(at_size(engine.run, size), dataset, root, "test"),
            artifact.manifest.output.threshold,
        )
        if options.json:
            sys.stdout.write(json.dumps(asdict(found), indent=1) + "\n")
        else:
            sys.stdout.write(
                f"{found.images} images: largest difference {found.max_abs_difference:.1e}, mean "
                f"{found.mean_abs_difference:.1e}; Dice {found.dice_before:.4f} before, "
                f"{found.dice_after:.4f} after, at {found.threshold:.2f}\n"
            )
        if not found.holds:
            raise ArtifactError(
                f"{options.artifact}: parity is lost: {found.max_abs_difference:.1e} apart, "
                f"{MAX_DIFFERENCE:.0e} allowed: export it again from {options.checkpoint}"
            )
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
