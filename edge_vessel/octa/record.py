"""What a run says of one volume."""

import resource
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from rich.console import Console

from edge_vessel.command_line import printable
from edge_vessel.meters.window import Energy
from edge_vessel.octa.biomarkers import area_mm2, faz_area_px, vessel_density_percent
from edge_vessel.octa.segmenter import OctaSegmentation, OctaSegmenter
from edge_vessel.octa.volume import Volume
from edge_vessel.sinks.records import iso_utc


@dataclass(frozen=True)
class VolumeTimes:
    """Milliseconds; `read` covers averaging along the depth and scaling."""

    read: float
    inference: float
    postprocess: float
    total: float


@dataclass(frozen=True)
class VolumeRecord:
    """One volume. `depth`, `height` and `width` in voxels; `field_mm` is (height, width), None
    where nobody gave it, as is `faz_area_mm2` then. Both FAZ areas are None where the network does
    not know the FAZ. `time` is ISO 8601 in UTC; `peak_rss_mb` is the process's own."""

    type: Literal["volume"]
    source: str
    name: str
    time: str
    model: str
    engine: str
    threads: int
    threshold: float
    depth: int
    height: int
    width: int
    patches: int
    field_mm: tuple[float, float] | None
    vessel_px: int
    vessel_density_percent: float
    faz_area_px: int | None
    faz_area_mm2: float | None
    ms: VolumeTimes
    peak_rss_mb: float
    power: Energy
    output: str | None


def volume_record(
    volume: Volume,
    segmenter: OctaSegmenter,
    found: OctaSegmentation,
    field_mm: tuple[float, float] | None,
    power: Energy,
    output: str | None,
) -> VolumeRecord:
    """The record of one result; `output` is the folder of its pictures."""
    depth, height, width = volume.shape
    faz_px = None if found.faz is None else faz_area_px(found.faz)
    faz_mm2 = None
    if faz_px is not None and field_mm is not None:
        faz_mm2 = area_mm2(faz_px, (height, width), field_mm)
    times = found.preprocess_ms, found.inference_ms, found.postprocess_ms
    return VolumeRecord(
        type="volume",
        source=volume.uri,
        name=volume.name,
        time=iso_utc(time.time()),
        model=segmenter.artifact.manifest.name,
        engine=f"{segmenter.engine.name} {segmenter.engine.version}",
        threads=segmenter.engine.threads,
        threshold=segmenter.threshold,
        depth=depth,
        height=height,
        width=width,
        patches=found.patches,
        field_mm=field_mm,
        vessel_px=int(np.count_nonzero(found.mask)),
        vessel_density_percent=vessel_density_percent(found.mask),
        faz_area_px=faz_px,
        faz_area_mm2=faz_mm2,
        ms=VolumeTimes(*times, sum(times)),
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        power=power,
        output=output,
    )


def print_record(record: VolumeRecord, console: Console) -> None:
    """A line each for the map, the time and the output."""
    ms = record.ms
    area = "" if record.faz_area_px is None else f", FAZ {record.faz_area_px} px"
    if record.faz_area_mm2 is not None:
        area += f" ({record.faz_area_mm2:.4f} mm²)"
    lines = [
        f"{record.name}: {record.depth}x{record.height}x{record.width} voxels, vessel density "
        f"{record.vessel_density_percent:.2f} %{area}",
        f"{record.model} on {record.engine}, threads {record.threads}: {ms.total / 1e3:.1f} s for "
        f"{record.patches} patches (reading {ms.read / 1e3:.1f} s, network "
        f"{ms.inference / 1e3:.1f} s); peak memory {record.peak_rss_mb:.0f} MB",
    ]
    if record.power.energy_j is not None:
        lines.append(f"energy: {record.power.energy_j:.1f} J ({record.power.kind})")
    if record.output is not None:
        lines.append(f"pictures: {record.output}")
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
