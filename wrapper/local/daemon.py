"""The process that holds the embedded EC2: `python -m wrapper.local.daemon`, as root."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from wrapper import garbage
from wrapper.errors import LocalError
from wrapper.local import door, gateway, image, network
from wrapper.local.api import create_app
from wrapper.local.api.clock import Clock
from wrapper.local.conda import installer, reach
from wrapper.local.conda.index import Index, configured
from wrapper.local.conda.mirror import Mirror
from wrapper.local.host import CACHE, LOG, RUN, STATE, locked, log
from wrapper.local.record import Record, forget, port, publish
from wrapper.local.room import Room
from wrapper.local.sweep import sweep

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from wrapper.local.api.app import App
    from wrapper.local.api.control import Control

_TICK = 1.0
_IMAGE = "debian-12"
"""Made before the API answers; any other when the first machine needs it."""


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        log.debug("api %s " + message, type, *args)


def _tick(control: Control, over: threading.Event) -> None:
    """Interruptions and capacity take their course whether or not a client asks."""
    while not over.wait(_TICK):
        try:
            control.tick()
        except Exception:  # noqa: BLE001 - it is in the log, and the next may do
            log.exception("a tick failed")


def _mirror() -> dict[str, str]:
    """The stand-in for Miniforge is served; the variables that point Terraform at it."""
    url = f"http://{network.MIRROR_ADDRESS}"
    script = installer.build(url)
    index = Index(configured(), CACHE / "packages")
    server = Mirror(network.listen(network.MIRROR_ADDRESS, 80), index, script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return {
        "TF_VAR_miniforge_sha256": installer.checksum(script),
        "TF_VAR_miniforge_url": f"{url}/{installer.NAME}",
    }


def _gateway(room: Room, app: App) -> dict[str, str]:
    """Machines reach S3 and Route 53; the variables that tell the module where."""
    server = gateway.serve(network.listen(network.GATEWAY_ADDRESS, 80), room.at, app.services)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://{network.GATEWAY_ADDRESS}"
    return {"TF_VAR_route53_endpoint": url, "TF_VAR_services_endpoint": url}


def _listen(app: WSGIApplication) -> BaseWSGIServer:
    """The API's socket; LocalError when the port is somebody else's."""
    try:
        return make_server("127.0.0.1", port(), app, threaded=True, request_handler=_Quiet)
    except (OSError, SystemExit) as error:  # werkzeug exits where it should raise
        raise LocalError(
            f"port {port()} on 127.0.0.1 is in use by another program",
            hint="JUPYTER_CLOUDS_LOCAL_PORT=6001 jupyter-clouds local start",
        ) from error


def _serve(stopping: socket.socket) -> None:
    room = Room()
    app, over = create_app(room, Clock()), threading.Event()
    server = _listen(door.beside(app, room, app.control))
    publish(Record(stage="making the machines' root file system (a minute, the first time)"))
    image.ensure(_IMAGE)
    publish(Record(stage="setting up the network"))
    sweep()
    try:
        room.open()
        variables = _gateway(room, app) | ({} if reach.conda_can_be_reached() else _mirror())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        threading.Thread(target=_tick, args=(app.control, over), daemon=True).start()
        publish(Record(stage="", variables=variables))
        log.info("answers on port %d", port())
        stopping.recv(1)
        log.info("stops")
        server.shutdown()
    finally:
        over.set()
        room.close()
        sweep()


def main() -> int:
    """Serves until SIGTERM; 0 when all is cleaned up, 1 with the reason published."""
    garbage.look_seldom()
    for directory in (RUN, STATE, CACHE / "packages", CACHE / "images"):
        directory.mkdir(parents=True, exist_ok=True)
    STATE.chmod(0o755)
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
    stopping, told = socket.socketpair()
    told.setblocking(False)
    # Any thread may be the one that gets the signal, and a lock that the main thread waits for
    # would not notice. https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    signal.set_wakeup_fd(told.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        with locked(RUN / "daemon.lock", wait=5):
            try:
                _serve(stopping)
            except LocalError as error:
                log.error("%s", error.message)
                publish(Record(stage="failed", error=error.message, hint=error.hint))
                return 1
            forget()
    except LocalError as error:
        log.error("%s", error.message)
        return 1
    return 0


if __name__ == "__main__":
    print(f"log: {LOG}", file=sys.stderr)
    sys.exit(main())
