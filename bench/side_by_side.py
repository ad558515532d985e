"""`python -m bench.side_by_side`: one network in several engines, interleaved, as ratios.

Every engine runs in a process of its own and is asked in turn, in random order, so that whatever
else the machine does falls on all alike. Compared are the medians and, round by round, the ratios.
"""

import argparse
import json
import platform
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import flags
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, guarded
from edge_vessel.engines.cores import available
from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import normalise

OURS = "edge_vessel"
MEAN_TOLERANCE = 1e-4  # of the outputs' means: more is another network
COARSE_TOLERANCE = 2e-2  # the same for an artifact of another precision
REPETITIONS = 3  # inferences timed together in a round
WARM_UP = 3
PAUSE_S = 0.02  # lets the spinning workers of the engine before it go to sleep
PACKAGES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn"}


def main(arguments: list[str] | None = None) -> int:
    """Prints a table, the artifact first; 2 for a wrong call."""
    parse = Parser(prog="python -m bench.side_by_side", description=__doc__)
    parse.add_argument("artifact", type=Path, help="unsigned ones too: it is your own build")
    parse.add_argument("onnx", type=Path, help="the same network for the peers, float32 NCHW")
    parse.add_argument("--ncnn", type=Path, metavar="PARAM", help="the same as ncnn's .param")
    parse.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="ARTIFACT[@N]",
        help="other artifacts of the same network: another engine, another precision, N threads",
    )
    parse.add_argument("--threads", type=int, default=1, metavar="N")
    parse.add_argument("--rounds", type=int, default=15, metavar="N")
    parse.add_argument("--json", type=flags.output, metavar="FILE")
    parse.add_argument("--child", help=argparse.SUPPRESS)
    options = parse.parse_args(arguments)
    return guarded(lambda: _serve(options) if options.child else _run(options))


def _run(options: argparse.Namespace) -> int:
    report = compare(options)
    sys.stdout.write(_table(report))
    if options.json:
        write_file(options.json, (json.dumps(report, indent=1) + "\n").encode())
    return 0


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """The report; kind "measured".

    Raises:
        UsageError: no peer is installed, an engine fails, or one computes something else.
    """
    _check(options)
    peers = [name for name in PACKAGES if _installed(name, options)]
    names = [OURS, *options.also, *peers]
    if not peers:
        raise UsageError(f"no peer is installed: pip install {' '.join(PACKAGES)}")
    load = Path("/proc/loadavg").read_text().split()[0]
    children: dict[str, Child] = {}
    try:
        for name in names:
            children[name] = Child(name, options)
        means = {name: child.mean for name, child in children.items()}
        if any(abs(mean - means[OURS]) > _tolerance(name) for name, mean in means.items()):
            raise UsageError(f"the engines compute different networks: mean outputs {means}")
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in random.sample(names, len(names)):
                times[name].append(children[name].run())
                time.sleep(PAUSE_S)
        peaks = {name: child.end() for name, child in children.items()}
    finally:
        for child in children.values():
            child.stop()
    ours = np.array(times[OURS])
    rows = [
        {
            "engine": Path(name).name,
            "version": _version(name, options),
            "median_ms": round(float(np.median(ms)), 2),
            "p10_ms": round(float(np.percentile(ms, 10)), 2),
            "p90_ms": round(float(np.percentile(ms, 90)), 2),
            "ratio": [round(float(q), 3) for q in np.percentile(ours / ms, [50, 10, 90])],
            "peak_rss_mb": round(peaks[name], 1),
        }
        for name, ms in ((name, np.array(values)) for name, values in times.items())
    ]
    return {
        "kind": "measured",
        "threads": options.threads,
        "rounds": options.rounds,
        "repetitions": REPETITIONS,
        "warm_up": WARM_UP,
        "cpu": _cpu(),
        "load_before": float(load),
        "artifact": options.artifact.name,
        "engines": rows,
    }


