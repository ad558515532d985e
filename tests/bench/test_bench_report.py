"""Runs told and drawn."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from artifact_folders import ROOT, called, python, write
from matplotlib.figure import Figure

from bench import beside_paper, document, documents, run_file
from bench.__main__ import main
from bench.accuracy_file import SCHEMA_VERSION, AccuracyRun, Line, PixelScores
from bench.pages import html, markdown
from bench.plots import Timing, draw_laws, picture, sized
from bench.run_file import Case, Stages
from bench.run_table import HEADER, STAGES_HEADER
from bench.section import Section
from edge_vessel.sources.images import read_image

SAMPLE = ROOT / "samples" / "chase_db1_07L.jpg"


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    path = folder / "run.json"
    done = python(
        "-m", "bench", "latency", write(folder / "tiny"), "--allow-unsigned", "--image", SAMPLE,
        "--force", "--warmup", "0", "--runs", "30", "--output", path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return path


def test_the_command_writes_what_it_is_asked_for(run_path: Path, tmp_path: Path) -> None:
    pictures = [tmp_path / name for name in ("a.png", "a.html", "a.md")]
    done = called(main, "report", run_path, run_path, "--png", pictures[0], "--html", pictures[1],
        "--markdown", pictures[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert np.ptp(read_image(pictures[0])) == 255
    lines = pictures[2].read_text().splitlines()
    assert lines[:3] == ["### Latency", "", f"| {' | '.join(HEADER)} |"]
    assert sum(line.startswith("- run.json: ") for line in lines) == 2
    assert f"| {' | '.join(STAGES_HEADER)} |" in lines
    run = run_file.read(run_path)
    (case,) = run.cases
    for name, one in vars(case.stages).items():
        figures = [f"{value:.2f}" for value in list(vars(one).values())[1:]]
        row = [run.conditions.machine.cpu, case.title, name, "measured", "30", *figures]
        assert lines.count(f"| {' | '.join(row)} |") == 2, "of two runs"
    assert (
        "power: no meter in a run of latency: bench energy takes one; attach one, such"
        in done.stdout
    )
    page = pictures[1].read_text()
    assert "<script" not in page
    assert "href" not in page
    assert page.count("src=") == page.count('src="data:image/png;base64,') == 1


def test_names_cannot_write_html_or_table_cells() -> None:
    evil = "a | b <script>alert(1)</script>"
    section = Section(evil, ("case", evil), ((evil, "1"),), (evil,))
    assert "<script>" not in html([section], b"")
    heading, _, header, _, row, _, remark = markdown([section]).splitlines()
    assert header.count(" | ") == row.count(" | ") == 1
    assert all(r"\<script>" in line for line in (heading, header, row, remark))

    class Cells(HTMLParser):
        count = 0

        def handle_starttag(self, tag: str, _: object) -> None:
            self.count += tag == "td"

    parser = Cells()
    parser.feed(html([section], b""))
    assert parser.count == 2


def test_accuracy_stands_beside_the_paper_and_against_latency(
    run_path: Path, tmp_path: Path
) -> None:
    run = run_file.read(run_path)
    (case,) = run.cases
    paths = [tmp_path / f"{name}.json" for name in ("drive", "chase_db1")]
    for path, dice in zip(paths, (0.81, 0.79), strict=True):
        scores = PixelScores(dice, 0.97, 0.78, 0.98, 0.98, 0.79)
        lines = [
            Line("s", case.subject.name, path.stem, region, 20, 0, 0.5, scores, None, None)
            for region in ("full frame", "field of view")
        ]
        accuracy = AccuracyRun(
            SCHEMA_VERSION, "accuracy", "measured", run.created, run.conditions, (case.subject,),
            tuple(lines),
        )  # fmt: skip
        path.write_text(document.text(accuracy))
    told, drawn = tmp_path / "a.md", tmp_path / "a.png"
    done = called(main, "report", run_path, *paths, "--markdown", told, "--png", drawn)
    assert done.returncode == 0, done.stderr
    rows = [line for line in told.read_text().splitlines() if line.startswith("| ")]
    assert any("M2U-Net (Laibacher" in row and "0.8091 published" in row for row in rows)
    (ours,) = (row for row in rows if "(ours)" in row)
    assert "| 0.8100 measured, photographs: 20 | 0.7900 measured, photographs: 20 |  |" in ours
    assert ours.endswith("| no meter |")
    assert f"{case.stages.inference.p50_ms:.0f} measured, 1 thread" in ours
    assert called(main, "report", *paths, "--markdown", told).returncode == 0
    (ours,) = (row for row in told.read_text().splitlines() if "(ours)" in row)
    assert ours.endswith("|  |  |"), "neither time nor meter without a run"
    plain = tmp_path / "plain.png"
    assert called(main, "report", run_path, "--png", plain).returncode == 0
    assert read_image(drawn).shape[1] > read_image(plain).shape[1], "no panel of accuracy"


def test_estimates_and_gpus_stand_beside_the_paper_as_what_they_are() -> None:
    names = ("cortex_a72_m2unet_fundus_544.json", "h200/bench_gpu_544.json")
    files = [ROOT / "bench" / "results" / name for name in names]
    done = called(main, "report", *files)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if "(ours)" in line]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert [row[1:4] for row in cells] == [["", "", ""]] * 2, "no accuracy of these is told"
    estimate, gpu = (documents.read(file) for file in files)
    assert cells[0][-2:] == [f"{estimate.cost.ms:.0f} estimated, one cortex-a72", "no meter"]
    assert cells[1][-2].startswith(f"{gpu.stages.network.p50_ms:.1f} measured, cuda:")
    assert cells[1][-1] == f"{gpu.energy.loaded_power_w} {gpu.meter}"
    silent = replace(gpu, energy=replace(gpu.energy, loaded_power_w=None))
    paper = beside_paper.section([], [silent])
    assert paper is not None
    assert paper.rows[-1][-1] == f"no joules {gpu.meter}", "there was a meter"


def test_two_runs_of_accuracy_are_both_told() -> None:
    run = documents.read(ROOT / "bench" / "results" / "workstation_accuracy_960.json")
    assert isinstance(run, AccuracyRun)
    paper = beside_paper.section([run, replace(run, kind="emulated")], [])
    assert paper is not None
    first = next(row for row in paper.rows if row[0].startswith("m2unet-fundus-960 "))
    assert first[1] == ("0.8158 measured, photographs: 20; 0.8158 emulated, photographs: 20")


def _sides(case: Case, threads: int = 1, machine: str = "a") -> list[Timing]:
    """The same with inputs of three sizes, on so many threads: so much faster each."""
    found = []
    for side in (256, 512, 1024):
        stages = Stages.of([(0.1, 20.0 * side**2 / 1e6 / threads, 0.1)] * 30)
        subject = replace(case.subject, input=(side, side), multiply_adds=4900 * side**2)
        sized_case = replace(case, subject=subject, stages=stages, threads=threads)
        found.append(Timing(sized_case, [1.0] * 30, machine))
    return found


def test_three_sizes_bring_a_law(run_path: Path) -> None:
    (case,) = run_file.read(run_path).cases
    timings = _sides(case)
    assert len(picture(timings)) > len(picture(timings[:1]))


def test_each_number_of_threads_and_each_engine_has_a_law_of_its_own(run_path: Path) -> None:
    (case,) = run_file.read(run_path).cases
    other = replace(case, subject=replace(case.subject, engine="tvm 0.20"))
    axes = Figure().subplots()
    laws = sized([*_sides(case), *_sides(case, 2), *_sides(other)[:2]])
    draw_laws(axes, laws)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label.partition(": ")[2] for label in labels] == [
        "20.0 ms * Mpx^1.00", "10.0 ms * Mpx^1.00",
    ]  # fmt: skip
    assert [label.rpartition(", ")[2][:9] for label in labels] == ["1 thread:", "2 threads"]


def test_two_machines_share_no_law(run_path: Path) -> None:
    (case,) = run_file.read(run_path).cases
    laws = sized([*_sides(case), *_sides(case, machine="b")])
    assert [title.rpartition(", ")[2] for title in laws] == ["a", "b"]
    assert [len(group) for group in laws.values()] == [3, 3]


def test_two_networks_share_no_law(run_path: Path) -> None:
    (case,) = run_file.read(run_path).cases
    larger = [
        replace(
            one, case=replace(one.case, subject=replace(one.case.subject, multiply_adds=10**10))
        )
        for one in _sides(case)[:2]
    ]
    laws = sized([*_sides(case), *larger])
    assert list(laws) == [
        f"{case.subject.engine} {case.subject.precision}, 1 thread, 4.9 G multiply-adds a Mpx"
    ]


def test_a_picture_of_nothing_is_refused(tmp_path: Path) -> None:
    told = tmp_path / "a.html"
    peers = ROOT / "bench" / "results" / "workstation_peers_544_1.json"
    done = called(main, "report", peers, "--png", tmp_path / "a.png")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "a.png: nothing to draw: no times and no power's trace" in done.stderr
    assert not (tmp_path / "a.png").exists()
    assert called(main, "report", peers, "--html", told).returncode == 0
    assert "<img" not in told.read_text()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        ("", "is not JSON"),
        ("[]", "not a run of this version's bench: the document"),
        ('{"command": "matching"}', "of the command 'matching'; what can be read is of accuracy"),
        ('{"schema_version": 2}', "of the command 'None'; what can be read is of accuracy, energy"),
    ],
)
def test_what_is_no_run_is_one_line(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    done = called(main, "report", path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
