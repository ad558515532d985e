"""A network becomes an artifact: export, rewrites, native code, golden self-test, signature."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import onnxruntime

from compile import rewrite, targets
from compile.command_line import read_options
from compile.explain import explain_passes, explain_tuning
from compile.golden import golden_bytes
from compile.native import compile_native
from compile.octa import build as octa_build
from compile.octa import is_octa
from compile.rewrite.camera_bytes import with_camera_bytes
from compile.size import square
from compile.source import Source, from_checkpoint, from_onnx
from compile.stages import (
    Photographs,
    check_golden,
    check_native,
    check_precision,
    check_rewritten,
    report_speed,
    to_int8,
)
from compile.targets import CompileTarget
from compile.tuning import Records, Tuner, find_meter
from edge_vessel import artifact as artifacts
from edge_vessel import signing
from edge_vessel.atomic_folder import make_folder
from edge_vessel.engines.onnx import MODEL_FILE
from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError
from edge_vessel.manifest import AnyManifest, EngineVersion, FundusManifest, Input, Metric, Target
from edge_vessel.preprocessing import OFFSET, SCALE
from edge_vessel.selftest import GOLDEN
from edge_vessel.sources.images import read_image

INTERRUPTED = 130  # as a shell says of a command that Ctrl-C ended


def main(arguments: list[str] | None = None) -> int:
    """Builds one artifact; prints its folder and the hash of its manifest."""
    try:
        options = read_options(arguments)
        key = signing.load_private_key(options.key) if options.key else None
        _make_room(options.output, options.overwrite)
        manifest, files = _build(options)
        artifacts.write(options.output, manifest, files, key, overwrite=options.overwrite)
        trusted = () if key is None else (key.public_key(),)
        built = artifacts.open_artifact(options.output, trusted, allow_unsigned=key is None)
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("stopped: nothing is written but the --records so far\n")
        return INTERRUPTED
    sys.stdout.write(f"{built.folder}\nmanifest sha256 {built.manifest_sha256}, {built.trust}\n")
    return 0


def _make_room(folder: Path, overwrite: bool) -> None:
    """Says before the minutes of work, not after them, that there is no place for the result."""
    if os.path.lexists(folder) and not overwrite:
        raise UsageError(f"{folder}: exists already; choose another folder, or --overwrite")
    make_folder(folder.parent)
    if not os.access(folder.parent, os.W_OK | os.X_OK):
        raise DeviceError(f"{folder.parent}: nothing may be written there: choose another folder")


def _build(options: argparse.Namespace) -> tuple[AnyManifest, dict[str, bytes]]:
    if is_octa(options.checkpoint):
        return octa_build(options)
    options.size = options.size or square(544)
    photograph = read_image(options.golden)
    with _step("export"):
        source = _source(options)
    manifest = _manifest(options, source)
    with _step("rewrites"):
        content, saved = rewrite.apply(source.content)
    if options.explain:
        sys.stdout.write(explain_passes(saved))
    photographs = None
    if options.data is not None:
        photographs = Photographs(source, options.data, manifest.output.threshold)
        with _step("parity of the rewritten network"):
            manifest = _with(manifest, check_rewritten(photographs, content))
        if (options.engine, options.precision) == ("onnx", "int8"):
            with _step("int8"):
                content, metrics = to_int8(photographs, content)
            model = replace(manifest.model, precision="int8")
            manifest = _with(replace(manifest, model=model), metrics)
    golden = {GOLDEN: golden_bytes(content, photograph)}
    if options.engine == "onnx":
        return manifest, {MODEL_FILE: with_camera_bytes(content)} | golden
    target = targets.find(options.target)
    threads = options.threads or target.threads
    with _step(f"native code for {target.name}"):
        tuner = None if options.tune is None else _tuner(options, target, threads)
        native = compile_native(
            content, target, threads, options.gpu_runtime, tuner, options.precision
        )
    if options.precision != "fp32":
        manifest = replace(manifest, model=replace(manifest.model, precision=options.precision))
        if photographs is None:
            check_golden(content, golden[GOLDEN], native.core, options.precision)
            sys.stderr.write(f"{options.precision}: Dice not checked: give the data with --data\n")
        else:
            with _step(f"parity of {options.precision}"):
                metrics = check_precision(photographs, content, native.core, options.precision)
            manifest = _with(manifest, metrics)
    if tuner is not None:
        sys.stdout.write(explain_tuning(tuner))
        manifest = replace(manifest, tuning_log_sha256=tuner.records.sha256())
    manifest = replace(
        manifest,
        target=target.manifest(native.core.threads),
        engine=EngineVersion("tvm", native.engine_version),
    )
    files = native.files | golden
    report_speed(native, manifest, target, content, options.explain)
    if photographs is not None and options.precision == "fp32":
        with _step("parity of the native code"):
            metrics = check_native(photographs, options.checkpoint, manifest, files)
        manifest = _with(manifest, metrics)
    return manifest, files


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Names a step while it runs, where somebody is watching, and its seconds after it."""
    if not sys.stderr.isatty():
        yield
        return
    start = time.monotonic()
    sys.stderr.write(f"{name} ...")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write(f"\r{name}: {time.monotonic() - start:.1f} s\n")


def _tuner(options: argparse.Namespace, target: CompileTarget, threads: int) -> Tuner:
    meter = find_meter(target, threads, options.rpc, measures=options.tune > 0)
    return Tuner(meter, Records(options.records), options.tune, target.tvm(threads))


def _source(options: argparse.Namespace) -> Source:
    if options.checkpoint.suffix == ".onnx":
        return from_onnx(options.checkpoint, options.size, options.threshold, options.logits)
    return from_checkpoint(options.checkpoint, options.size, options.evaluation)


def _with(manifest: FundusManifest, metrics: tuple[Metric, ...]) -> FundusManifest:
    return replace(manifest, metrics=(*manifest.metrics, *metrics))


def _manifest(options: argparse.Namespace, source: Source) -> FundusManifest:
    return FundusManifest(
        name=options.name or options.output.name,
        version=options.version,
        model=source.model,
        input=Input(
            *options.size,
            "uint8",
            "NHWC",
            "RGB",
            SCALE,
            OFFSET,
            field_of_view="rectangle around the circle of the fundus, scaled to the input",
        ),
        output=source.output,
        target=Target("any", "any", (), options.threads or 2, 512),
        engine=EngineVersion("onnx", onnxruntime.__version__),
        tuning_log_sha256=None,
        metrics=source.metrics,
        licence=options.licence,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
