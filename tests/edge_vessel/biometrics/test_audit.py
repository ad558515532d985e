"""Whatever is done to the audit file is found and named; what a power cut does is repaired."""

import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from biometric_stores import KEY, OTHER_KEY, new_store

from edge_vessel.biometrics import audit as audits
from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.audit_line import Line, parse
from edge_vessel.biometrics.audit_verify import Verification, verify
from edge_vessel.biometrics.store import Store
from edge_vessel.errors import DeviceError

LINES = 6
Lines = list[bytes]


@pytest.fixture
def store(tmp_path: Path):
    with new_store(tmp_path / "s") as opened:
        yield opened


@pytest.fixture
def audit(store: Store) -> Audit:
    """With LINES lines."""
    audit = Audit(store)
    for number in range(LINES):
        audit.append("verify", "match", f"s{number}")
    return audit


def checked(audit: Audit) -> Verification:
    head, content = audit.snapshot()
    return verify(content, head, audit.key)


def faults(audit: Audit) -> str:
    return ", ".join(map(str, checked(audit).faults))


def test_lines(audit):
    lines = [parse(each, audit.key) for each in audit.path.read_bytes().splitlines(keepends=True)]
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {line.event for line in lines} == {"verify"}
    assert len({line.subject for line in lines}) == LINES
    assert lines[2].subject == audit.pseudonym("s2")
    assert b"s2" not in audit.path.read_bytes()
    assert audit.path.stat().st_mode & 0o777 == 0o600
    assert checked(audit) == Verification(LINES, ())


@pytest.mark.parametrize(
    ("event", "result"),
    [("enroll", "ok"), ("verify", "Match"), ("verify", ""), ("verify", "x" * 33), ("verify", "a1")],
)
def test_only_what_the_lists_hold(audit, event, result):
    with pytest.raises(ValueError, match="not an audit line"):
        audit.append(event, result)
    assert checked(audit) == Verification(LINES, ())


def rewritten(lines: Lines) -> Lines:
    """The whole chain anew, hashes and all, by somebody without the key."""
    new: Lines = []
    previous = "0" * 64
    for seq in range(1, LINES + 1):
        line = Line(seq, "2026-01-31T12:00:00Z", "verify", None, "no_match", previous)
        new.append(line.signed(b"guess").encoded())
        previous = audits.hash_of(new[-1])
    return new


@dataclass
class TamperCase:
    name: str
    change: Callable[[Lines], Lines]
    said: str


TAMPER_CASES = [
    TamperCase("a byte", lambda t: [*t[:2], t[2].replace(b"match", b"mabch"), *t[3:]],
               "line 3 changed"),
    TamperCase("longer", lambda t: [*t[:2], t[2].replace(b"match", b"no_match"), *t[3:]],
               "line 3 changed"),
    TamperCase("spaces", lambda t: [*t[:2], t[2].replace(b",", b", "), *t[3:]], "line 3 changed"),
    TamperCase("first", lambda t: [b"x" + t[0][1:], *t[1:]], "line 1 changed"),
    TamperCase("last", lambda t: [*t[:5], t[5].replace(b"match", b"mabch")], "line 6 changed"),
    TamperCase("two", lambda t: [*t[:1], b"{}\n", b"\n", *t[3:]], "line 2 changed, line 3 changed"),
    TamperCase("first missing", lambda t: t[1:], "line 1 missing"),
    TamperCase("missing", lambda t: [*t[:2], *t[3:]], "line 3 missing"),
    TamperCase("two missing", lambda t: [*t[:2], *t[4:]], "line 3 missing, line 4 missing"),
    TamperCase("exchanged", lambda t: [*t[:2], t[3], t[2], *t[4:]], "line 3 reordered"),
    TamperCase("last two exchanged", lambda t: [*t[:4], t[5], t[4]], "line 5 reordered"),
    TamperCase("moved to the end", lambda t: [*t[:1], *t[2:], t[1]], "line 2 reordered"),
    TamperCase("twice", lambda t: [*t[:3], t[2], *t[3:]], "line 3 reordered"),
    TamperCase("cut off", lambda t: t[:4], "line 5 cut, line 6 cut"),
    TamperCase("last cut in two", lambda t: [*t[:5], t[5][:40]], "line 6 cut"),
    TamperCase("line break cut", lambda t: [*t[:5], t[5][:-1]], "line 6 cut"),
    TamperCase("all gone", lambda t: [],
               ", ".join(f"line {seq} cut" for seq in range(1, 7))),
    TamperCase("added in the middle", lambda t: [*t[:3], b'{"seq":4}\n', *t[3:]], "line 7 added"),
    TamperCase("added at the end", lambda t: [*t, b'{"seq":7}\n'], "line 7 added"),
    TamperCase("long one added", lambda t: [*t, b"x" * 5000], "line 7 added"),
    TamperCase("chain rewritten", rewritten,
               ", ".join(f"line {seq} changed" for seq in range(1, 7))),
]  # fmt: skip


@pytest.mark.parametrize("case", TAMPER_CASES, ids=lambda case: case.name)
def test_tampering_is_named(audit, case):
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join(case.change(lines)))
    assert faults(audit) == case.said


