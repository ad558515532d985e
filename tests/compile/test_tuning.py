"""Measured sizes and schedules: what is tried, kept and resumed."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tvm
from native_artifacts import WEIGHTS, compile_for
from needs import unavailable
from test_rules import Network
from tvm import relax, tirx

from compile import relax_import, rewrite, rules, targets
from compile.export import to_onnx
from compile.plan import plan
from compile.schedules.core import Core
from compile.size import square
from compile.tuning import LocalMeter, Records, RpcMeter, Tuner
from compile.tuning.search import candidates
from compile.tvm_build import lower
from compile.tvm_build import module as tvm_module
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.preprocessing import OFFSET, SCALE
from train.models.checkpoint import load_network

TARGET = targets.find("x86_64")
CORE = TARGET.core(1)
MACHINE = TARGET.tvm(1)


def module() -> tvm.IRModule:
    """Functions without schedules; the large one is a convolution."""
    network = Network(96, 96)
    network.conv(3, 96, 3)
    network.conv(96, 48, 3)
    content = network.model().SerializeToString()
    return relax_import.module(content, SCALE, OFFSET, CORE.lanes, MACHINE)


@cache
def convolution() -> tuple[str, tirx.PrimFunc]:
    functions = [
        (name.name_hint, function)
        for name, function in module().functions_items()
        if "conv2d" in name.name_hint
    ]
    return max(functions, key=lambda one: one[0])


@dataclass
class Scripted:
    """A meter that says what the test wants, function by function."""

    seconds_of: list[float]
    place: str = "script"
    measured: list[str] = field(default_factory=list)

    def seconds(self, function: tirx.PrimFunc) -> float:
        self.measured.append(function.script())
        value = self.seconds_of[len(self.measured) - 1]
        if value < 0:
            raise DeviceError("the board is gone")
        return value


def make(core: Core) -> tirx.PrimFunc:
    schedule = rules.CPU["convolution"](convolution()[1], core)
    assert schedule is not None
    return schedule.mod["main"]


def tuner(meter: Scripted, folder: Path, trials: int) -> Tuner:
    return Tuner(meter, Records(folder), trials, MACHINE)


def test_the_first_candidate_is_what_nobody_measured() -> None:
    first, *others = candidates(CORE).values()
    assert first == CORE
    assert CORE not in others


def test_the_fastest_wins_and_is_not_measured_again(tmp_path: Path) -> None:
    meter = Scripted([3.0, 1.0, 2.0])
    found = tuner(meter, tmp_path, 3).choose("c", make, CORE)
    assert len(set(meter.measured)) == len(meter.measured) == 3
    assert make(found).script() == meter.measured[1]
    again = Scripted([])
    repeated = tuner(again, tmp_path, 3)
    assert repeated.choose("c", make, CORE) == found
    assert again.measured == []
    assert repeated.chosen["c"][1:] == (1.0, 3.0)


def test_a_stopped_search_goes_on_where_it_was(tmp_path: Path) -> None:
    tuner(Scripted([3.0, 2.0]), tmp_path, 2).choose("c", make, CORE)
    meter = Scripted([1.0])
    found = tuner(meter, tmp_path, 3).choose("c", make, CORE)
    assert make(found).script() == meter.measured[0]
    assert len((tmp_path / "sizes.jsonl").read_text().splitlines()) == 3


def test_another_place_is_measured_anew(tmp_path: Path) -> None:
    tuner(Scripted([1.0]), tmp_path, 1).choose("c", make, CORE)
    meter = Scripted([1.0], place="board a")
    tuner(meter, tmp_path, 1).choose("c", make, CORE)
    assert len(meter.measured) == 1


def test_what_cannot_be_measured_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tuner(Scripted([2.0, -1]), tmp_path, 2).choose("c", make, CORE)
    assert found == CORE
    assert re.fullmatch(r"c, l2 .*: the board is gone; left out\n", capsys.readouterr().err)
    assert tuner(Scripted([-1]), tmp_path / "b", 1).choose("c", make, CORE) == CORE


def test_records_survive_a_cut_line_and_name_a_bad_one(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add("f", "name", "here", "a", 0.5)
    before = records.sha256()
    file = tmp_path / "sizes.jsonl"
    with file.open("a") as lines:
        lines.write('{"function": "f", "na')
    assert Records(tmp_path).find("f", "here", "a") == 0.5
    assert Records(tmp_path).sha256() == before
    file.write_text("no record\n" + file.read_text())
    with pytest.raises(UsageError, match=r"sizes\.jsonl: line 1 is no record"):
        Records(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\n", "is no text"),
        (b'{"function": "f", "place": "p", "candidate": "c", "seconds": NaN}\n', "nan seconds"),
        (b'{"function": "f", "place": "p", "candidate": "c", "seconds": true}\n', "True seconds"),
        (b"a text of mine", "its last line is no record"),
        (b'{"function": "f", "place": "p", "candidate": "c", "seconds": -1}\n', "-1 seconds"),
        (b'{"function": "f", "place": "p"}\n', "candidate"),
        (b"[]\n", "line 1 is no record"),
    ],
)
def test_what_is_no_record_is_named(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "sizes.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=says):
        Records(tmp_path)


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    holds = "import sys; from pathlib import Path; from compile.tuning import Records;"
    holds += f"r = Records(Path({str(tmp_path)!r})); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-W", "ignore", "-c", holds]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="another process keeps its records there"):
            Records(tmp_path)
    Records(tmp_path)


def test_without_a_time_the_untuned_one_has_none(tmp_path: Path) -> None:
    meter = Scripted([-1, 2.0])
    search = tuner(meter, tmp_path, 2)
    search.choose("c", make, CORE)
    assert search.chosen["c"][1:] == (2.0, None)


def test_a_record_that_cannot_be_kept(tmp_path: Path) -> None:
    records = Records(tmp_path)
    (tmp_path / "sizes.jsonl").symlink_to("/dev/full")
    with pytest.raises(DeviceError, match=r"sizes\.jsonl: cannot be written: No space left"):
        records.add("f", "name", "here", "a", 0.5)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot keep records"):
        Records(tmp_path / "file")


def test_other_sizes_compute_the_same() -> None:
    """The weights are packed for the blocks that were chosen."""
    network = load_network(WEIGHTS)[1]
    content = rewrite.apply(to_onnx(network, square(64)))[0]
    steps = plan(onnx.load_from_string(content), SCALE, OFFSET, bytes_in=True)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    outputs = []
    for core in candidates(CORE).values():

        class Chooses(Tuner):
            def choose(self, name: str, make: Any, core: Core, best: Core = core) -> Core:
                return best

        built = lower(tvm_module(steps, CORE, Chooses(Scripted([]), None, 0, MACHINE)), MACHINE)
        machine = relax.VirtualMachine(built, tvm.cpu())
        outputs.append(machine["main"](tvm.runtime.tensor(image)).numpy())
    for other in outputs[1:]:
        np.testing.assert_allclose(other, outputs[0], atol=1e-5)


def test_this_machine_measures() -> None:
    assert 0 < LocalMeter(TARGET, 1).seconds(make(CORE)) < 1


@pytest.mark.slow
def test_metaschedule_goes_on_and_computes_the_same(tmp_path: Path) -> None:
    name, plain = convolution()
    records = Records(tmp_path)
    search = Tuner(LocalMeter(TARGET, 1), records, 8, MACHINE)
    scheduled = search.schedule(name, plain, make, CORE)
    file = records.database(search.meter.place) / "database_tuning_record.json"
    lines = file.read_text().splitlines()
    assert 1 <= len(lines) <= 2
    again = Tuner(LocalMeter(TARGET, 1), Records(tmp_path), 0, MACHINE)
    again.schedule(name, plain, make, CORE)
    assert file.read_text().splitlines() == lines
    # Another place has a database of its own: no time of this one counts there.
    elsewhere = Tuner(Scripted([2.0] * 6, place="elsewhere"), records, 6, MACHINE)
    assert elsewhere.schedule(name, plain, make, CORE).script() == make(CORE).script()
    # What a stop cut off is dropped; what else is damaged is named.
    file.write_text(file.read_text() + '[0, [[["Get')
    again.schedule(name, plain, make, CORE)
    assert file.read_text().splitlines() == lines
    file.write_text("nonsense\n")
    with pytest.raises(UsageError, match="its records are damaged: remove it"):
        again.schedule(name, plain, make, CORE)
    file.write_text("\n".join(lines) + "\n")
    assert any("MetaSchedule" in line for line in (tmp_path / "sizes.jsonl").read_text().split(","))
    outputs = []
    for function in (scheduled, make(CORE)):
        library = tvm.compile(
            tvm.IRModule({"f": function.with_attr("global_symbol", "f")}), target=MACHINE
        )
        random = np.random.default_rng(0)
        shapes = [
            [int(n) for n in info.as_json()[2]]
            for info in tvm.s_tir.meta_schedule.arg_info.ArgInfo.from_prim_func(function)
        ]
        tensors = [tvm.runtime.tensor(random.standard_normal(s).astype(np.float32)) for s in shapes]
        library["f"](*tensors)
        outputs.append(tensors[-1].numpy())
    np.testing.assert_allclose(*outputs, atol=1e-4)


@pytest.mark.slow
def test_the_command_tunes_and_its_records_travel_by_hash(tmp_path: Path) -> None:
    records = tmp_path / "records"
    hashes = []
    for trials in ("2", "0"):
        folder = tmp_path / trials
        done = compile_for(
            "x86_64", folder, 96, "--threads", "1", "--tune", trials, "--records", records
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r"^bottleneck0 +[\d.]+ ms +[\d.]+ ms  l2 x", done.stdout, re.MULTILINE)
        hashes.append(open_artifact(folder, (), allow_unsigned=True).manifest.tuning_log_sha256)
    assert hashes == [Records(records).sha256()] * 2


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--tune", "4"), "with --records DIR"),
        (("--records", "r"), "go with --tune N"),
        (("--tune", "-1", "--records", "r"), "from 0 on"),
        (("--tune", "1", "--records", "r", "--engine", "onnx"), "native code for a CPU"),
        (("--tune", "1", "--records", "r", "--rpc", "nonsense"), "such as"),
    ],
)
def test_options_that_do_not_go_together(
    more: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = compile_for(
        "x86_64", tmp_path / "a", 96, *(str(tmp_path / m) if m == "r" else m for m in more)
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_core_without_an_estimate_needs_a_board(tmp_path: Path) -> None:
    done = compile_for(
        "generic-aarch64", tmp_path / "a", 96, "--tune", "1", "--records", tmp_path / "r"
    )
    assert done.returncode == 2
    assert "no estimate, only for the CPUs cortex-a72, cortex-a76; or name a board" in done.stderr


@pytest.mark.slow
def test_a_core_that_is_not_here_is_tuned_by_estimates(tmp_path: Path) -> None:
    if shutil.which("qemu-aarch64") is None or shutil.which("llvm-mca") is None:
        unavailable("qemu-aarch64 and llvm-mca (qemu-user, llvm) are not installed")
    done = compile_for("rk3399", tmp_path / "a", 64, "--tune", "2", "--records", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert "BY (estimate cortex-a72, 50% of L2)" in done.stdout


def test_the_records_of_a_board_serve_without_it(tmp_path: Path) -> None:
    name, seconds = "board bench, x86_64, 1 threads", [3.0, 1.0, 2.0]
    fastest = tuner(Scripted(seconds, place=name), tmp_path, 3).choose("c", make, CORE)
    meter = RpcMeter("127.0.0.1:9190/bench", TARGET, 1, connect=False)
    assert Tuner(meter, Records(tmp_path), 0, MACHINE).choose("c", make, CORE) == fastest
