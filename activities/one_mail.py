"""A mail that belongs to no slice: it takes turns with mass mails as if it were one."""

import asyncio

from activities.sending import Post
from serienmail.domain.delivery import Answer, Claimed
from serienmail.domain.errors import ServerUnreachable

SLOT_WITHIN = 10.0
"""Seconds."""


async def deliver_in_turn(post: Post, claimed: Claimed, turn: str) -> Answer:
    """As Post.deliver; ServerUnreachable if the account has no connection for it in time. turn: whose, for fairness."""
    async with post.in_use(turn):
        try:
            async with asyncio.timeout(SLOT_WITHIN):
                await post.slots.take(turn)
        except TimeoutError:
            raise ServerUnreachable("all connections of the account are in use; it will be tried again.") from None
        try:
            return await post.deliver(claimed)
        finally:
            post.slots.give_back()
