"""A network becomes an artifact: export, rewrites, native code, golden self-test, signature."""

import argparse
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import onnxruntime

from compile import rewrite, targets
from compile.explain import explain_native, explain_passes
from compile.golden import golden_bytes, onnx_predictor
from compile.native import Native, compile_native
from compile.parity import Parity, compare, compare_artifact
from compile.source import Source, from_checkpoint, from_onnx
from compile.timing import Timed
from edge_vessel import artifact as artifacts
from edge_vessel import signing
from edge_vessel.errors import ArtifactError, EdgeVesselError, UsageError
from edge_vessel.manifest import EngineVersion, Input, Manifest, Metric, Target
from edge_vessel.preprocessing import OFFSET, SCALE
from edge_vessel.sources.images import read_image
from edge_vessel.target import check_target, this_machine
from train import data as registry
from train.data.root import data_root
from train.predict import predictions


def main(arguments: list[str] | None = None) -> int:
    """Builds one artifact; prints its folder and the hash of its manifest."""
    options = _parser().parse_args(arguments)
    try:
        _check_combination(options)
        key = signing.load_private_key(options.key) if options.key else None
        source = _source(options)
        image = read_image(options.golden)
        content, saved = rewrite.apply(source.content)
        manifest = _manifest(options, source)
        golden = {"golden.npz": golden_bytes(content, image, options.size)}
        if options.data is not None:
            parity = _onnx_parity(options.data, source, manifest.output.threshold, content)
            manifest = replace(manifest, metrics=(*manifest.metrics, *parity))
        if options.explain:
            sys.stdout.write(explain_passes(saved))
        if options.engine == "tvm":
            target = targets.find(options.target)
            native = compile_native(content, target, options.threads or target.threads)
            manifest = _for_native(manifest, target, native)
            files = native.files | golden
            _report_speed(options, native, manifest, content)
            if options.data is not None:
                found = _native_parity(options, source, manifest, files)
                manifest = replace(manifest, metrics=(*manifest.metrics, *found))
        else:
            files = {"model.onnx": content} | golden
        artifacts.write(options.output, manifest, files, key, overwrite=options.overwrite)
        trusted = () if key is None else (key.public_key(),)
        built = artifacts.open_artifact(options.output, trusted, allow_unsigned=key is None)
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{built.folder}\nmanifest sha256 {built.manifest_sha256}, {built.trust}\n")
    return 0


def _source(options: argparse.Namespace) -> Source:
    if options.checkpoint.suffix == ".onnx":
        return from_onnx(options.checkpoint, options.size, options.threshold, options.logits)
    return from_checkpoint(options.checkpoint, options.size, options.evaluation)


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(prog="python -m compile", description=__doc__)
    parse.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT|ONNX", help="of `train fit`, or *.onnx"
    )
    parse.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parse.add_argument("--name", help="default: the folder's name")
    parse.add_argument("--version", type=int, default=1, help="grows with every release")
    parse.add_argument("--size", type=int, default=544, metavar="PX")
    parse.add_argument("--threads", type=int, metavar="N", help="default: the target's")
    parse.add_argument("--target", metavar="NAME", help="compile for it; see --list-targets")
    parse.add_argument("--list-targets", action=_ListTargets, nargs=0)
    parse.add_argument(
        "--engine",
        choices=("tvm", "onnx"),
        help="default: tvm with --target, else a portable ONNX file",
    )
    parse.add_argument(
        "--explain", action="store_true", help="print what each pass and step does and costs"
    )
    parse.add_argument(
        "--evaluation",
        type=Path,
        metavar="JSON",
        help="report of `train evaluate` for this checkpoint: threshold and metrics come from it",
    )
    parse.add_argument("--threshold", type=float, metavar="P", help="of an ONNX file's vessels")
    parse.add_argument("--logits", action="store_true", help="the ONNX file has no sigmoid")
    parse.add_argument("--licence", default="Apache-2.0", help="of the weights")
    parse.add_argument(
        "--golden", type=Path, required=True, metavar="IMAGE", help="photograph of the self-test"
    )
    parse.add_argument(
        "--data", metavar="DIR", help="data sets: checks parity on the test photographs"
    )
    parse.add_argument("--key", type=Path, metavar="FILE", help="private key to sign with")
    parse.add_argument("--overwrite", action="store_true")
    return parse


