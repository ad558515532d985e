"""`python -m compile.gpu_build`: a network as a library for a GPU, in a process of its own.

The process is set up for NVIDIA's compiler before TVM is imported, which is why `compile` calls it
as a child and never does this in its own.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from compile import cuda_toolkit, targets
from compile.targets import CompileTarget
from edge_vessel.errors import EdgeVesselError, UsageError
from edge_vessel.preprocessing import OFFSET, SCALE


def compile_gpu(content: bytes, name: str) -> bytes:
    """model.so of a rewritten ONNX model for a target with an accelerator.

    Raises:
        UsageError: no nvcc, no linker, or a node that cannot be imported.
    """
    with tempfile.TemporaryDirectory() as folder:
        model, library = Path(folder) / "model.onnx", Path(folder) / "model.so"
        model.write_bytes(content)
        command = [sys.executable, "-W", "ignore", "-m", "compile.gpu_build"]
        done = subprocess.run(
            [*command, str(model), str(library), "--target", name],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not library.exists():
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise UsageError(f"{name}: {last.removeprefix('error: ')}")
        return library.read_bytes()


def _build(content: bytes, target: CompileTarget, library: Path) -> None:
    from compile import relax_import, rules
    from compile.rules.gpu import CHANNELS
    from compile.tvm_build import export, lower

    machine = target.tvm(1)
    module = relax_import.module(content, SCALE, OFFSET, CHANNELS, machine)
    rules.apply(module, target.core(1), rules.GPU)
    with machine:
        executable = lower(module, machine)
    try:
        export(executable, library, target.compiler)
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"{target.compiler}: cannot link for {target.triple}: is it installed? "
            f"({str(error).strip().splitlines()[-1]})"
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """Writes the library."""
    parse = argparse.ArgumentParser(prog="python -m compile.gpu_build", description=__doc__)
    parse.add_argument("model", type=Path, metavar="ONNX")
    parse.add_argument("library", type=Path)
    parse.add_argument("--target", required=True)
    options = parse.parse_args(arguments)
    try:
        target = targets.find(options.target)
        with tempfile.TemporaryDirectory() as folder:
            if target.accelerator.startswith("cuda"):
                cuda_toolkit.prepare(cuda_toolkit.find(), Path(folder))
            _build(options.model.read_bytes(), target, options.library)
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
