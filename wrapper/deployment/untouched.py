"""A volume that no machine has ever had: marked when EC2 refused the machine it was made for.

Only what is so marked may be made anew in another zone; all else may hold somebody's work, and is
carried there. Nothing weaker than the mark will do: machines that ran can be unknown here (the
command was killed) and forgotten by EC2 (an hour after their end).
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from wrapper.deployment import saving
from wrapper.deployment.data import VOLUME_TYPE
from wrapper.errors import AwsError, RefusedError
from wrapper.terraform import state

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from wrapper.aws import Volume
    from wrapper.deployment.place import Way
    from wrapper.deployment.preparing import Prepared
    from wrapper.home import Home, Record


def is_so(way: Way, record: Record, volume: Volume) -> bool:
    """It is marked, and no machine is known that could have had it all the same."""
    if not volume.untouched or volume.attached_to:
        return False
    return not saving.used_since(way, record, volume.volume_id, volume.created_at)


@contextmanager
def if_refused(home: Home, ready: Prepared) -> Iterator[None]:
    """While a machine may come, no volume is marked; when EC2 has refused it, those are that
    were so before, or are as new as the attempt."""
    aws = ready.way.aws
    there = aws.find_volumes(ready.record.name)
    marked = [one.volume_id for one in there if one.untouched]
    for one in marked:
        aws.mark_untouched(one, untouched=False)
    used = {one.volume_id for one in there if one.volume_id not in marked}
    used |= state.managed(home.path, VOLUME_TYPE).keys() - {*marked}
    try:
        yield
    except RefusedError:
        with suppress(AwsError):  # unmarked, its data is carried along: that is only slower
            _mark(ready, used)
        raise


def _mark(ready: Prepared, used: Collection[str]) -> None:
    aws, record = ready.way.aws, ready.record
    requests = aws.find_spot_requests(record.name)
    machines = {one.instance_id for one in aws.find_instances(record.name)}
    machines |= {one.instance_id for one in requests if one.instance_id}
    if machines - {*record.instance_ids}:
        return  # one came after all
    for one in aws.find_volumes(record.name):
        if one.volume_id not in used and not one.attached_to:
            aws.mark_untouched(one.volume_id, untouched=True)
