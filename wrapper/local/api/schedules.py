"""EventBridge Scheduler's API, and a clock that carries out what is due.

https://docs.aws.amazon.com/scheduler/latest/APIReference/
Only one-time schedules that stop or terminate machines: what the wrapper makes.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, request
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.exceptions import EC2ClientError
from moto.iam.models import iam_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import RLock

    from wrapper.local.api.backend import Ec2
    from wrapper.local.api.room import Room

TARGET: Final = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:ec2:(stop|terminate)Instances")
AT: Final = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
NAME: Final = re.compile(r"[0-9a-zA-Z-_.]{1,64}")


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Schedules:
    """Those of all regions, by region and name."""

    def __init__(self, clock: Callable[[], float], account: str) -> None:
        self._clock, self._account = clock, account
        self._all: dict[tuple[str, str], dict[str, Any]] = {}

    def carry_out(self, backend: Ec2) -> None:
        """What is due in the backend's region has been called, each once."""
        now = self._clock()
        for (region, name), one in list(self._all.items()):
            if region != backend.region_name or _moment(one) > now or one.get("Done"):
                continue
            one["Done"] = True
            if one.get("ActionAfterCompletion") == "DELETE":
                del self._all[region, name]
            ids = json.loads(one["Target"]["Input"])["InstanceIds"]
            match = TARGET.fullmatch(one["Target"]["Arn"])
            try:
                if match and match[1] == "stop":
                    backend.stop_instances(ids)
                else:
                    backend.terminate_instances(ids)
            except EC2ClientError:
                continue  # AWS tries again, and then drops it, too

    def put(self, region: str, name: str, asked: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
        """CreateSchedule or UpdateSchedule."""
        if new == ((region, name) in self._all):
            raise _RefusedError(*_CONFLICT) if new else _RefusedError(*_NOT_FOUND)
        _check(name, asked, self._roles())
        self._all[region, name] = {**asked, "Name": name, "GroupName": "default"}
        return {"ScheduleArn": _arn(region, name)}

    def get(self, region: str, name: str) -> dict[str, Any]:
        """GetSchedule."""
        if (region, name) not in self._all:
            raise _RefusedError(*_NOT_FOUND)
        return {**self._all[region, name], "Arn": _arn(region, name), "State": "ENABLED"}

    def delete(self, region: str, name: str) -> dict[str, Any]:
        """DeleteSchedule."""
        self.get(region, name)
        del self._all[region, name]
        return {}

    def _roles(self) -> set[str]:
        return {role.name for role in iam_backends[self._account]["aws"].roles.values()}

    def every(self, region: str) -> dict[str, Any]:
        """ListSchedules."""
        found = [{"Name": name} for where, name in sorted(self._all) if where == region]
        return {"Schedules": found}


_CONFLICT: Final = (409, "ConflictException", "Schedule already exists.")
_NOT_FOUND: Final = (404, "ResourceNotFoundException", "Schedule does not exist.")


def _arn(region: str, name: str) -> str:
    return f"arn:aws:scheduler:{region}:{DEFAULT_ACCOUNT_ID}:schedule/default/{name}"


def _moment(one: Mapping[str, Any]) -> float:
    match = AT.fullmatch(one["ScheduleExpression"])
    return datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp() if match else 0.0


def _check(name: str, asked: Mapping[str, Any], roles: set[str]) -> None:
    target = asked.get("Target", {})
    wrong = None
    if not NAME.fullmatch(name):
        wrong = f"{name} is no name of a schedule"
    elif not AT.fullmatch(asked.get("ScheduleExpression", "")):
        wrong = "Invalid Schedule Expression"
    elif asked.get("ScheduleExpressionTimezone", "UTC") != "UTC":
        wrong = "the embedded EC2 knows UTC alone"
    elif "Mode" not in asked.get("FlexibleTimeWindow", {}):
        wrong = "FlexibleTimeWindow is required"
    elif not TARGET.fullmatch(target.get("Arn", "")):
        wrong = f"{target.get('Arn')} is not supported here"
    elif target.get("RoleArn", "").partition(":role/")[2] not in roles:
        wrong = "The execution role you provide must allow AWS EventBridge Scheduler to assume it."
    if wrong:
        raise _RefusedError(400, "ValidationException", wrong)


def _permit(room: Room, operation: str) -> None:
    if room.refusals.take(f"scheduler:{operation}"):
        message = f"not authorized: scheduler:{operation}"
        raise _RefusedError(403, "AccessDeniedException", message)


def create_scheduler(room: Room, lock: RLock) -> Flask:
    """A WSGI application for requests that are signed for `scheduler`."""
    app, schedules = Flask("jupyter-clouds-scheduler", static_folder=None), room.schedules

    def answer(operation: str, act: Callable[[str], dict[str, Any]]) -> Response:
        signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/", request.headers["Authorization"])
        try:
            with lock:
                _permit(room, operation)
                told = act(signed[1] if signed else "us-east-1")
        except _RefusedError as error:
            headers = {"x-amzn-ErrorType": error.code}
            body = json.dumps({"Message": error.message})
            return Response(body, error.status, headers, mimetype="application/json")
        return Response(json.dumps(told), mimetype="application/json")

    @app.get("/schedules")
    def every() -> Response:
        return answer("ListSchedules", schedules.every)

    @app.route("/schedules/<name>", methods=["GET", "POST", "PUT", "DELETE"])
    def one(name: str) -> Response:
        if request.method in ("POST", "PUT"):
            asked, new = request.get_json(), request.method == "POST"
            operation = "CreateSchedule" if new else "UpdateSchedule"
            return answer(operation, lambda region: schedules.put(region, name, asked, new=new))
        if request.method == "GET":
            return answer("GetSchedule", lambda region: schedules.get(region, name))
        return answer("DeleteSchedule", lambda region: schedules.delete(region, name))

    return app
