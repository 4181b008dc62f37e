"""Mail addresses as a CRM holds them: trimmed, checked, and never rewritten beyond that."""

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
