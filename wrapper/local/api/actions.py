"""Reading requests and writing answers where moto does it otherwise than EC2.

The query protocol itself, and every action not named here, is moto's.
"""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore import xform_name
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError

from wrapper.local.api.answers import Answer
from wrapper.local.api.ids import check_ids
from wrapper.local.api.image_actions import ImageActions
from wrapper.local.api.market_actions import MarketActions
from wrapper.local.api.network import check_associable
from wrapper.local.api.spot_request import tags_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import RLock

    from wrapper.local.api.repeats import Repeats

METADATA_OPTIONS = (
    "HttpTokens",
    "HttpPutResponseHopLimit",
    "HttpEndpoint",
    "HttpProtocolIpv6",
    "InstanceMetadataTags",
)

SERVER_ERRORS: Final[dict[object, int]] = {
    "InsufficientInstanceCapacity": 500,
    "RequestLimitExceeded": 503,
}
"""Codes that EC2 lists as its own errors: clients try again by themselves, Terraform for long.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html#api-error-codes-table-server
"""

REFUSED: Final = {
    "denied": ("UnauthorizedOperation", "You are not authorized to perform this operation."),
    "throttled": ("RequestLimitExceeded", "Request limit exceeded."),
}

log = logging.getLogger("jupyter-clouds.api")


