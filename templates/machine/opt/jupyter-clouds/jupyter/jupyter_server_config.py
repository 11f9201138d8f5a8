"""The notebook server's settings; what differs between machines comes from notebook.json."""

import importlib.util
import os
import sys
from pathlib import Path

here = Path(__file__).parent
sys.path.insert(0, str(here))
# Defaults for users' settings, in JupyterLab and in Notebook 7 alike: settings/labconfig/.
# https://jupyterlab.readthedocs.io/en/stable/user/directories.html#overrides-json
os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(
    filter(None, [str(here / "settings"), os.environ.get("JUPYTER_CONFIG_PATH")])
)

# Classes, not their names in quotes: the bundle shortens names that nobody imports.
# ruff: noqa: E402 - ours are found by the path that is set above
from jupyter_clouds import SETTINGS, STATE
from jupyter_clouds.login import Identity

# The hash of a new password, and the one it took the place of: a data volume may come to a machine
# that was given another one since.
rotated = STATE / "password_hash"
hashes = rotated.read_text().splitlines() if rotated.exists() else []
if hashes[1:] not in ([], [SETTINGS["password_hash"]]):
    hashes = []
c = get_config()  # noqa: F821  (traitlets puts it here)

# Where it listens. Tornado reads the two files at every handshake: a renewed certificate needs no
# restart. Python's own defaults refuse anything older than TLS 1.2.
c.ServerApp.ip = "*"
c.ServerApp.port = SETTINGS["port"]
c.ServerApp.port_retries = 0
c.ServerApp.certfile = str(STATE / "tls/certificate.pem")
c.ServerApp.keyfile = str(STATE / "tls/key.pem")
c.ServerApp.open_browser = False
c.ServerApp.root_dir = SETTINGS["work"]

# Who may come in. A hash made empty must stop the server, not open it.
c.ServerApp.identity_provider_class = Identity
c.PasswordIdentityProvider.hashed_password = (hashes or [SETTINGS["password_hash"]])[0]
c.PasswordIdentityProvider.password_required = True
c.PasswordIdentityProvider.allow_password_change = False
c.IdentityProvider.token = ""
c.ServerApp.allow_unauthenticated_access = False
# Logins outlive a restart of the machine, whose runtime folder is memory.
c.ServerApp.cookie_secret_file = str(STATE / "cookie_secret")
c.ServerApp.allow_remote_access = True
c.ServerApp.trust_xheaders = False

# Cells keep their output with the browser closed (docs/adr/0002-durable-output.md), by modules that
# the phase services brings; where it failed, Jupyter does as it does everywhere.
if (here / "jupyter_clouds/contents.py").exists():
    from jupyter_clouds.contents import ContentsManager
    from jupyter_clouds.kernels import Connection, KernelManager

    c.ServerApp.kernel_manager_class = KernelManager
    c.ServerApp.kernel_websocket_connection_class = Connection
    c.ServerApp.contents_manager_class = ContentsManager
# jupyter_clouds, and jupyter_clouds_door once the phase services has brought it.
c.ServerApp.jpserver_extensions = {path.name: True for path in here.glob("jupyter_clouds*")}
# Language servers are looked for as soon as it listens, a quarter of a second long, in the way of
# the first page. Only with this extension does JupyterLab ask them anything:
# https://jupyterlab.readthedocs.io/en/latest/user/lsp.html
c.LanguageServerManager.autodetect = importlib.util.find_spec("jupyterlab_lsp") is not None
c.LabServerApp.extra_labextensions_path = [str(here / "labextensions")]

# A trash nobody sees or empties fills a paid disk: what is deleted is gone, and the dialog says so.
c.FileContentsManager.delete_to_trash = False
c.FileContentsManager.always_delete_dir = True
c.MappingKernelManager.cull_idle_timeout = 0
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "-l"]}
c.LabApp.news_url = None
# Nothing is built on a machine: with every page, JupyterLab would ask whether something has to be,
# by starting Node where there is one.
c.ServerApp.tornado_settings = {"page_config_data": {"buildCheck": False}}
