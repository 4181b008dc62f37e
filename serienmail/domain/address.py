"""Mail addresses as a CRM holds them: trimmed, checked, and never rewritten beyond that."""

from collections.abc import Sequence

from email_validator import EmailNotValidError, validate_email


def address_key(address: str) -> str | None:
    """The key under which two spellings are one mailbox: domain as A-labels, local part casefolded.

    None if the address is empty or can't be mailed to. RFC 5321 2.4 lets a server distinguish the case of a local
    part, but none in use does, and two mails to one person are worse than a lost distinction.
    """
    try:
        parsed = validate_email(address.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return f"{parsed.local_part.casefold()}@{parsed.ascii_domain.lower()}"


def preferred(addresses: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Of a record's addresses, in their order, the one that its mails go to, and the keys of its others.

    It is the first that can be mailed to; if none can, the first that there is, so that its exclusion says why.
    """
    filled = [address for address in addresses if address]
    if len(filled) < 2:
        return "".join(filled), ()
    usable: dict[str, str] = {}
    for address in filled:
        if key := address_key(address):
            usable.setdefault(key, address)
    if not usable:
        return filled[0], ()
    first, *others = usable
    return usable[first], tuple(others)
