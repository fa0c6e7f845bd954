"""What can go wrong, in three kinds with a closed set of reasons each.

A reason is also a metric label, so it never carries data of a request.
"""

from enum import StrEnum


class Refusal(StrEnum):
    """Why a request was refused; the caller's fault, and final until the caller changes it."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_DOUBLED = "signature_doubled"
    SIGNATURE_WRONG = "signature_wrong"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    NOT_A_FORM = "not_a_form"
    INVALID_UTF8 = "invalid_utf8"
    MISSING_PARAMETER = "missing_parameter"
    ABSURD_VALUE = "absurd_value"
    UNKNOWN_NUMBER = "unknown_number"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"


class Trouble(StrEnum):
    """Why the store or the spool could not take something now."""

    STORE_BUSY = "store_busy"
    STORE_DEADLINE = "store_deadline"
    STORE_DOWN = "store_down"
    STORE_CONFLICT = "store_conflict"
    STORE_FAULT = "store_fault"
    STORE_CLOSED = "store_closed"
    SPOOL_FULL = "spool_full"
    SPOOL_FAULT = "spool_fault"


class GatewayError(Exception):
    """The root of every error this project raises on purpose."""


class Refused(GatewayError):
    """The request was refused: ``reason`` says why, ``detail`` what a developer should look at.

    ``detail`` goes into the problem document that a stranger reads: it never holds values.
    """

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class Transient(GatewayError):
    """It did not work now and may work later; what it was about is not lost by trying again."""

    def __init__(self, reason: Trouble, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class Permanent(GatewayError):
    """It will not work, however often it is tried."""

    def __init__(self, reason: Trouble, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class InvalidTransition(GatewayError):
    """A call was asked to move against its state table."""


class Misconfigured(GatewayError):
    """Configuration or a provisioning file is wrong; ``problems`` holds one line for each error."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
