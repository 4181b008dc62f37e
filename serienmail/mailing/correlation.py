"""Finds the mail that something is about, by the tokens that only we could have written."""

import re
from itertools import islice

from serienmail.domain.delivery import MailRef
from serienmail.mailing.links import LinkKind, Links

_TOKENS = {
    LinkKind.BOUNCE: re.compile(r"b\+(b[\w-]{35})@", re.ASCII),
    LinkKind.MESSAGE: re.compile(r"(?<![\w-])(m[\w-]{35})(?![\w-])", re.ASCII),  # Message-ID or ENVID
}
_MOST_TRIED = 20  # of one kind in one text: each costs an HMAC


def find_mail(links: Links, *texts: str) -> MailRef | None:
    """The mail that one of these texts names; None if none of them has a token of ours.

    Envelope addresses (VERP) count before Message-IDs, and a text before the next one.
    """
    for kind, pattern in _TOKENS.items():
        for text in texts:
            for found in islice(pattern.finditer(text), _MOST_TRIED):
                if ref := links.read(kind, found[1]):
                    return ref
    return None
