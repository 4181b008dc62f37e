"""What who ordered a mass mail is told by mail when its recipients are read (product.md, R2)."""

from dataclasses import dataclass, field
from datetime import datetime

from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeJob:
    """A loading that is done, and who is to know.

    It carries ids and counts only, since workflow histories keep it.
    revision: of the loading. to: user id. due: when the first mail may go.
    """

    mass_mail_id: str
    name: str
    revision: int
    account: str
    to: str
    loaded: Loaded
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """id: the same however often it is sent."""

    id: str
    subject: str
    text: str = field(repr=False)


def notice_of(job: NoticeJob, link: str) -> Notice:
    """The notice in words. link: a page about the mass mail; empty: there is none."""
    counts = job.loaded.counts
    lines = [f"{counts.will_receive} of the {counts.selected} recipients selected for '{job.name}' will get it."]
    if counts.excluded:
        lines += ["", "Excluded:"]
        lines += [f"- {Exclusion(code).words}: {number}" for code, number in sorted(counts.excluded.items())]
    if problem := job.loaded.problem:
        lines += ["", "Nothing is sent, for it is stopped:", problem]
    elif job.due:
        lines += ["", f"It is due on {job.due:%Y-%m-%d %H:%M %Z}. Until then it can be edited and stopped."]
    lines += ["", f"It is shown by: serienmail show {job.mass_mail_id}", *([link] if link else [])]
    number = "nobody" if job.loaded.problem else counts.will_receive
    subject = f"{job.name}: its recipients are read, {number} will get it"
    return Notice(f"{job.mass_mail_id}.{job.revision}", subject, "\n".join(lines) + "\n")
