"""What a client may ask, and nothing else: unknown fields are refused, every length is closed."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge_vessel.kiosk.operations import Asked

MAX_CAPTURES = 8
MAX_TIMEOUT_S = 120.0
Subject = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", max_length=64)]
Nonce = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$", max_length=64)]
Timeout = Annotated[float, Field(ge=0.1, le=MAX_TIMEOUT_S, allow_inf_nan=False)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    nonce: Nonce


class Enrol(_Request):
    """`timeout_s` is for all captures together, from the start of the first."""

    subject: Subject
    captures: Annotated[int, Field(ge=1, le=MAX_CAPTURES)] = 3
    timeout_s: Timeout = 30.0

    def asked(self) -> Asked:
        return Asked("enrol", self.subject, self.nonce, self.timeout_s, self.captures)


class Verify(_Request):
    """One to one."""

    subject: Subject
    timeout_s: Timeout = 20.0

    def asked(self) -> Asked:
        return Asked("verify", self.subject, self.nonce, self.timeout_s)


class Identify(_Request):
    """One to many."""

    timeout_s: Timeout = 20.0

    def asked(self) -> Asked:
        return Asked("identify", None, self.nonce, self.timeout_s)