class Actions(ImageActions, MarketActions):
    """The actions of EC2, one at a time. `app.create_app` makes a subclass that has a backend."""

    lock: ClassVar[RLock]
    repeats: ClassVar[Repeats]

    def call_action(self) -> Any:
        with self.lock:
            try:
                if refused := self.ec2_backend.room.refusals.take(f"ec2:{self._get_action()}"):
                    return self._refusal(*REFUSED[refused])
                check_ids(self._get_params())
                self.ec2_backend.lifecycle.refresh()
                answer = self.repeats.once(self._get_action(), self.headers, super().call_action)
                self.ec2_backend.lifecycle.push()
            except ServiceException as error:
                return self.serialized(ActionResult(error))
            except NotImplementedError:
                return self._refusal(
                    "InvalidAction",
                    f"The action {self._get_action()} is not valid for this web service.",
                )
            except Exception as error:
                # 400, not 500: clients would retry a bug of ours for minutes.
                log.exception("%s", self._get_action())
                return self._refusal(
                    "InternalError", f"the embedded EC2 failed: {error!r}; its log says more"
                )
            return answer

    def _refusal(self, code: str, message: str) -> Any:
        return self.serialized(ActionResult(EC2ClientError(code, message)))

    def serialized(self, action_result: ActionResult) -> Any:
        status, headers, body = super().serialized(Answer(action_result))
        code = getattr(action_result.result, "code", None)
        return SERVER_ERRORS.get(code, status), headers, body

    def _parse_block_device_mapping(self) -> list[dict[str, Any]]:
        # As sent: moto's own reading turns what was not said into False.
        return [dict(mapping) for mapping in self._get_param("BlockDeviceMappings", [])]

    def run_instances(self) -> ActionResult:
        said = self.params.pop("IamInstanceProfile", None) or {}
        backend = self.ec2_backend
        profile: Any = said and backend.profile(name=said.get("Name"), arn=said.get("Arn"))
        answer = self._run_instances()
        for instance in answer.result.instances if profile else ():  # type: ignore[attr-defined] # moto's results are untyped
            backend.associate_iam_instance_profile(instance.id, profile.name)
        return answer

    def _run_instances(self) -> ActionResult:
        market = self._get_param("InstanceMarketOptions", {})
        if market.get("MarketType") != "spot":
            return super().run_instances()
        asked = self._spot_options(market.get("SpotOptions", {}))
        self.ec2_backend.spot.check_options(asked)
        answer = super().run_instances()
        for instance in answer.result.instances:  # type: ignore[attr-defined] # moto's results are untyped
            launched = {
                "ImageId": instance.image_id,
                "InstanceType": instance.instance_type,
                "SubnetId": instance.subnet_id,
            }
            self.ec2_backend.spot.adopt(instance, {**asked, "LaunchSpecification": launched})
        return answer

    def _spot_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The spot request that the launch comes down to, with what decides about its place."""
        names = ("ImageId", "InstanceType", "NetworkInterfaces", "Placement", "SubnetId")
        hibernates = self._get_param("HibernationOptions.Configured")
        return {
            "LaunchSpecification": {
                name: self._get_param(name) for name in names if self._get_param(name)
            },
            "SpotPrice": options.get("MaxPrice"),
            "Type": options.get("SpotInstanceType", "one-time"),
            "InstanceInterruptionBehavior": options.get(
                "InstanceInterruptionBehavior", "hibernate" if hibernates else "terminate"
            ),
            "ValidUntil": options.get("ValidUntil"),
        }

    def stop_instances(self) -> ActionResult:
        ids = self._get_param("InstanceIds", [])
        force = bool(self._get_param("Force", if_none=False))
        self.error_on_dryrun()
        return _transitions("StoppingInstances", self.ec2_backend.stop_instances(ids, force=force))

    def start_instances(self) -> ActionResult:
        ids = self._get_param("InstanceIds", [])
        self.error_on_dryrun()
        return _transitions("StartingInstances", self.ec2_backend.start_instances(ids))

    def terminate_instances(self) -> ActionResult:
        ids = self._get_param("InstanceIds", [])
        self.error_on_dryrun()
        return _transitions("TerminatingInstances", self.ec2_backend.terminate_instances(ids))

    def modify_instance_attribute(self) -> ActionResult:
        behavior = self._get_param("InstanceInitiatedShutdownBehavior.Value")
        if behavior is None:
            return super().modify_instance_attribute()
        if behavior not in ("stop", "terminate"):
            raise EC2ClientError(
                "InvalidParameterValue", f"'{behavior}' is neither stop nor terminate"
            )
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        self.error_on_dryrun()
        instance.instance_initiated_shutdown_behavior = behavior
        return EmptyResult()

    def _security_grp_instance_attribute_handler(self) -> bool:
        # moto takes every attribute that it does not know for an empty list of groups.
        return (
            bool(self._get_param("Groups")) and super()._security_grp_instance_attribute_handler()
        )

    def modify_instance_metadata_options(self) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        for name in METADATA_OPTIONS:
            # moto puts None over whatever the request does not name.
            if self._get_param(name) is not None:
                setattr(instance.metadata_options, xform_name(name), self._get_param(name))
        return ActionResult(
            {"InstanceId": instance.id, "InstanceMetadataOptions": instance.metadata_options}
        )

    def associate_address(self) -> ActionResult:
        backend = self.ec2_backend
        if self._get_param("InstanceId"):
            instance = backend.get_instance(self._get_param("InstanceId"))
            check_associable(instance)
            # Once more is no error: moto's own is.
            asked = self._get_param("AllocationId")
            mine: list[Any] = [*backend.describe_addresses([asked])] if asked else []
            if mine and mine[0].instance is instance:
                return ActionResult({"AssociationId": mine[0].association_id})
        elif self._get_param("NetworkInterfaceId"):
            owner = backend.get_network_interface(self._get_param("NetworkInterfaceId")).instance
            if owner is not None:
                check_associable(owner)
        return super().associate_address()

    def get_console_output(self) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        latest = bool(self._get_param("Latest", if_none=False))
        output = self.ec2_backend.consoles.output(instance, latest=latest)
        answer = {"InstanceId": instance.id, "Timestamp": utcnow()}
        if output:
            answer["Output"] = base64.b64encode(output).decode()
        return ActionResult(answer)

    def request_spot_instances(self) -> ActionResult:
        asked = self._get_params()
        tags = tags_of(self._get_param("TagSpecifications", []))
        self.error_on_dryrun()
        count = int(self._get_param("InstanceCount", 1))
        requests = [self.ec2_backend.spot.request(asked, tags) for _ in range(count)]
        # EC2 answers before it evaluates; the next DescribeSpotInstanceRequests tells.
        status = {"Code": "pending-evaluation", "UpdateTime": utcnow()}
        answered = [{**one.describe(), "State": "open", "Status": status} for one in requests]
        for one in answered:
            one.pop("InstanceId", None)
        return ActionResult({"SpotInstanceRequests": answered})

    def describe_spot_instance_requests(self) -> ActionResult:
        described = self.ec2_backend.spot.describe(
            self._get_param("SpotInstanceRequestIds", []), self._filters_from_querystring()
        )
        return ActionResult({"SpotInstanceRequests": described})

    def cancel_spot_instance_requests(self) -> ActionResult:
        self.error_on_dryrun()
        cancelled = self.ec2_backend.spot.cancel(self._get_param("SpotInstanceRequestIds", []))
        return ActionResult({"CancelledSpotInstanceRequests": cancelled})


def _transitions(name: str, changed: list[tuple[Any, Any]]) -> ActionResult:
    return ActionResult(
        {
            name: [
                {
                    "InstanceId": instance.id,
                    "CurrentState": instance.instance_state,
                    "PreviousState": before,
                }
                for instance, before in changed
            ]
        }
    )
