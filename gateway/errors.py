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
    # the API
    UNAUTHENTICATED = "unauthenticated"
    UNKNOWN_BEARER = "unknown_bearer"
    ROLE_NOT_ALLOWED = "role_not_allowed"
    OUT_OF_SCOPE = "out_of_scope"
    UNKNOWN_PARAMETER = "unknown_parameter"
    DOUBLED_PARAMETER = "doubled_parameter"
    INVALID_PARAMETER = "invalid_parameter"
    INVALID_CURSOR = "invalid_cursor"
    NOT_JSON = "not_json"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_FIELD = "invalid_field"
    MEDIA_TYPE = "media_type"
    INVALID_KEY = "invalid_idempotency_key"
    KEY_REUSED = "idempotency_key_reused"
    # LINE
    TOO_DEEP = "too_deep"
    WRONG_DESTINATION = "wrong_destination"
    UNKNOWN_CHANNEL = "unknown_channel"
    # coupons
    COUPON_USED = "coupon_used"
    COUPON_EXPIRED = "coupon_expired"
    COUPON_VOID = "coupon_void"
    COUPON_STAMPED_OTHERWISE = "coupon_stamped_otherwise"
    COUPON_NOT_STAMPED = "coupon_not_stamped"
    COUPON_PIN_WRONG = "coupon_pin_wrong"
    COUPON_PIN_LOCKED = "coupon_pin_locked"
    # shop cards, and who scans them
    CODE_EXPIRED = "code_expired"
    CODE_USED = "code_used"
    CODE_FORGED = "code_forged"
    CODE_OTHER_SHOP = "code_other_shop"
    TOO_SOON = "too_soon"
    PRINTED_LIMIT = "printed_limit"
    NOT_FRIEND = "not_friend"
    PIN_WRONG = "pin_wrong"
    PIN_LOCKED = "pin_locked"
    CARD_FULL = "card_full"
    CARD_EXPIRED = "card_expired"
    ALREADY_UNDONE = "already_undone"
    ID_TOKEN_INVALID = "id_token_invalid"
    ID_TOKEN_OTHER_CHANNEL = "id_token_other_channel"
    CLIENT_CLAIMED_USER = "client_claimed_user"

    # tags, pushes and links
    UNKNOWN_REFERENCE = "unknown_reference"
    MESSAGE_INVALID = "message_invalid"
    NOT_IN_ONE = "not_in_one"
    QUOTA_TOO_SMALL = "quota_too_small"
    TOO_MANY_UNITS = "too_many_units"
    STOPS_PRESENT = "stops_present"
    PUSH_OVER = "push_over"
    UNKNOWN_CODE = "unknown_code"
    # surveys and the inbox
    SURVEY_ANSWERED = "survey_answered"
    SURVEY_CLOSED = "survey_closed"
    SURVEY_INVALID = "survey_invalid"
    FRIEND_GONE = "friend_gone"
    CONTENT_GONE = "content_gone"
    # the outbox
    PAYLOAD_GONE = "payload_gone"
    TOKEN_GONE = "token_gone"
    # mail
    ADDRESS_INVALID = "address_invalid"
    CONSENT_MISSING = "consent_missing"
    CONSENT_INVALID = "consent_invalid"
    RECIPIENT_STOPPED = "recipient_stopped"
    FILE_INVALID = "file_invalid"
    IMPORT_OVER = "import_over"
    TEMPLATE_INVALID = "template_invalid"
    CONTENT_TOO_LARGE = "content_too_large"
    CHARACTERS_LACKING = "characters_lacking"
    DISPLAY_ITEM_MISSING = "display_item_missing"
    ATTACHMENT_INVALID = "attachment_invalid"
    HEADER_INVALID = "header_invalid"
    VALUE_MISSING = "value_missing"
    VALUE_UNWRITABLE = "value_unwritable"
    VALUE_TOO_LONG = "value_too_long"
    LAW_UNCONFIRMED = "law_unconfirmed"
    MAIL_UNCHECKED = "mail_unchecked"
    MAIL_UNALIGNED = "mail_unaligned"
    CAMPAIGN_STATE = "campaign_state"
    EXPORT_FORBIDDEN = "export_forbidden"
    SENDS_HALTED = "sends_halted"
    TOO_MANY_TRIALS = "too_many_trials"
    TOO_MANY_PREVIEWS = "too_many_previews"
    # mail that comes in
    MAILBOX_UNKNOWN = "mailbox_unknown"
    TAG_FORGED = "tag_forged"
    TAG_EXPIRED = "tag_expired"
    NOT_A_REPORT = "not_a_report"
    AUTOMATIC_MAIL = "automatic_mail"
    NOT_EMPTY = "not_empty"
    SENDER_UNCLEAR = "sender_unclear"
    BARE_NEWLINE = "bare_newline"
    LINE_TOO_LONG = "line_too_long"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_COMMANDS = "too_many_commands"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    TOO_SILENT = "too_silent"


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
    # other platforms
    PLATFORM_REFUSED = "platform_refused"
    PLATFORM_MISSING = "platform_missing"
    PLATFORM_GONE = "platform_gone"
    PLATFORM_QUOTA = "platform_quota"
    PLATFORM_BUSY = "platform_busy"
    PLATFORM_DOWN = "platform_down"
    LOGIN_DOWN = "login_down"
    # mail
    PRESS_DOWN = "press_down"
    DNS_DOWN = "dns_down"


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
