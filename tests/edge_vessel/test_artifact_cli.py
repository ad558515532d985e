"""`python -m edge_vessel.artifact` as its users call it: processes, exit codes, one document."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from artifact_folders import (
    ROOT,
    TARGET,
    command,
    golden_pair,
    npz,
    write,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_vessel import signing
from edge_vessel.errors import ArtifactError, DeviceError
from edge_vessel.manifest import MANIFEST, Target

KEY = Ed25519PrivateKey.generate()
ELSEWHERE = Target("s390x-linux-gnu", "z16", (), 4, 256)
FEATURELESS = Target("any", "generic", ("no_such_feature",), 1, 64)


@dataclass
class CommandCase:
    name: str
    arguments: list[str]
    code: int
    stdout: str
    stderr: str
    target: Target = TARGET


ONLY_UNSIGNED = ["{unsigned}", "--allow-unsigned"]
TRUSTING = ["{signed}", "--trusted-key", "{key}"]
COMMAND_CASES = [
    CommandCase("no command", [], 2, "", "required: COMMAND"),
    CommandCase("unknown command", ["eat"], 2, "", "invalid choice"),
    CommandCase("no such folder", ["verify", "{folder}/none"], 2, "", "no such artifact"),
    CommandCase("bad threads", ["verify", "{signed}", "--threads", "0"], 2, "", "1 to 1024"),
    CommandCase("no such key", ["verify", "{signed}", "--trusted-key", "nokey"], 2, "", "nokey"),
    CommandCase("verify", ["verify", *TRUSTING], 0, "tiny-16", ""),
    CommandCase("verify on two threads", ["verify", *TRUSTING, "--threads", "2"], 0, "threads", ""),
    CommandCase("verify untrusted", ["verify", "{signed}"], 4, "", "error: "),
    CommandCase("verify unsigned", ["verify", "{unsigned}"], 4, "", "there is no signature"),
    CommandCase("verify allowed", ["verify", *ONLY_UNSIGNED], 0, "unsigned", "warning: "),
    CommandCase("verify elsewhere", ["verify", *TRUSTING], 4, "s390x", "is built for", ELSEWHERE),
    CommandCase("verify feature", ["verify", *TRUSTING], 4, "", "no_such_feature", FEATURELESS),
    CommandCase("show", ["show", *TRUSTING], 0, "Apache-2.0", ""),
    CommandCase("show unsigned", ["show", "{unsigned}"], 4, "", "there is no signature"),
    CommandCase("show allowed", ["show", *ONLY_UNSIGNED], 0, "model.onnx", "warning: "),
    CommandCase("show elsewhere", ["show", *TRUSTING], 0, "s390x", "", ELSEWHERE),
    CommandCase("sign without key", ["sign", "{unsigned}"], 2, "", "--key"),
    CommandCase(
        "sign with public key",
        ["sign", "{unsigned}", "--key", "{key}"],
        2,
        "",
        "holds a public key; name the private one (.key)",
    ),
    CommandCase(
        "keygen without folder", ["keygen", "{folder}/no/site"], 3, "", "cannot be written"
    ),
]


def paths(tmp_path: Path, target: Target) -> dict[str, str]:
    _, public = signing.generate(tmp_path / "site")
    key = signing.load_private_key(tmp_path / "site.key")
    return {
        "folder": str(tmp_path),
        "key": str(public),
        "signed": str(write(tmp_path / "signed", key, target)),
        "unsigned": str(write(tmp_path / "unsigned", None, target)),
    }


@pytest.mark.parametrize("case", COMMAND_CASES, ids=lambda case: case.name)
def test_command(case, tmp_path):
    known = paths(tmp_path, case.target)
    result = command(*(argument.format(**known) for argument in case.arguments))
    assert result.returncode == case.code, result.stderr
    assert case.stdout in result.stdout
    assert case.stderr in result.stderr
    if case.code == 0 and not case.stderr:
        assert result.stderr == ""


JSON_CASES = [case for case in COMMAND_CASES if case.arguments[:1] in (["verify"], ["show"])]


@pytest.mark.parametrize("case", JSON_CASES, ids=lambda case: case.name)
def test_command_with_json_prints_one_document(case, tmp_path):
    known = paths(tmp_path, case.target)
    result = command(*(argument.format(**known) for argument in case.arguments), "--json")
    assert result.returncode == case.code
    if case.name == "bad threads":
        assert result.stdout == ""
        return
    document = json.loads(result.stdout)
    if case.arguments[0] == "verify":
        assert document["ok"] is (case.code == 0)
        assert (document["error"] is None) is (case.code == 0)
    if case.name == "verify":
        assert document["fits_this_machine"]
        assert document["selftest"]["passed"]
        assert document["trust"].startswith("signed by ")
    if case.name == "show":
        assert document == json.loads((tmp_path / "signed" / MANIFEST).read_bytes())


def test_command_sign_then_verify(tmp_path):
    known = paths(tmp_path, TARGET)
    signed = command("sign", known["unsigned"], "--key", tmp_path / "site.key")
    assert signed.returncode == 0, signed.stderr
    verified = command("verify", known["unsigned"], "--trusted-key", known["key"])
    assert verified.returncode == 0, verified.stderr
    assert "signed by" in verified.stdout


def test_command_verify_fails_where_the_selftest_does(tmp_path):
    image, probability = golden_pair()
    folder = write(tmp_path / "tiny", golden=npz(image=image, probability=1 - probability))
    result = command("verify", folder, "--allow-unsigned", "--json")
    assert result.returncode == ArtifactError.exit_code
    assert "the self-test is off by" in result.stderr
    assert json.loads(result.stdout)["selftest"]["passed"] is False


def test_command_into_a_full_device(tmp_path):
    known = paths(tmp_path, TARGET)
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "edge_vessel.artifact", "show", known["signed"],
             "--trusted-key", known["key"], "--json"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert result.returncode == DeviceError.exit_code
    assert result.stderr == "error: stdout: cannot be written: No space left on device\n"


def test_command_whose_reader_leaves(tmp_path):
    known = paths(tmp_path, TARGET)
    reader, pipe_end = os.pipe()
    os.close(reader)
    with os.fdopen(pipe_end, "w") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "edge_vessel.artifact", "show", known["signed"],
             "--trusted-key", known["key"], "--json"],
            cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert result.stderr == ""
