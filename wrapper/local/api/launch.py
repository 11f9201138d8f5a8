"""What a launch may ask for, on demand and at the spot price alike.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html and the error codes of
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from wrapper.local.api.capacity import offered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wrapper.local.api.backend import Ec2

USER_DATA_BYTES: Final = 16384
"""Before base64: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html"""


def check_launch(
    backend: Ec2,
    *,
    image_id: str,
    user_data: object,
    request: Mapping[str, Any],
    prefer: Callable[[str], bool] = lambda _: True,
) -> Any:
    """EC2 could launch this, and the answer is the subnet it chose; EC2ClientError otherwise.

    Keys of `request` are moto's: instance_type, subnet_id, nics, placement, key_name. Where the
    zone is EC2's to choose it is one to `prefer`, if there is one.
    """
    instance_type = request["instance_type"]
    facts = INSTANCE_TYPES.get(instance_type)
    if facts is None:
        raise EC2ClientError(
            "InvalidParameterValue", f"Invalid value '{instance_type}' for InstanceType."
        )
    image = backend.launchable(image_id)
    _check_architecture(image, facts)
    subnet = choose_subnet(backend, request, prefer)
    _check_zone(backend, instance_type, subnet.availability_zone)
    if request.get("key_name"):
        backend.describe_key_pairs(key_names=[request["key_name"]])
    if user_data and len(base64.b64decode(str(user_data))) > USER_DATA_BYTES:
        raise EC2ClientError(
            "InvalidParameterValue", f"User data is limited to {USER_DATA_BYTES} bytes"
        )
    return subnet


def _check_architecture(image: Any, facts: Mapping[str, Any]) -> None:
    supported = facts["ProcessorInfo"]["SupportedArchitectures"]
    if image.architecture not in supported:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture '{','.join(supported)}' of the specified instance type does not "
            f"match the architecture '{image.architecture}' of the specified AMI. Specify an "
            "instance type and an AMI that have matching architectures, and try again.",
        )


def choose_subnet(backend: Ec2, request: Mapping[str, Any], prefer: Callable[[str], bool]) -> Any:
    """The subnet asked for, or the default VPC's in the zone asked for or a fitting one."""
    subnet_id = request.get("subnet_id") or next(
        (nic["SubnetId"] for nic in request.get("nics") or [] if "SubnetId" in nic), None
    )
    if subnet_id:
        return backend.get_subnet(subnet_id)
    vpc = backend.get_default_vpc()
    if vpc is None:
        raise EC2ClientError(
            "VPCIdNotSpecified",
            "No default VPC for this user. GroupName is only supported for EC2-Classic and "
            "default VPC.",
        )
    subnets = {
        one.availability_zone: one for one in backend.describe_subnets() if one.vpc_id == vpc.id
    }
    zones = [request["placement"]] if request.get("placement") else sorted(subnets)
    fitting = offered(backend.region_name, request["instance_type"])
    zones = [zone for zone in zones if zone in fitting] or zones
    for zone in sorted(zones, key=lambda zone: not prefer(zone)):
        if zone in subnets:
            return subnets[zone]
    raise EC2ClientError("MissingInput", f"No default subnet for availability zone: '{zones}'.")


def _check_zone(backend: Ec2, instance_type: str, zone: str) -> None:
    zones = offered(backend.region_name, instance_type)
    if zone not in zones:
        raise EC2ClientError(
            "Unsupported",
            f"Your requested instance type ({instance_type}) is not supported in your requested "
            f"Availability Zone ({zone}). Please retry your request by not specifying an "
            f"Availability Zone or choosing {', '.join(zones)}.",
        )


def block_devices(image: Any, asked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The image's devices with what was asked for laid over them; EC2ClientError if too small.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
    """
    devices = {one["DeviceName"]: dict(one["Ebs"]) for one in image.block_device_mappings}
    for mapping in asked:
        name = mapping["DeviceName"]
        if mapping.get("NoDevice") == "":
            devices.pop(name, None)
            continue
        devices[name] = {**devices.get(name, {}), **mapping.get("Ebs", {})}
    for name, ebs in devices.items():
        _check_size(name, ebs, image)
    return [{"DeviceName": name, "Ebs": ebs} for name, ebs in devices.items()]


def _check_size(name: str, ebs: Mapping[str, Any], image: Any) -> None:
    for mapping in image.block_device_mappings:
        least = mapping["Ebs"]["VolumeSize"]
        if mapping["DeviceName"] == name and int(ebs["VolumeSize"]) < least:
            raise EC2ClientError(
                "InvalidBlockDeviceMapping",
                f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot "
                f"'{mapping['Ebs']['SnapshotId']}', expect size >= {least}GB",
            )


def metadata_options(image: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the image says, unless the launch says otherwise.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html#configure-IMDS-new-instances-ami-configuration
    """
    by_image = (
        {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
        if getattr(image, "imds_support", None) == "v2.0"
        else {}
    )
    return {**by_image, **asked}
