"""Ports for kernels, that nobody else is given meanwhile."""

import secrets
import socket
from pathlib import Path

from jupyter_client.connect import LocalPortCache

# What the system gives to whoever asks for any port, or connects to one.
# https://docs.kernel.org/networking/ip-sysctl.html#ip-variables
ANY = Path("/proc/sys/net/ipv4/ip_local_port_range")
LEAST, SPAN, TRIES = 1024, 10_000, 1_000


class Ports(LocalPortCache):
    """Free ports below those of the system's choice.

    A kernel binds its ports a second or two after Jupyter has chosen them. One that is taken
    meanwhile leaves it hanging, and the tab connecting for ever.
    https://github.com/jupyter/jupyter_client/issues/487
    """

    def find_available_port(self, ip: str) -> int:
        """Return a port that was free just now, and that no other kernel was given."""
        first = int(ANY.read_text().split()[0])
        for _ in range(TRIES):
            port = first - 1 - secrets.randbelow(SPAN)
            if port < LEAST or port in self.currently_used_ports or not free(ip, port):
                continue
            self.currently_used_ports.add(port)
            return port
        return super().find_available_port(ip)


def free(ip: str, port: int) -> bool:
    """Return whether nobody has it."""
    with socket.socket() as found:
        try:
            found.bind((ip, port))
        except OSError:
            return False
    return True
