"""What an artifact says about itself: the manifest, its strict parser and its canonical bytes."""

import json
import math
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from edge_vessel import json_reader
from edge_vessel.errors import ArtifactError
from edge_vessel.json_reader import Form, Range, StrictJsonError
from edge_vessel.octa.description import VESSEL, OctaInput, OctaOutput

FUNDUS_SCHEMA, OCTA_SCHEMA = 1, 2
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
MAX_FILE_BYTES = 256 * 1024 * 1024
# Twice a whole volume of OCTA-500, 2 x 640 x 400 x 400; what unpacks golden.npz trusts it.
MAX_PATCH_VOXELS = 1 << 29

PLAIN_NAME = r"(?!\.)[A-Za-z0-9._-]{1,100}"

PlainName = Annotated[
    str, Form(PLAIN_NAME, "a plain file name of A-Z a-z 0-9 . _ - without a leading dot")
]
Sha256 = Annotated[str, Form(r"[0-9a-f]{64}", "a SHA-256 in 64 lower-case hex digits")]
Triple = Annotated[str, Form(r"any|[a-z0-9_]+(-[a-z0-9_.]+){1,3}", "a target triple or any")]
Feature = Annotated[str, Form(r"[a-z0-9_.-]{1,40}", "a feature name of /proc/cpuinfo")]
NONE = "none"
Accelerator = Annotated[
    str, Form(r"none|opencl|cuda:sm_[0-9]{2,3}", "none, opencl or such as cuda:sm_87")
]
UtcTime = Annotated[
    str,
    Form(r"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}Z", "a UTC time like 2026-01-31T12:00:00Z"),
]
Count = Annotated[int, Range(1, 10**15)]
Pixels = Annotated[int, Range(1, 8192)]


@dataclass(frozen=True)
class Model:
    """The network and what it was trained on; `multiply_adds` is for one image or one patch.

    `precision` is that of its arithmetic: "int8" multiplies 8-bit integers, "fp16" numbers of
    half precision. `split_sha256` is null where nobody said on which images it was trained.
    """

    architecture: str
    parameters: Count
    multiply_adds: Count
    training_data: str
    split_sha256: Sha256 | None
    precision: Literal["fp32", "fp16", "int8"] = "fp32"


@dataclass(frozen=True)
class Input:
    """What goes in; the network gets pixel * scale + offset.

    float32 NCHW (1, 3, height, width) is scaled by the engine, uint8 NHWC (1, height, width, 3) are
    the camera's bytes, which the compiled graph scales itself.
    """

    height: Pixels
    width: Pixels
    dtype: Literal["float32", "uint8"]
    layout: Literal["NCHW", "NHWC"]
    colour: Literal["RGB"]
    scale: Annotated[float, Range(1e-9, 1e9)]
    offset: Annotated[float, Range(-1e9, 1e9)]
    field_of_view: str


@dataclass(frozen=True)
class Output:
    """What comes out is a probability; at `threshold` and above it is a vessel."""

    threshold: Annotated[float, Range(1e-6, 1 - 1e-6)]
    threshold_rule: str


@dataclass(frozen=True)
class Target:
    """The machine it was built for. `triple` "any" is a portable model, not native code.

    `accelerator` is the GPU that runs the network: "cuda:sm_87" of exactly that architecture, or
    "opencl"; "none" is the CPU.
    """

    triple: Triple
    cpu: str
    features: tuple[Feature, ...]
    threads: Annotated[int, Range(1, 1024)]
    memory_mb: Annotated[int, Range(1, 2**20)]
    accelerator: Accelerator = NONE


@dataclass(frozen=True)
class EngineVersion:
    """What runs the model, and the exact version that it was built with."""

    name: Literal["onnx", "tvm"]
    version: str


@dataclass(frozen=True)
class Metric:
    """One measured number: after which stage of the build, on which data."""

    stage: str
    data: str
    name: str
    value: float


