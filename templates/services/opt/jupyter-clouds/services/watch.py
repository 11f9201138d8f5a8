#!/usr/bin/python3 -Su
"""Watches for what EC2 announces of a spot machine, and starts the rescue: once per notice.

Small on purpose, 10 MB: modules that only a notice needs are imported when it comes, and
http.client, which brings TLS with it, not at all.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
"""

from __future__ import annotations

import os
import socket
import sys
import time

METADATA = os.environ.get("CLOUDS_METADATA", "http://169.254.169.254")
PAUSE = float(os.environ.get("CLOUDS_WATCH_PAUSE", "5"))  # what AWS recommends
RUN = os.path.join(os.environ.get("CLOUDS_ROOT", "/"), "run/jupyter-clouds")  # noqa: PTH118 - pathlib is a megabyte
HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - likewise
TTL = 21600  # seconds that a token is good for, the most there is
LIMIT = 2**16  # bytes of an answer
SILENCE = 2  # seconds
OK, UNAUTHORIZED, NOT_FOUND = 200, 401, 404
NOTICES = {"interruption": "spot/instance-action", "rebalance": "events/recommendations/rebalance"}


class BrokenError(Exception):
    """The metadata service says neither that there is a notice nor that there is none."""


def exchange(method: str, path: str, header: str) -> tuple[int, str]:
    """Status and body of the answer. Raises BrokenError."""
    host, _, port = METADATA.rpartition("/")[2].partition(":")
    try:
        with socket.create_connection((host, int(port or 80)), SILENCE) as connection:
            # 1.0: no pieces to put together, and the end of the answer is the connection's.
            words = f"{method} /latest/{path} HTTP/1.0\r\nHost: {host}\r\n{header}\r\n\r\n"
            connection.sendall(words.encode())
            data = b""
            while not whole(data) and (part := connection.recv(LIMIT)):
                data += part
        if not whole(data, ended=True):
            raise BrokenError(f"{path}: cut short")
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode().strip()
    except (OSError, ValueError, IndexError) as error:
        raise BrokenError(f"{path}: {error!r}") from error


def whole(data: bytes, *, ended: bool = False) -> bool:
    """Whether no more of the answer is to come."""
    head, blank, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n") if blank else ():
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
    return len(data) >= LIMIT or (ended and bool(blank))


class Metadata:
    """The metadata service, version 2, with one token for hours."""

    def __init__(self) -> None:
        self.token, self.renew = "", 0.0

    def get(self, path: str) -> str | None:
        """What stands there, None when nothing does. Raises BrokenError."""
        for _ in range(2):
            if time.monotonic() >= self.renew:
                ttl = f"X-aws-ec2-metadata-token-ttl-seconds: {TTL}"
                status, self.token = exchange("PUT", "api/token", ttl)
                if status != OK:
                    raise BrokenError(f"api/token: {status}")
                # Before it ends; this clock stands still while a machine hibernates.
                self.renew = time.monotonic() + TTL / 2
            header = f"X-aws-ec2-metadata-token: {self.token}"
            status, body = exchange("GET", f"meta-data/{path}", header)
            if status == OK and body:
                return body
            if status == NOT_FOUND:
                return None
            # The token ran out, or the service has forgotten it: another one, once.
            self.renew = 0
            if status != UNAUTHORIZED:
                break
        raise BrokenError(f"{path}: {status}")


def fields(text: str) -> dict[str, str]:
    """The notice's fields, as words that can stand on the console. Raises BrokenError."""
    import json  # noqa: PLC0415 - see above
    import re  # noqa: PLC0415 - see above

    try:
        found = json.loads(text)
        known = [(name, found[name]) for name in ("action", "time", "noticeTime") if name in found]
        # For who reads the console: both kinds have a time.
        given = {name.replace("noticeTime", "time"): str(value) for name, value in known}
    except (ValueError, TypeError) as error:
        raise BrokenError(f"no notice: {text[:200]!r}") from error
    if not given or not all(re.fullmatch(r"[\w:.+-]{1,40}", value) for value in given.values()):
        raise BrokenError(f"no notice: {text[:200]!r}")
    return given


def mark(kind: str) -> str:
    """The file with the notice of that kind that was acted on; gone with the notice or the boot."""
    return f"{RUN}/notice-{kind}.acted"


def acted(kind: str, text: str) -> bool:
    """Whether the rescue was started for this very notice."""
    try:
        with open(mark(kind)) as file:  # noqa: PTH123 - see above
            return file.read() == text
    except FileNotFoundError:
        return False


def forget(kind: str) -> None:
    """What was announced is over; after a hibernation this boot goes on, and so does its memory."""
    for path in (mark(kind), f"{RUN}/notice-{kind}.json"):
        try:
            os.unlink(path)  # noqa: PTH108 - see above
        except FileNotFoundError:
            continue


def act(kind: str, text: str) -> None:
    """The notice is on the console, and the rescue runs, in a unit of its own."""
    import json  # noqa: PLC0415 - see above
    import subprocess  # noqa: PLC0415 - see above
    from pathlib import Path  # noqa: PLC0415 - see above

    sys.path.insert(0, os.path.join(os.path.dirname(HERE), "bin"))  # noqa: PTH118, PTH120 - see above
    import clouds  # noqa: PLC0415 - see above

    given = fields(text)
    clouds.write(Path(RUN, f"notice-{kind}.json"), json.dumps(given))
    words = " ".join(f"{name}={value}" for name, value in given.items())
    start = ["systemctl", "start", "--no-block", f"jupyter-clouds-rescue@{kind}.service"]
    try:
        subprocess.run(start, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        # No units start any more on a machine that is going down: then from here.
        print(f"{error}; started without systemd")
        subprocess.Popen([f"{HERE}/rescue.py", kind], start_new_session=True)
    # Only now: a watch that is killed on the way acts on the notice when it is back.
    clouds.write(Path(mark(kind)), text)
    clouds.console(f"jupyter-clouds: notice kind={kind} {words}")


class Watch:
    """What is known of the machine, and the last thing that went wrong."""

    def __init__(self) -> None:
        self.metadata, self.told, self.spot = Metadata(), "", False

    def poll(self) -> bool:
        """Notices were acted on; whether more can come. Raises BrokenError."""
        if not self.spot:
            # A machine at the on-demand price is never interrupted, and stays one while it lives.
            if self.metadata.get("instance-life-cycle") == "on-demand":
                return False
            self.spot = True
        for kind, path in NOTICES.items():
            if text := self.metadata.get(path):
                if not acted(kind, text):
                    act(kind, text)
                # The first is the worse: once it is known, the other says nothing new.
                break
            forget(kind)
        return True

    def tell(self, why: str) -> None:
        """The journal says how the metadata service does: once, not every five seconds."""
        if why != self.told:
            print(f"metadata: {why or 'answers again'}")
            self.told = why


def main() -> None:
    watch = Watch()
    os.makedirs(RUN, exist_ok=True)  # noqa: PTH103 - see above
    while True:
        try:
            if not watch.poll():
                print("not a spot machine: nothing to watch for")
                return
            watch.tell("")
        except BrokenError as error:
            # Whether it is a spot machine is no reason to miss a notice.
            watch.spot = True
            watch.tell(str(error))
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
