"""What an answer to a mail of ours says of itself, from its header: whoever wants to answer it must know (RFC 3834)."""

import re
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses

from serienmail.domain.auto_answer import Incoming

_MOST_READ = 65_536  # bytes of a header
_LONGEST_FIELD = 998
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")


def read_incoming(data: bytes) -> Incoming:
    """From a mail's bytes; whatever they are, it ends soon and without an exception."""
    head = re.split(rb"\r?\n\r?\n", data[:_MOST_READ], maxsplit=1)[0]
    message = BytesHeaderParser().parsebytes(head + b"\n\n")
    senders = {address for _, address in getaddresses([_field(message, "From")])}
    message_id = _field(message, "Message-ID")
    return Incoming(
        sender=senders.pop() if len(senders) == 1 else "",
        from_nobody=_field(message, "Return-Path") == "<>",
        auto_submitted=_field(message, "Auto-Submitted"),
        precedence=_field(message, "Precedence"),
        of_list=any(name.lower().startswith("list-") for name in message),
        unwanted="X-Auto-Response-Suppress" in message,
        message_id=message_id if _MESSAGE_ID.fullmatch(message_id) else "",
    )


def _field(message: Message, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())[:_LONGEST_FIELD]
