"""The error tree: whose fault it is, and the exit code that says so."""


class EdgeVesselError(Exception):
    """A foreseeable fault. Its text is one line: file, value, next step."""

    exit_code = 1


class UsageError(EdgeVesselError):
    """The call or its input is wrong: a flag, a missing file, an unreadable image."""

    exit_code = 2


class DeviceError(EdgeVesselError):
    """The machine failed: camera, meter, accelerator, disk, port."""

    exit_code = 3


class ArtifactError(EdgeVesselError):
    """The artifact is damaged, unsigned, untrusted or made for another machine."""

    exit_code = 4


def kind_of(exit_code: int) -> type[EdgeVesselError]:
    """The error that a process of ours ended with; DeviceError where the code is none of theirs."""
    kinds = (UsageError, DeviceError, ArtifactError)
    return next((kind for kind in kinds if kind.exit_code == exit_code), DeviceError)