def _check(options: argparse.Namespace) -> None:
    """Raises UsageError for what could not be measured, before anything is."""
    if options.rounds < 1:
        raise UsageError(f"rounds {options.rounds}: at least 1")
    if len(set(options.also)) < len(options.also):
        raise UsageError("--also: an artifact is given twice")
    if not options.onnx.is_file():
        raise UsageError(f"{options.onnx}: no such file")
    others = [_other(name, options.threads) for name in options.also]
    for folder, threads in ((options.artifact, options.threads), *others):
        if not 1 <= threads <= len(available()):
            raise UsageError(f"threads {threads}: from 1 to {len(available())}, the cores here")
        try:
            _manifest(folder)["model"]["precision"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UsageError(
                f"{folder}: no artifact: build one with python -m compile ({error})"
            ) from error


def _table(report: dict[str, Any]) -> str:
    lines = [f"{report['cpu']}, {report['threads']} threads, {report['rounds']} rounds, measured"]
    lines.append(
        "ENGINE       VERSION          MEDIAN    P10-P90 ms       OURS/ITS (P10-P90)   PEAK"
    )
    for row in report["engines"]:
        middle, low, high = row["ratio"]
        lines.append(
            f"{row['engine']:<12} {row['version'][:14]:<14} {row['median_ms']:>8.1f}  "
            f"{row['p10_ms']:>6.1f}-{row['p90_ms']:<6.1f}  {middle:>9.2f} ({low:.2f}-{high:.2f})"
            f"  {row['peak_rss_mb']:>9.0f} MB"
        )
    return "\n".join(lines) + "\n"


def _tolerance(name: str) -> float:
    """How far an engine's mean output may be from ours."""
    if (
        name == OURS
        or name in PACKAGES
        or _manifest(_other(name)[0])["model"]["precision"] == "fp32"
    ):
        return MEAN_TOLERANCE
    return COARSE_TOLERANCE


def _other(also: str, threads: int = 1) -> tuple[Path, int]:
    """Folder and threads of an ARTIFACT[@N]."""
    folder, at, own = also.rpartition("@")
    if not at or (Path(also) / "manifest.json").exists():
        return Path(also), threads
    try:
        return Path(folder), int(own)
    except ValueError as error:
        raise UsageError(f"--also {also}: such as artifacts/int8 or artifacts/x86@1") from error


def _manifest(artifact: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((artifact / "manifest.json").read_text())
    return document


def _installed(name: str, options: argparse.Namespace) -> bool:
    if name == "ncnn" and options.ncnn is None:
        return False
    try:
        metadata.version(PACKAGES[name])
    except metadata.PackageNotFoundError:
        sys.stderr.write(f"{name}: not installed, left out\n")
        return False
    return True


def _version(name: str, options: argparse.Namespace) -> str:
    if name in PACKAGES:
        return metadata.version(PACKAGES[name])
    engine = _manifest(options.artifact if name == OURS else _other(name)[0])["engine"]
    return f"{engine['name']} {engine['version']}"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


class Child:
    """An engine in a process of its own; the first answer holds the mean of its output."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name = name
        command = [sys.executable, "-m", "bench.side_by_side", str(options.artifact)]
        command += [str(options.onnx), "--threads", str(options.threads), "--child", name]
        if options.ncnn is not None:
            command += ["--ncnn", str(options.ncnn)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.mean = self._answer("mean")

    def run(self) -> float:
        """Milliseconds of one inference, the mean of a few."""
        print("run", file=self._process.stdin, flush=True)
        return self._answer("ms")

    def end(self) -> float:
        """Peak resident memory in MB."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        peak = self._answer("peak_rss_mb")
        self._process.wait()
        return peak

    def stop(self) -> None:
        """Ends the process, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _answer(self, key: str) -> float:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            code = self._process.wait()
            raise UsageError(f"{self.name}: ended with exit code {code}; its message stands above")
        return float(json.loads(line)[key])


def _serve(options: argparse.Namespace) -> int:
    """The child: one engine, one timing for every line of stdin."""
    from edge_vessel.artifact import open_artifact

    folder, threads = options.artifact, options.threads
    if options.child != OURS and options.child not in PACKAGES:
        folder, threads = _other(options.child, threads)
    artifact = open_artifact(folder, (), allow_unsigned=True)
    shape = (artifact.manifest.input.height, artifact.manifest.input.width, 3)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    if options.child not in PACKAGES:
        from edge_vessel import engines

        engine = engines.create(artifact, threads)
        run: Callable[[], NDArray[np.float32]] = lambda: engine.run(image)  # noqa: E731
    else:
        start = {"onnxruntime": _onnxruntime, "openvino": _openvino, "ncnn": _ncnn}[options.child]
        run = start(options, normalise(image)[None])
    for _ in range(WARM_UP):
        output = run()
    _say(mean=float(np.mean(output)))
    for _ in sys.stdin:
        begin = time.perf_counter()
        for _ in range(REPETITIONS):
            run()
        _say(ms=(time.perf_counter() - begin) * 1e3 / REPETITIONS)
    _say(peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return 0


def _say(**facts: float) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _onnxruntime(
    options: argparse.Namespace, batch: NDArray[np.float32]
) -> Callable[[], NDArray[np.float32]]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        str(options.onnx), settings, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: batch})[0]


def _openvino(
    options: argparse.Namespace, batch: NDArray[np.float32]
) -> Callable[[], NDArray[np.float32]]:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": options.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(str(options.onnx), "CPU", settings)
    infer = request.create_infer_request()
    return lambda: infer.infer({0: batch}, share_inputs=True, share_outputs=True)[0]


def _ncnn(
    options: argparse.Namespace, batch: NDArray[np.float32]
) -> Callable[[], NDArray[np.float32]]:
    import ncnn

    network = ncnn.Net()
    network.opt.num_threads = options.threads
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = False
    network.opt.use_fp16_arithmetic = network.opt.use_bf16_storage = False
    network.load_param(str(options.ncnn))
    network.load_model(str(options.ncnn.with_suffix(".bin")))
    source, (sink, *_) = network.input_names()[0], network.output_names()
    content = ncnn.Mat(batch[0]).clone()  # the Mat alone would not keep the array alive

    def run() -> NDArray[np.float32]:
        with network.create_extractor() as extractor:
            extractor.input(source, content)
            return np.array(extractor.extract(sink)[1])

    return run


if __name__ == "__main__":
    sys.exit(main())