def test_another_history_of_the_same_store_is_found(tmp_path, audit, store):
    """Lines that the key wrote: of a copy of the folder that went another way."""
    line = Line(3, "2026-01-31T12:00:00Z", "verify", None, "match", "0" * 64).signed(audit.key)
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join([*lines[:2], line.encoded(), *lines[3:]]))
    assert faults(audit) == "line 3 other history, line 4 other history"


@dataclass
class PowerCutCase:
    name: str
    tail: Callable[[bytes], bytes]
    found: Verification
    events: list[str]


POWER_CUT_CASES = [
    PowerCutCase("before the anchor", lambda line: line, Verification(6, (), 1), ["stopped"]),
    PowerCutCase("torn", lambda line: line[:50], Verification(6, (), 0, True), ["repair"]),
    PowerCutCase("its line break", lambda line: line[:-1], Verification(6, (), 0, True),
                 ["repair"]),
    PowerCutCase("no data yet", lambda line: bytes(len(line)), Verification(6, (), 0, True),
                 ["repair"]),
    PowerCutCase("half of the data", lambda line: line[:100] + bytes(100),
                 Verification(6, (), 0, True), ["repair"]),
    PowerCutCase("nothing", lambda line: b"", Verification(6, ()), []),
]  # fmt: skip


@pytest.mark.parametrize("case", POWER_CUT_CASES, ids=lambda case: case.name)
def test_what_a_power_cut_leaves_is_repaired_in_order(audit, store, case):
    head, _ = audit.snapshot()
    line = Line(7, "2026-01-31T12:00:00Z", "stopped", None, "ok", head.hash).signed(audit.key)
    with audit.path.open("ab") as file:
        file.write(case.tail(line.encoded()))
    assert checked(audit) == case.found
    audit.append("started", "ok")
    lines = [parse(each, audit.key) for each in audit.path.read_bytes().splitlines(keepends=True)]
    assert [line.event for line in lines[LINES:]] == [*case.events, "started"]
    assert checked(audit) == Verification(LINES + len(case.events) + 1, ())


def test_lines_of_a_transaction_that_failed_are_adopted(audit, store):
    with pytest.raises(RuntimeError), store.transaction():
        audit.append("delete", "ok", "anna")
        audit.append("stopped", "ok")
        raise RuntimeError
    assert checked(audit) == Verification(LINES, (), 2)
    audit.append("started", "ok")
    assert checked(audit) == Verification(LINES + 3, ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:-10], "lost 10 bytes that were there; see: audit verify"),
        (lambda content: content + b'{"seq":7}\n', "that the store's key did not write; see"),
    ],
)
def test_goes_on_after_tampering_only_in_a_new_file(audit, change, said):
    audit.path.write_bytes(change(audit.path.read_bytes()))
    with pytest.raises(DeviceError, match=said):
        audit.append("started", "ok")
    kept = audit.path.read_bytes()
    aside = audit.restart()
    assert aside.read_bytes() == kept
    audit.append("started", "ok")
    first = parse(audit.path.read_bytes().splitlines(keepends=True)[0], audit.key)
    assert (first.seq, first.event) == (LINES + 1, "restart")
    assert checked(audit) == Verification(2, ())
    audit.path.unlink()
    assert faults(audit) == "line 7 cut, line 8 cut"
    audit.restart()
    assert checked(audit) == Verification(1, ())


def test_the_chain_outlives_a_rotation_and_processes_share_it(tmp_path, audit, store):
    with Store(store.folder, KEY) as other:
        Audit(other).append("verify", "no_match", "s1")
        audit.append("verify", "match", "s1")
    store.rotate(OTHER_KEY)
    audit.append("rotate", "ok")
    with Store(store.folder, OTHER_KEY) as again:
        assert checked(Audit(again)) == Verification(LINES + 3, ())
        assert Audit(again).pseudonym("s1") == audit.pseudonym("s1")


def test_a_file_that_cannot_be_written(audit):
    audit.path.rename(audit.path.with_name("elsewhere"))
    audit.path.symlink_to(audit.path.with_name("elsewhere"))
    with pytest.raises(DeviceError, match=r"audit.jsonl: cannot be written: Too many"):
        audit.append("started", "ok")
    audit.path.unlink()
    audit.path.mkdir()
    with pytest.raises(DeviceError, match=r"audit.jsonl: is not a regular file"):
        audit.snapshot()
    audit.path.rmdir()  # it is empty
    os.mkfifo(audit.path)
    with pytest.raises(DeviceError, match=r"audit.jsonl: is not a regular file"):
        audit.snapshot()
    audit.path.unlink()
    audit.path.symlink_to("/dev/zero")
    with pytest.raises(DeviceError, match=r"audit.jsonl: is a symbolic link"):
        audit.snapshot()


def test_a_full_disk_leaves_a_line_that_is_repaired(audit):
    """RLIMIT_FSIZE cuts the line short in a process of its own."""
    limit = audit.path.stat().st_size + 40
    folder = audit.path.parent
    if (child := os.fork()) == 0:
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            with Store(folder, KEY) as store, store.transaction("DEFERRED"):
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                Audit(store).append("stopped", "ok")
        except DeviceError as error:
            os._exit(0 if "the disk is full" in str(error) else 2)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert checked(audit) == Verification(LINES, (), 0, True)
    audit.append("started", "ok")
    assert checked(audit) == Verification(LINES + 2, ())
