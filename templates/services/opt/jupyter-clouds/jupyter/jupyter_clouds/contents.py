"""Notebook files: outputs get there by the tab that shows them, else by the recorder."""

import asyncio
import hashlib
import os
import shutil
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.v4.rwbase import rejoin_lines
from tornado import web

from .executions import Execution
from .outputs import Recorder

# Seconds for which a file may lack an output before it is put there without the tab; one less when
# no tab will save.
LAG = 3
# Hashes remembered.
HASHES = 10_000
# Searches for an execution's cell before it is given up.
SEARCHES = 5


def swap(file: Path, data: bytes) -> None:
    """Put `data` in the file's place; who reads it meanwhile reads one or the other."""
    file = file.resolve()
    new = file.with_name(f".~clouds~{file.name}")
    try:
        with new.open("wb") as stream:
            stream.write(data)
            os.fsync(stream.fileno())
        shutil.copymode(file, new)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


class ContentsManager(AsyncLargeFileManager):
    """Jupyter's files, with the outputs of running cells in them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # What a file's hash was for the tabs before we wrote into it: {hash now: hash for them}.
        self.aliases: OrderedDict[str, str] = OrderedDict()
        # When a file may be written again: large ones take their time.
        self.rest: dict[str, float] = {}

    @property
    def recorders(self) -> list[Recorder]:
        """The recorders of all kernels."""
        return list(self.parent.kernel_manager.recorders.values())

    async def locate(self) -> None:
        """Let each recorder know the notebooks of its kernel, under the names they have now."""
        paths = defaultdict(list)
        for session in await self.parent.session_manager.list_sessions():
            if session["type"] == "notebook":
                paths[session["kernel"]["id"]].append(session["path"])
        for kernel_id, found in paths.items():
            if kernel_id in self.parent.kernel_manager.recorders:
                self.parent.kernel_manager.recorders[kernel_id].paths = found

    def matches(self, nb: Any, path: str) -> Iterator[tuple[Recorder, str, Execution, Any]]:
        """Yield the executions begun of the notebook `nb`, each with its cell."""
        by_id, by_code = {}, defaultdict(list)
        for cell in nb["cells"]:
            if cell["cell_type"] == "code":
                by_id[cell.get("id")] = cell
                by_code["".join(cell["source"])].append(cell)
        for recorder in self.recorders:
            if path not in recorder.paths:
                continue
            recorder.process()
            for msg_id, e in list(recorder.executions.items()):
                # Older formats have no ids, other clients send none: then the code has to be
                # that of one cell only.
                cell = by_id.get(e.cell_id) if e.cell_id else None
                if cell is None and len(by_code[e.code]) == 1:
                    cell = by_code[e.code][0]
                if cell is not None and e.running is not None:
                    yield recorder, msg_id, e, cell

    @staticmethod
    def fill(cell: Any, e: Execution) -> None:
        """Put what the cell made into it; the user ran it, so it is as trusted as in the tab."""
        cell["outputs"], cell["execution_count"] = e.outputs(), e.cell["execution_count"]
        cell["metadata"]["trusted"] = True

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Save; what a tab that was away is behind with is added."""
        if model.get("type") != "notebook" or "content" not in model:
            return await super().save(model, path)
        path = path.strip("/")
        async with self.locks[path]:
            await self.locate()
            model["content"] = nb = rejoin_lines(nbformat.from_dict(model["content"]))
            for recorder, msg_id, e, cell in self.matches(nb, path):
                if e.overrules(cell["outputs"]):
                    self.fill(cell, e)
                    e.changed = None
                if e.running is None:
                    recorder.forget(msg_id)
            return await super().save(model, path)

    # Upstream names all arguments, more of them with each version; ours passes on what comes.
    async def get(self, path: str, content: bool = True, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override] # as said
        """Get; what is read is known to have been seen, or to have been changed by others."""
        if not path.endswith(".ipynb") or not (content or kwargs.get("require_hash")):
            return await super().get(path, content=content, **kwargs)
        # Jupyter writes in place: half a file is what one would read while a tab saves.
        async with self.locks[path.strip("/")]:
            model = await super().get(path, content=content, **kwargs)
        if content and model["type"] == "notebook":
            for recorder, msg_id, e, cell in self.matches(model["content"], path.strip("/")):
                if e.running is False and e.changed is None:
                    e.shown = True
                    if cell["outputs"] != e.outputs():
                        recorder.forget(msg_id)
        return model

    async def missed(self, path: str, client: str) -> list[dict[str, Any]]:
        """Return the cells of which the tab `client` may have missed something."""
        await self.locate()
        cells = []
        for recorder in self.recorders:
            recorder.process()
            for e in recorder.executions.values() if path in recorder.paths else ():
                if e.running is None or not (e.lost or (e.running and e.client != client)):
                    continue
                e.shown = e.shown or not e.running
                cells.append(
                    {"id": e.cell_id, "running": e.running, "outputs": e.outputs()}
                    | {"execution_count": e.cell["execution_count"]}
                )
        return cells

    async def keep(self, *, at_once: bool = False) -> None:
        """Put into the files what they lack for LAG seconds, or whatever they lack."""
        due: defaultdict[str, list[Execution]] = defaultdict(list)
        now, lag = time.monotonic(), 0 if at_once else LAG
        late = False
        for recorder in self.recorders:
            recorder.process()
            late = late or any(e.changed for e in recorder.executions.values())
        if not late:
            return
        await self.locate()
        for recorder in self.recorders:
            for e in recorder.executions.values():
                if e.changed and now - e.changed >= lag - e.lost and not (e.full and not e.lost):
                    for path in recorder.paths:
                        due[path].append(e)
        for path, executions in due.items():
            if at_once or now >= self.rest.get(path, 0):
                try:
                    await self.put(path, executions)
                except (web.HTTPError, OSError, ValueError) as error:
                    self.log.warning("Outputs not saved in %s: %s", path, error)
                self.rest[path] = time.monotonic() + 5 * (time.monotonic() - now)

    async def put(self, path: str, executions: list[Execution]) -> None:
        """Put the executions' outputs into the file, unseen by tabs that have it open."""
        file = Path(self._get_os_path(path))
        async with self.locks[path]:
            before = await asyncio.to_thread(file.read_bytes)
            nb = await asyncio.to_thread(nbformat.reads, before.decode(), as_version=4)
            self.notary.mark_cells(nb, self.notary.check_signature(nb))
            versions = {}
            for _, _, e, cell in self.matches(nb, path):
                if e in executions:
                    versions[e] = e.version
                    self.fill(cell, e)
            for e in executions:
                e.misses = 0 if e in versions else e.misses + 1
                if e.misses:
                    e.changed = time.monotonic() if e.misses < SEARCHES else None
            if versions:
                self.check_and_sign(nb, path)
                await self.write(file, nb, before)
            for e, version in versions.items():
                e.changed = None if e.version == version else time.monotonic()

    async def write(self, file: Path, nb: Any, before: bytes) -> None:
        """Write the notebook in place of `before`, with the same hash for the tabs."""
        text = await asyncio.to_thread(nbformat.writes, nb, version=nbformat.NO_CONVERT)
        after = (text.rstrip("\n") + "\n").encode()
        if after == before:
            return
        # JupyterLab asks for the hash before it saves and takes another one for somebody else's
        # change. (It compares times only where there is no hash.)
        new, old = (self._sha(data) for data in (after, before))
        self.aliases[new] = self.aliases.get(old, old)
        if len(self.aliases) > HASHES:
            self.aliases.popitem(last=False)
        await asyncio.to_thread(swap, file, after)

    def _sha(self, data: bytes) -> str:
        return hashlib.new(self.hash_algorithm, data).hexdigest()

    def _get_hash(self, byte_content: bytes) -> dict[str, str]:
        found = super()._get_hash(byte_content)
        return found | {"hash": self.aliases.get(found["hash"], found["hash"])}
