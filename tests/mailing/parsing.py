"""A message as the standard library reads it, if it finds nothing wrong with it."""

from email import message_from_bytes, policy
from email.message import EmailMessage


def parsed(raw: bytes) -> EmailMessage:
    """The message: without defects, and every line ends as it must."""
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    message = message_from_bytes(raw, policy=policy.default)
    for part in message.walk():
        assert not part.defects
        assert not any(header.defects for _, header in part.items())
    return message


def body(raw: bytes, kind: str) -> str:
    """What its ``plain`` or ``html`` says."""
    part = parsed(raw).get_body((kind,))
    assert part is not None
    return str(part.get_content())