@dataclass(frozen=True)
class FileRecord:
    """A file beside the manifest; `size` in bytes."""

    name: PlainName
    sha256: Sha256
    size: Annotated[int, Range(1, MAX_FILE_BYTES)]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What every artifact says. `version` grows with every release of the same `name`."""

    name: PlainName
    version: Annotated[int, Range(1, 2**31 - 1)]
    model: Model
    target: Target
    engine: EngineVersion
    tuning_log_sha256: Sha256 | None
    metrics: tuple[Metric, ...]
    licence: str
    created: UtcTime
    files: tuple[FileRecord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FundusManifest(Manifest):
    """Schema version 1: a network that segments photographs of the fundus."""

    input: Input
    output: Output
    schema_version: int = FUNDUS_SCHEMA


@dataclass(frozen=True, kw_only=True)
class OctaManifest(Manifest):
    """Schema version 2: a network that segments OCTA volumes."""

    input: OctaInput
    output: OctaOutput
    kind: Literal["octa"] = "octa"
    schema_version: int = OCTA_SCHEMA


AnyManifest = FundusManifest | OctaManifest
_KINDS: dict[int, type[FundusManifest] | type[OctaManifest]] = {
    FUNDUS_SCHEMA: FundusManifest,
    OCTA_SCHEMA: OctaManifest,
}


def parse(content: bytes, path: Path) -> AnyManifest:
    """Reads the manifest's bytes; `path` is only named in messages.

    Raises:
        ArtifactError: an unknown schema version, or anything but exactly what that version holds.
    """
    try:
        document = json_reader.loads(content)
        version = document.get("schema_version") if isinstance(document, dict) else None
        if type(version) is int and version not in _KINDS:
            raise ArtifactError(
                f"{path}: schema_version: {version} is unknown: this edge_vessel reads "
                f"{' and '.join(map(str, _KINDS))}; update edge_vessel"
            )
        # A document without a number for its version is refused as one of the first.
        kind = _KINDS[version] if type(version) is int else FundusManifest
        manifest: AnyManifest = json_reader.build(kind, document)
        _check_whole(manifest)
    except StrictJsonError as error:
        raise ArtifactError(f"{path}: {error}; build or fetch the artifact again") from error
    return manifest


def to_json(manifest: AnyManifest) -> bytes:
    """The canonical bytes: sorted keys, two spaces, ASCII, a final line feed.

    Raises:
        ArtifactError: the manifest is one that `parse` would refuse.
    """
    try:
        text = json.dumps(asdict(manifest), sort_keys=True, indent=2, allow_nan=False)
    except ValueError as error:
        raise ArtifactError(f"{MANIFEST} of {manifest.name}: a number is not finite") from error
    content = text.encode("ascii") + b"\n"
    parse(content, Path(MANIFEST))
    return content


def _check_whole(manifest: AnyManifest) -> None:
    """What no single field shows."""
    names = [record.name for record in manifest.files]
    for name in names:
        if name in (MANIFEST, SIGNATURE) or names.count(name) > 1:
            raise StrictJsonError(f"files: {name!r} is reserved or stands twice")
    if isinstance(manifest, OctaManifest):
        _check_octa(manifest)
    else:
        _check_layout(manifest.input)
    if manifest.target.accelerator != NONE and manifest.engine.name != "tvm":
        raise StrictJsonError(
            f"target.accelerator: {manifest.target.accelerator!r} is for the engine tvm, not "
            f"{manifest.engine.name}"
        )
    if manifest.target.triple == "any" and manifest.engine.name != "onnx":
        raise StrictJsonError(
            f"target.triple: 'any' is for portable models; {manifest.engine.name} is native code"
        )
    try:
        datetime.fromisoformat(manifest.created)
    except ValueError as error:
        raise StrictJsonError(f"created: {manifest.created!r} is no date: {error}") from error


def _check_layout(image: Input) -> None:
    if (image.dtype == "uint8") != (image.layout == "NHWC"):
        raise StrictJsonError(
            f"input: {image.dtype} {image.layout}: float32 goes with NCHW, uint8 with NHWC"
        )


def _check_octa(manifest: OctaManifest) -> None:
    channels = [channel.name for channel in manifest.input.channels]
    if channels not in (["OCT", "OCTA"], ["OCT"], ["OCTA"]):
        raise StrictJsonError(f"input.channels: {channels} are not OCT, OCTA or both in this order")
    classes = manifest.output.classes
    if classes[:1] != (VESSEL,) or len(set(classes)) != len(classes):
        raise StrictJsonError(f"output.classes: {classes} do not begin with {VESSEL}, each once")
    voxels = math.prod(manifest.input.shape) * len(classes)
    if voxels > MAX_PATCH_VOXELS:
        raise StrictJsonError(
            f"input: {voxels} voxels of a patch times classes; at most {MAX_PATCH_VOXELS} are taken"
        )
    if manifest.engine.name != "onnx":
        raise StrictJsonError(f"engine.name: {manifest.engine.name!r} runs no volumes; onnx does")
