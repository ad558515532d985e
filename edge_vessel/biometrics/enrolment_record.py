"""What the store knows of a template besides the template."""

import argparse
import re
from dataclasses import dataclass, field
from typing import Annotated

from edge_vessel.errors import UsageError
from edge_vessel.json_reader import Form
from edge_vessel.manifest import UtcTime

_SUBJECT_FORM = r"[a-z0-9][a-z0-9._-]{0,63}"
_SUBJECT_MEANING = "1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit"
# Lower case alone: "Anna" and "anna" would be two people to the store, and one to the operator.
SubjectId = Annotated[str, Form(_SUBJECT_FORM, _SUBJECT_MEANING)]
TemplateId = Annotated[str, Form(r"[0-9a-f]{16}", "a template's id: 16 hex digits")]


@dataclass(frozen=True)
class Enrolment:
    """One row of the store. `version` is the template format's."""

    subject: SubjectId
    template_id: TemplateId
    version: int
    enrolled_at: UtcTime

    def associated_data(self) -> bytes:
        """What AES-GCM binds the sealed template to; no field can hold the separator."""
        fields = (self.subject, self.template_id, str(self.version), self.enrolled_at)
        return "\0".join(fields).encode()


@dataclass(frozen=True)
class StoredTemplate:
    """An enrolment with its opened template."""

    enrolment: Enrolment
    content: bytes = field(repr=False)


def check_subject(subject: str) -> str:
    """Returns it.

    Raises:
        UsageError: it has not the form of a subject id.
    """
    if not re.fullmatch(_SUBJECT_FORM, subject):
        raise UsageError(f"{subject[:80]!r}: is no subject id: {_SUBJECT_MEANING}")
    return subject


def subject_id(text: str) -> str:
    """An argparse type."""
    try:
        return check_subject(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
