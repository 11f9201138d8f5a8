"""What a machine gets once it runs: its address and its data volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.aws.model import DEPLOYMENT_TAG

if TYPE_CHECKING:
    from wrapper.aws.account import Account


def free_address(account: Account, name: str) -> str | None:
    """Allocation id of the deployment's Elastic IP that nothing has; None when there is none."""
    with account.mapped("looking for addresses"):
        found = account.ec2.describe_addresses(
            Filters=[{"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [name]}]
        )["Addresses"]
    return next((one["AllocationId"] for one in found if not one.get("AssociationId")), None)


def associate(account: Account, allocation_id: str, instance_id: str) -> None:
    """The machine has the address. Once more changes nothing:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
    """
    with account.mapped(f"giving {allocation_id} to {instance_id}"):
        account.ec2.associate_address(AllocationId=allocation_id, InstanceId=instance_id)


def attach(account: Account, volume_id: str, instance_id: str, device: str) -> None:
    """The volume is being attached. AwsError when it is already, or the machine does not run."""
    with account.mapped(f"attaching {volume_id} to {instance_id}"):
        account.ec2.attach_volume(Device=device, InstanceId=instance_id, VolumeId=volume_id)
