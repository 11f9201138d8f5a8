"""The WSGI application: EC2, FIS, prices and quotas of our own; all else is moto's (SERVICES).

No service else.
"""

from __future__ import annotations

import time
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Flask, Response
from moto.core.base_backend import BackendDict
from moto.core.utils import convert_to_flask_response
from moto.moto_server.werkzeug_app import (
    BackendRequest,
    DomainDispatcherApplication,
    create_backend_app,
)

from wrapper.local.api import buckets, price_list, quotas
from wrapper.local.api.actions import Actions
from wrapper.local.api.backend import Ec2
from wrapper.local.api.control import Control
from wrapper.local.api.fis import create_fis
from wrapper.local.api.imaginary import ImaginaryMachines
from wrapper.local.api.json_service import create_json_service
from wrapper.local.api.repeats import Repeats
from wrapper.local.api.room import Room
from wrapper.local.api.schedules import create_scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIApplication

    from wrapper.local.machines import Machines

OF_THE_ACCOUNT: Final = ("iam", "route53")
"""moto's, with what an embedded account holds of its own."""
SERVICES: Final = ("kms", "ssm", "sts")
"""Whatever else the module and the wrapper call beside EC2."""


class App(DomainDispatcherApplication):
    """The WSGI application, and the hand on its market."""

    def __init__(
        self,
        service: Callable[[str], Flask],
        control: Control,
        services: Mapping[str, WSGIApplication],
    ) -> None:
        super().__init__(cast("Any", service))
        self.control = control
        self.services = services
        """The account's S3 and Route 53 behind every check, for the machines' door."""
        self._known: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        # Moto knows no Price List.
        if host and host.startswith("pricing."):
            return "pricing"
        # Moto lists its own folder and tries two hundred patterns, at every request.
        if host not in self._known:
            self._known[host] = super().get_backend_for_host(host)
        return self._known[host]


def create_app(machines: Machines | None, clock: Callable[[], float] = time.time) -> App:
    """A WSGI application, safe to serve threaded, with an account of its own and no state on disk.

    Behind each instance is one of `machines`; with None, nothing: instances just change states.
    The market goes by `clock`, seconds since 1970.
    """
    account = buckets.account()
    room = Room(machines or ImaginaryMachines(), clock, account)
    factory = cast("type[Ec2]", partial(Ec2, room=room))
    backends, lock = BackendDict(factory, "ec2"), RLock()
    own = {"backends": backends, "lock": lock, "repeats": Repeats()}
    bound = type("BoundActions", (Actions,), own)
    ec2 = Flask("jupyter-clouds-ec2", static_folder=None)
    ec2.request_class = BackendRequest
    ec2.add_url_rule(
        "/",
        "dispatch",
        cast("Any", convert_to_flask_response(bound.dispatch)),  # type: ignore[attr-defined] # made by `type`
        methods=["GET", "POST"],
    )
    ours = {
        "scheduler": create_scheduler(room, lock),
        "budgets": create_json_service("budgets", room.budgets.operations(), room, lock),
        "ce": create_json_service("ce", room.budgets.tag_operations(), room, lock),
        "cloudtrail": create_json_service("cloudtrail", room.trail.operations(), room, lock),
        "ec2": ec2,
        "fis": create_fis(backends, lock, clock),
        "pricing": create_json_service("pricing", price_list.operations(), room, lock),
        "servicequotas": create_json_service("servicequotas", quotas.operations(room), room, lock),
    }
    behind = {"s3": _s3(account), "route53": _of_the_account("route53", account)}
    return App(partial(_service, ours, account), Control(room, backends, lock), behind)


def _s3(account: str) -> WSGIApplication:
    return buckets.one_at_a_time(buckets.of_account(create_backend_app("s3"), account))


def _of_the_account(name: str, account: str) -> WSGIApplication:
    return buckets.of_account(create_backend_app(cast("Any", name)), account)


def _service(ours: Mapping[str, Flask], account: str, name: str) -> Any:
    if name in ours:
        return ours[name]
    if name == "s3":
        return buckets.closed(_s3(account))
    if name in OF_THE_ACCOUNT:
        return _of_the_account(name, account)
    if name in SERVICES:
        return create_backend_app(cast("Any", name))
    return _absent(name)


def _absent(name: str) -> Flask:
    app = Flask("jupyter-clouds-absent", static_folder=None)

    def refuse(**_: Any) -> Response:
        return Response(f"The embedded EC2 has no {name}.\n", status=404, mimetype="text/plain")

    app.add_url_rule("/", "root", refuse, methods=["GET", "POST", "PUT", "DELETE"])
    app.add_url_rule("/<path:_path>", "path", refuse, methods=["GET", "POST", "PUT", "DELETE"])
    return app
