"""Reading requests about volumes and snapshots, and writing the answers, where moto falls short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrapper.local.api.backend import Ec2

_enriched: Final[Any] = vars(BaseResponse)["_enrich_response"].__func__


class StorageActions(EC2Response):
    """The actions of EC2 on block storage."""

    backends: ClassVar[Mapping[str, Mapping[str, Ec2]]]

    @property
    def ec2_backend(self) -> Ec2:
        return self.backends[self.current_account][self.region]

    @staticmethod
    def _enrich_response(headers: dict[str, str], body: Any) -> tuple[dict[str, str], Any]:
        # Moto tries at every letter whether a mark is there that EC2's answers do not have.
        marked = not isinstance(body, str) or "<RequestId>" in body
        headers, enriched = _enriched(headers, body if marked else "")
        return headers, enriched if marked else body

    def create_volume(self) -> ActionResult:
        tags = self._parse_tag_specification().get("volume", {})
        self.error_on_dryrun()
        volume = self.ec2_backend.create_volume(
            self._get_param("Size"),
            self._get_param("AvailabilityZone"),
            snapshot_id=self._get_param("SnapshotId") or None,
            encrypted=bool(self._get_bool_param("Encrypted", False)),
            kms_key_id=self._get_param("KmsKeyId"),
            volume_type=self._get_param("VolumeType"),
            iops=self._get_param("Iops"),
            throughput=self._get_param("Throughput"),
        )
        self.ec2_backend.provide(volume)
        volume.add_tags(tags)
        return ActionResult(volume)

    def attach_volume(self) -> ActionResult:
        volume_id, instance_id = self._get_param("VolumeId"), self._get_param("InstanceId")
        self.error_on_dryrun()
        return _attachment(
            self.ec2_backend.attach(volume_id, instance_id, self._get_param("Device"))
        )

    def detach_volume(self) -> ActionResult:
        self.error_on_dryrun()
        return _attachment(
            self.ec2_backend.detach(
                self._get_param("VolumeId"),
                self._get_param("InstanceId"),
                self._get_param("Device"),
                force=bool(self._get_bool_param("Force", False)),
            )
        )

    def modify_volume(self) -> ActionResult:
        named = {
            "size": self._get_param("Size"),
            "volume_type": self._get_param("VolumeType"),
            "iops": self._get_param("Iops"),
            "throughput": self._get_param("Throughput"),
        }
        self.error_on_dryrun()
        target = {name: value for name, value in named.items() if value is not None}
        modification = self.ec2_backend.modify(self._get_param("VolumeId"), target)
        return ActionResult({"VolumeModification": modification})

    def create_snapshot(self) -> ActionResult:
        tags = self._parse_tag_specification().get("snapshot", {})
        self.error_on_dryrun()
        snapshot = self.ec2_backend.take_snapshot(
            self._get_param("VolumeId"), self._get_param("Description") or ""
        )
        snapshot.add_tags(tags)
        return ActionResult(snapshot)

    def copy_snapshot(self) -> ActionResult:
        tags = self._parse_tag_specification().get("snapshot", {})
        region, source_id = self._get_param("SourceRegion"), self._get_param("SourceSnapshotId")
        self.error_on_dryrun()
        try:
            source = self.backends[self.current_account][region].get_snapshot(source_id)
        except KeyError as error:
            raise EC2ClientError("InvalidParameterValue", f"Invalid region: {region}") from error
        snapshot = self.ec2_backend.take_copy(
            source,
            self._get_param("Description") or "",
            encrypted=bool(self._get_bool_param("Encrypted", False)),
            kms_key_id=self._get_param("KmsKeyId"),
        )
        snapshot.add_tags(tags)
        return ActionResult({"SnapshotId": snapshot.id, "Tags": snapshot.tag_set})

    def create_snapshots(self) -> ActionResult:
        raise NotImplementedError  # moto's would be snapshots of nothing

    def describe_snapshots(self) -> ActionResult:
        found = self.ec2_backend.describe_snapshots(
            self._get_param("SnapshotIds", []),
            self._filters_from_querystring(),
            self._get_param("OwnerIds", []),
        )
        return ActionResult({"Snapshots": found})


def _attachment(attachment: Any) -> ActionResult:
    return ActionResult(
        {
            "AttachTime": attachment.attach_time,
            "DeleteOnTermination": attachment.delete_on_termination,
            "Device": attachment.device,
            "InstanceId": attachment.instance.id,
            "State": attachment.status,
            "VolumeId": attachment.volume.id,
        }
    )
