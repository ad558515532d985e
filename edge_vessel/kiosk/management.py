"""GET and DELETE /v1/subjects, GET /v1/audit: for operators."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query

from edge_vessel.biometrics.audit_line import parse
from edge_vessel.biometrics.audit_verify import verify
from edge_vessel.biometrics.receipt import Receipt
from edge_vessel.errors import UsageError
from edge_vessel.kiosk.access import Operator, TheKiosk
from edge_vessel.kiosk.answers import AuditReport, Fault, SubjectEntry, Subjects

_FAULTS: dict[int | str, dict[str, Any]] = {
    401: {"model": Fault}, 403: {"model": Fault}, 404: {"model": Fault}, 422: {"model": Fault},
    503: {"model": Fault},
}  # fmt: skip
router = APIRouter(responses=_FAULTS, tags=["management"])
_Subject = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", max_length=64)]


@router.get("/v1/subjects")
def subjects(kiosk: TheKiosk, _: Operator) -> Subjects:
    """Who is enrolled."""
    found = kiosk.recognition.enrolled()
    return Subjects(tuple(SubjectEntry(one.subject, one.version, one.enrolled_at) for one in found))


@router.delete("/v1/subjects/{subject}")
def delete(subject: _Subject, kiosk: TheKiosk, _: Operator) -> Receipt:
    """Removes the subject for good; the receipt is the only copy."""
    try:
        return kiosk.delete(subject)
    except UsageError as error:
        raise HTTPException(404, str(error)) from error


@router.get("/v1/audit")
def audit(
    kiosk: TheKiosk, _: Operator, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> AuditReport:
    """The last lines of the audit file; the whole file is checked."""
    head, content = kiosk.audit.snapshot()
    key = kiosk.audit.key
    lines = (parse(one, key) for one in content.splitlines(keepends=True)[-limit:])
    return AuditReport.of(
        tuple(line for line in lines if line is not None), verify(content, head, key)
    )