class _ListTargets(argparse.Action):
    """Prints the table and ends, as --help does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(targets.table())
        parser.exit()


def _check_combination(options: argparse.Namespace) -> None:
    """Fills the engine in; refuses what cannot be before anything long begins."""
    if options.target is not None:
        targets.find(options.target)
    options.engine = options.engine or ("tvm" if options.target else "onnx")
    if options.engine == "tvm" and options.target is None:
        raise UsageError(f"--engine tvm needs --target: {', '.join(targets.TARGETS)}")
    if options.threads is not None and options.threads < 1:
        raise UsageError(f"threads {options.threads}: at least 1")


def _for_native(manifest: Manifest, target: targets.CompileTarget, native: Native) -> Manifest:
    return replace(
        manifest,
        input=replace(manifest.input, dtype="uint8", layout="NHWC"),
        target=target.manifest(native.core.threads),
        engine=EngineVersion("tvm", native.engine_version),
    )


def _report_speed(
    options: argparse.Namespace, native: Native, manifest: Manifest, content: bytes
) -> None:
    """Says where no schedule of our own covers the network, what that costs, and --explain."""
    runs_here = _runs_here(manifest, options.output)
    timed, times = None, None
    if runs_here and (options.explain or native.uncovered):
        size = manifest.input
        timed = Timed(native.executable, size.height, size.width, native.core.threads)
    if native.uncovered:
        sys.stderr.write(
            f"no hand-written schedule covers this network ({native.uncovered}); general rules "
            "schedule its operators\n"
        )
        if timed is None:
            sys.stderr.write("its speed is not measured: this machine cannot run it\n")
        else:
            found = timed.against_onnxruntime(content)
            sys.stderr.write(
                f"measured here, {found.threads} threads: {found.ours_ms:.1f} ms, ONNX Runtime "
                f"{found.onnxruntime_ms:.1f} ms ({found.ratio:.2f} times)"
                f"{'; --engine onnx is faster' if found.ratio > 1 else ''}\n"
            )
    if options.explain:
        times = None if timed is None else timed.by_operator()
        sys.stdout.write(explain_native(native, times))


def _runs_here(manifest: Manifest, folder: Path) -> bool:
    try:
        check_target(manifest.target, this_machine(), folder)
    except ArtifactError:
        return False
    return True


def _native_parity(
    options: argparse.Namespace, source: Source, manifest: Manifest, files: dict[str, bytes]
) -> tuple[Metric, ...]:
    """Of the compiled network on the test photographs, where this machine can run it."""
    if not _runs_here(manifest, options.output):
        sys.stderr.write(
            f"parity of the native code: not measured, this machine cannot run it; on the board: "
            f"python -m edge_vessel.artifact verify {options.output}\n"
        )
        return ()
    with tempfile.TemporaryDirectory() as folder:
        trial, reference = Path(folder) / "trial", options.checkpoint
        artifacts.write(trial, manifest, files, None)
        if source.stage != "torch":
            reference = Path(folder) / "imported.onnx"
            reference.write_bytes(source.content)
        found = compare_artifact(reference, trial, source.dataset, options.data)
    return _metrics("tvm", source, found)


def _onnx_parity(
    folder: str, source: Source, threshold: float, content: bytes
) -> tuple[Metric, ...]:
    """Of the rewritten ONNX on the test photographs."""
    root, dataset = data_root(folder), registry.find(source.dataset)
    found = compare(
        predictions(source.predict, dataset, root, "test"),
        predictions(onnx_predictor(content), dataset, root, "test"),
        threshold,
    )
    return _metrics("onnx", source, found)


def _metrics(stage: str, source: Source, found: Parity) -> tuple[Metric, ...]:
    """Refuses to build where a stage differs from the source."""
    if not found.holds:
        raise ArtifactError(
            f"stage {stage} is {found.max_abs_difference:.1e} off: nothing is written"
        )
    data = f"{source.dataset} test, full frame"
    return (
        Metric(stage, data, "dice pooled", round(found.dice_after, 4)),
        Metric(stage, data, f"largest difference from {source.stage}", found.max_abs_difference),
    )


def _manifest(options: argparse.Namespace, source: Source) -> Manifest:
    return Manifest(
        name=options.name or options.output.name,
        version=options.version,
        model=source.model,
        input=Input(
            options.size,
            options.size,
            "float32",
            "NCHW",
            "RGB",
            SCALE,
            OFFSET,
            field_of_view="square around the circle of the fundus, scaled to the input",
        ),
        output=source.output,
        target=Target("any", "any", (), options.threads or 2, 512),
        engine=EngineVersion("onnx", onnxruntime.__version__),
        tuning_log_sha256=None,
        metrics=source.metrics,
        licence=options.licence,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
