"""The login: each wrong password makes the same address wait longer for its next try."""

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import PasswordIdentityProvider
from jupyter_server.auth.login import LoginFormHandler

# Seconds: the longest delay, and the quiet after which failures are forgotten.
LONGEST, QUIET = 60, 900
IPV6 = 6


class Throttle:
    """Failures per address, bounded in number; IPv6 counts by /64, which is what one host gets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, size: int = 4096) -> None:
        self.clock, self.size = clock, size
        self.failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @staticmethod
    def key(address: str) -> str:
        """Return what an address is counted by."""
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return address
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        return str(ipaddress.ip_network((ip, 64), strict=False) if ip.version == IPV6 else ip)

    def wait(self, address: str) -> float:
        """Return the seconds `address` has to wait; at 0 this try counts as failed until `passed`.

        Counted before the password is looked at, so that tries side by side gain nothing.
        """
        key, now = self.key(address), self.clock()
        count, after = self.failures.pop(key, (0, 0.0))
        if now < after:
            self.failures[key] = count, after
            return after - now
        count = 1 if now - after > QUIET else count + 1
        self.failures[key] = count, now + min(2 ** (count - 1), LONGEST)
        if len(self.failures) > self.size:
            self.failures.popitem(last=False)
        return 0

    def passed(self, address: str) -> None:
        """Forget the failures of `address`."""
        self.failures.pop(self.key(address), None)


class Login(LoginFormHandler):
    """The login form: argon2 runs beside the event loop, two at a time."""

    throttle = Throttle()
    hashing = asyncio.Semaphore(2)

    @allow_unauthenticated
    async def post(self) -> None:
        """Let the right password in; answer 401 to a wrong one and 429 to one too early."""
        # The peer's own address: X-Forwarded-For is anybody's to write (trust_xheaders is off).
        address, provider = self.request.remote_ip, self.identity_provider
        if seconds := self.throttle.wait(address):
            self.set_status(429)
            self.set_header("Retry-After", str(math.ceil(seconds)))
            self._render({"error": f"Too many tries: wait {math.ceil(seconds)} s, then try again"})
            return
        async with self.hashing:
            password = self.get_argument("password", default="")
            right = await asyncio.to_thread(provider.passwd_check, password)
        if not right:
            self.log.warning("Wrong password from %s", address)
            self.set_status(401)
            self._render({"error": "Invalid credentials"})
            return
        self.throttle.passed(address)
        self.current_user = provider.generate_anonymous_user(self)
        provider.set_login_cookie(self, self.current_user)
        self._redirect_safe(self.get_argument("next", default=self.base_url))


class Identity(PasswordIdentityProvider):
    """Jupyter's password login with the slower form."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.login_handler_class = Login
