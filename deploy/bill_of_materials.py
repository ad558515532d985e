"""What a bundle is made of, after CycloneDX 1.6 (ECMA-424)."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from deploy.wheels import Wheel
from edge_vessel.artifact import Artifact

_NAMESPACE = uuid.UUID("6f0a3c1e-52d6-4f4e-9a0c-2f6f0f0f5b1d")


def bill_of_materials(
    name: str, version: str, wheels: Sequence[Wheel], artifacts: Sequence[Artifact], created: str
) -> str:
    """JSON; the same components give the same text.

    Args:
        name: of the bundle.
        version: of edge_vessel.
        wheels: all of them.
        artifacts: all of them.
        created: UTC, such as 2026-01-31T12:00:00Z.
    """
    components = [_wheel(one) for one in wheels] + [_artifact(one) for one in artifacts]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "component": {
                "type": "application", "name": name, "version": version, "bom-ref": "bundle",
            },
        },
        "components": components,
        "dependencies": [
            {"ref": "bundle", "dependsOn": [one["bom-ref"] for one in components]}
        ],
    }  # fmt: skip
    serial = uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))
    return json.dumps({"serialNumber": f"urn:uuid:{serial}", **document}, indent=1) + "\n"


def _wheel(wheel: Wheel) -> dict[str, Any]:
    address = f"pkg:pypi/{wheel.name}@{wheel.version}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": address,
        "name": wheel.name,
        "version": wheel.version,
        "purl": address,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
    }
    if wheel.licence is not None:
        found["licenses"] = [{"license": {"name": wheel.licence}}]
    return found


def _artifact(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "type": "machine-learning-model",
        "bom-ref": f"artifact:{manifest.name}@{manifest.version}",
        "name": manifest.name,
        "version": str(manifest.version),
        "hashes": [{"alg": "SHA-256", "content": artifact.manifest_sha256}],
        "licenses": [{"license": {"name": manifest.licence}}],
    }
