"""A new artifact into the idle slot, proven before it becomes active."""

import shutil
from dataclasses import dataclass, field

from edge_vessel.artifact import MAX_MANIFEST_BYTES, Artifact
from edge_vessel.atomic_folder import put_in_place, write_folder
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import ArtifactError, DeviceError, EdgeVesselError, UsageError
from edge_vessel.lock import locked
from edge_vessel.manifest import MANIFEST, SIGNATURE
from edge_vessel.owner import as_owner
from edge_vessel.signing import SIGNATURE_BYTES
from edge_vessel.slots import state as states
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.opening import Trust, release_of, runs
from edge_vessel.slots.state import Release, State
from edge_vessel.slots.trial_run import SelfTestLimits, prove

TRIAL_STARTS = 3


@dataclass(frozen=True)
class Rules:
    """How an installation goes. `trial_starts` is how often a trial may start unconfirmed."""

    allow_downgrade: bool = False
    trial_starts: int = TRIAL_STARTS
    selftest: SelfTestLimits = field(default_factory=SelfTestLimits)


def install(layout: Layout, source: Artifact, trust: Trust, rules: Rules) -> State:
    """Copies `source`, proves the copy by the golden self-test, and makes it active, on trial.

    The active slot's files are not touched, and the idle slot's not before the copy has passed. A
    kill or a full disk at any step leaves the old release active, or the new one; what it leaves in
    `incoming` the next installation removes. An artifact that is active already changes nothing.
    In a folder of another user's root writes as that user.

    Raises:
        ArtifactError: it does not fit this machine, fails its self-test, is older than what ran
            here, or the state is damaged.
        UsageError: another release is still on trial.
        DeviceError: another installation is at work, or the disk is full or failing.
    """
    source.check_target()
    release = release_of(source)
    try:
        with as_owner(layout.root):
            layout.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(
            f"{layout.root}: cannot be made: {error.strerror}; name another folder with --slots"
        ) from error
    with locked(layout.installing, "another installation"):
        state = states.read(layout)
        if runs(layout, state, release, trust):
            return state
        refuse(layout, state, release, rules.allow_downgrade)
        stage(layout, source)
        try:
            seen = prove(layout.incoming, trust, rules.selftest)
            if seen != release.manifest_sha256:
                raise ArtifactError(f"{layout.incoming}: was changed while it was tested")
        except EdgeVesselError:
            with as_owner(layout.root):
                shutil.rmtree(layout.incoming, ignore_errors=True)
            raise
        return activate(layout, release, rules)


def refuse(layout: Layout, state: State, release: Release, allow_downgrade: bool) -> None:
    """Returns where `release` may be installed over `state`.

    Raises:
        UsageError: another release is on trial: its fallback lies in the idle slot.
        ArtifactError: it is older than the newest of its name that was confirmed here, or another
            artifact of the same version.
    """
    if state.starts_left is not None:
        raise UsageError(
            f"{state.active} is on trial: edge-vessel slots confirm, or revert, then install"
        )
    newest = next((known for known in state.newest if known.name == release.name), None)
    if allow_downgrade or newest is None or release == newest:
        return
    if release.version <= newest.version:
        raise ArtifactError(
            f"{layout.root}: {newest} ran here and {release} is no newer: build it with a higher "
            "version, or --allow-downgrade"
        )


def stage(layout: Layout, source: Artifact) -> None:
    """Writes the verified bytes of `source` to `incoming`; fsynced when it returns.

    Raises:
        ArtifactError: the source was changed since it was opened.
        DeviceError: the disk is full or failing.
    """
    files = {record.name: source.read(record.name) for record in source.manifest.files}
    files[MANIFEST] = read_regular(source.folder / MANIFEST, MAX_MANIFEST_BYTES, ArtifactError)
    signature = source.folder / SIGNATURE
    if signature.exists():
        files[SIGNATURE] = read_regular(signature, SIGNATURE_BYTES, ArtifactError)
    with as_owner(layout.root):
        for rest in [layout.incoming, *layout.root.glob(f".{layout.incoming.name}.*")]:
            shutil.rmtree(rest, ignore_errors=True)
        write_folder(layout.incoming, files)


def activate(layout: Layout, release: Release, rules: Rules) -> State:
    """Puts `incoming` in the idle slot and, by one rename, the state that makes it active.

    Until that rename the state names the old release. Where it names what was in the idle slot as
    its fallback, the hash of the manifest shows that this is gone.

    Raises:
        UsageError, ArtifactError: as `refuse`: the state has changed meanwhile.
        DeviceError: the disk is full or failing.
    """

    def put(state: State) -> State:
        refuse(layout, state, release, rules.allow_downgrade)
        put_in_place(layout.incoming, layout.slot(state.idle))
        return state.installed(release, rules.trial_starts)

    with as_owner(layout.root):
        state = states.change(layout, put)
        shutil.rmtree(layout.incoming, ignore_errors=True)
    return state
