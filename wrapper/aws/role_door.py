"""The part of `Aws` that is about what a machine may do in AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.aws import buckets, leftovers, roles

if TYPE_CHECKING:
    from wrapper.aws.account import Account
    from wrapper.aws.model import Leftover


class RoleDoor:
    """Raises what `Aws` does."""

    _account: Account

    def check_bucket(self, place: str) -> str | None:
        """NAME/PREFIX can be had. RequestError: no such bucket. What could not be seen of it."""
        return buckets.check(self._account, place)

    def give_profile(self, instance_id: str, profile: str) -> bool:
        """The running machine has the instance profile; False when it had one before."""
        return roles.give(self._account, instance_id, profile)

    def find_challenges(self, name: str) -> list[Leftover]:
        """Records with which the machine proved its domain, and that are still there."""
        return leftovers.find_challenges(self._account, name)
