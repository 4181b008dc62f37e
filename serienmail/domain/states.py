"""The states of a mass mail and of each recipient, and the folders people find them in."""

from enum import StrEnum


class MassMailState(StrEnum):
    """Where a mass mail is in its life (product.md, States)."""

    WAITING_FOR_PROCESSING = "waiting_for_processing"
    LOADING = "loading"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    WAITING_TO_CONTINUE = "waiting_to_continue"
    FOLLOWING_UP = "following_up"
    STOPPING = "stopping"
    STOPPED = "stopped"
    INCOMPLETE = "incomplete"
    INCOMPLETE_WITH_ERRORS = "incomplete_with_errors"
    FINISHED = "finished"
    FINISHED_AUTOMATICALLY = "finished_automatically"
    DELETED = "deleted"

    @property
    def is_final(self) -> bool:
        """Nothing more happens, and nothing can be changed."""
        return self in _FINAL

    @property
    def folder(self) -> "Folder":
        """The folder it lies in (product.md, R9)."""
        return _FOLDERS.get(self, Folder.SCHEDULED)


class Folder(StrEnum):
    """Where people look for a mass mail."""

    SCHEDULED = "scheduled"
    SENT = "sent"
    STOPPED = "stopped"
    DELETED = "deleted"


_FINAL = {MassMailState.FINISHED, MassMailState.FINISHED_AUTOMATICALLY, MassMailState.DELETED}
_FOLDERS = {
    MassMailState.SENDING: Folder.SENT,
    MassMailState.WAITING_TO_CONTINUE: Folder.SENT,
    MassMailState.FOLLOWING_UP: Folder.SENT,
    MassMailState.INCOMPLETE: Folder.SENT,
    MassMailState.INCOMPLETE_WITH_ERRORS: Folder.SENT,
    MassMailState.FINISHED: Folder.SENT,
    MassMailState.FINISHED_AUTOMATICALLY: Folder.SENT,
    MassMailState.STOPPING: Folder.STOPPED,
    MassMailState.STOPPED: Folder.STOPPED,
    MassMailState.DELETED: Folder.DELETED,
}


class DeliveryState(StrEnum):
    """Where one mail to one recipient is."""

    PENDING = "pending"
    EXCLUDED = "excluded"
    HANDING_OVER = "handing_over"
    SENT = "sent"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"  # in doubt: handed over, answer never seen
    CANCELLED = "cancelled"


OPEN_STATES = (DeliveryState.PENDING, DeliveryState.DEFERRED)
"""Not handed over yet, but due to be."""
