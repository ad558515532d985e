"""`python -m bench.peers.to_tflite CHECKPOINT --size PX -o FILE`: the network for LiteRT.

Needs litert-torch, which brings packages of its own: an environment for itself is best.
"""

import argparse
import sys

from bench import flags
from edge_vessel.command_line import Parser, guarded, path, whole_number
from edge_vessel.errors import UsageError


def main(arguments: list[str]) -> int:
    """Writes image (1, 3, N, N) -> probability (1, 1, N, N), float32."""
    parse = Parser(prog="python -m bench.peers.to_tflite", description=__doc__)
    parse.add_argument("checkpoint", type=path)
    parse.add_argument("--size", type=whole_number(16, 2**14), required=True, metavar="PX")
    parse.add_argument("-o", "--output", type=flags.output, required=True, metavar="FILE")
    options = parse.parse_args(arguments)
    return guarded(lambda: _convert(options))


def _convert(options: argparse.Namespace) -> int:
    try:
        import litert_torch
        import torch
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is missing: pip install litert-torch") from error

    from train.models.checkpoint import load_network

    _, network = load_network(options.checkpoint)
    whole = torch.nn.Sequential(network, torch.nn.Sigmoid()).eval()
    example = (torch.zeros(1, 3, options.size, options.size),)
    litert_torch.convert(whole, example).export(str(options.output))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
