"""Terraform's providers, on their way while the account is asked."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wrapper import environment, module_copy
from wrapper.deployment.events import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrapper.deployment.world import World
    from wrapper.home import Home


@contextmanager
def on_their_way(world: World, home: Home, lock: int) -> Iterator[None]:
    """A bare directory has the module and its providers once this closes. Raises as `init`.

    When what is inside fails, Terraform is ended and the directory is bare again. One that is not
    bare is left alone: a state may lie there.
    """
    if not home.is_bare():
        yield
        return
    cancelled = threading.Event()
    try:
        module_copy.write(home)
        terraform = world.terraform(
            home.path,
            environment=environment.for_terraform(world.environment, None),
            keep_open=(lock,),
            cancelled=cancelled,
        )
        with ThreadPoolExecutor(1, "init") as pool:
            going = pool.submit(terraform.init, say=lambda text: world.report(Note(text)))
            try:
                yield
                going.result()
            finally:
                cancelled.set()  # nobody waits for it any more
    except BaseException:
        home.empty()
        raise
