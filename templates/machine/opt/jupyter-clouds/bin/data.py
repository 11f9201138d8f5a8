"""The phase data: what outlives the machine is on its data volume, and the machine leads there."""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import TYPE_CHECKING

import clouds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# EBS shows a volume's id as the serial number of its disk:
# https://docs.aws.amazon.com/ebs/latest/userguide/identify-nvme-ebs-device.html
DISKS = clouds.ROOT / "dev/disk/by-id"
PREFIX = "nvme-Amazon_Elastic_Block_Store_"
MOUNT = clouds.ROOT / "mnt/jupyter-clouds"
SSH = clouds.ROOT / "etc/ssh"
PATIENCE = 900  # seconds; a volume is attached once the machine runs
# As the user, whose files they are: root follows no link of theirs. Only added to, and a success
# even so: neither a full disk nor a folder that they rearranged keeps them out of Jupyter.
KEYS = """mkdir -pm 700 "$0"; cd "$0" && touch "$2" && new=$(grep -vxFf "$2" "$1/$2") &&
printf '\\n%s\\n' "$new" >>"$2"; :"""
# Whole or not at all: with half a key, sshd would let nobody in.
HOST_KEYS = """rm -rf "$1.new" && mkdir -m 700 "$1.new" && cp -a "$0"/ssh_host_* "$1.new" &&
sync -f "$1.new" && mv -T "$1.new" "$1\""""


def disks(wanted: str) -> dict[str, Path]:
    """The volumes whose ids begin like that, by id."""
    return {
        path.name: path
        for path in DISKS.glob(f"{PREFIX}{wanted}*")
        if re.fullmatch(PREFIX + "vol[0-9a-f]+", path.name)
        # Partitions tell the machine's own disk; a volume with a name is judged by what it holds.
        and not (wanted == "vol" and list(DISKS.glob(f"{path.name}*-part*")))
    }


def disk() -> Path:
    """The data volume's disk. SystemExit when it does not come, or there are several."""
    wanted = clouds.settings()["data_volume"].replace("-", "")
    ends = time.monotonic() + PATIENCE
    while not (found := disks(wanted)):
        if time.monotonic() > ends:
            raise SystemExit(f"no data volume: nothing like {wanted} is attached")
        time.sleep(0.5)
    # "vol" is the one that there is; later on, the one that there was.
    kept = clouds.VAR / "volume"
    name = kept.read_text() if kept.exists() else ""
    if name not in found:
        if len(found) > 1:
            raise SystemExit(f"several volumes could be the data volume: {', '.join(found)}")
        (name,) = found
        clouds.write(kept, name)
    return found[name]


def mount(device: Path) -> None:
    """Its file system is mounted, as large as the volume; made only where there is nothing."""
    probe: Sequence[str | Path] = ["blkid", "-po", "export", device]
    done = subprocess.run(probe, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout)
    kind = re.search("(?m)^TYPE=(.*)", done.stdout)
    begun = clouds.VAR / f"{device.name}.begun"
    if begun.exists() or done.returncode == 2:  # noqa: PLR2004 - blkid(8): nothing found
        with device.open("rb") as disk:
            if not begun.exists() and any(disk.read(2**20)):
                raise SystemExit(
                    f"{device.name} holds something unknown: nothing was written to it"
                )
        # Cut off by a power loss, it is begun again; nobody had written there by then.
        begun.touch()
        os.sync()
        clouds.run(["mkfs.ext4", "-qFm0", "-Ljupyter-clouds", device])
        begun.unlink()
        os.sync()
    elif done.returncode or not kind or kind[1] not in {"ext4", "xfs"}:
        what = kind[1] if kind else "partitions, or several things at once"
        raise SystemExit(f"{device.name} holds {what}, not ext4 or xfs: nothing was written to it")
    MOUNT.mkdir(parents=True, exist_ok=True)
    options: Sequence[str | Path] = ["mount", "-onoatime,nosuid,nodev", device, MOUNT]
    clouds.run(options)
    if kind and kind[1] == "xfs":
        # Not every image has xfsprogs; as large as it was, it serves on.
        subprocess.run(["sh", "-c", 'xfs_growfs "$0"', MOUNT], check=False)
    elif subprocess.run(["resize2fs", device], check=False).returncode:
        # Not every root may let a mounted one grow.
        clouds.run(["umount", MOUNT])
        subprocess.run(["e2fsck", "-fp", device], check=False)
        clouds.run(["resize2fs", device])
        clouds.run(options)


def lead(name: str, place: Path) -> None:
    """The place is the volume's folder of that name, which begins as what the place held."""
    folder = MOUNT / name
    user = clouds.USER
    if not folder.exists():
        clouds.run(["rm", "-rf", f"{folder}.new"])
        clouds.run(["cp", "-aT", place, f"{folder}.new"])
        # Or its name could outlive a power loss that its files do not.
        clouds.run(["sync", "-f", f"{folder}.new"])
        clouds.run(["mv", f"{folder}.new", folder])
    elif folder.stat().st_uid != user.pw_uid:
        # Of a machine on which the user had another number.
        clouds.run(["chown", "-hR", f"{user.pw_uid}:{user.pw_gid}", folder])
    if name == "home":
        places = (str(one / ".ssh") for one in (folder, place))
        clouds.run(["sh", "-c", KEYS, *places, "authorized_keys"], as_user=True)
    clouds.run(["mount", "--bind", folder, place])


def data() -> None:
    """Home, Jupyter's state and the host's keys are those of the volume, if there is one."""
    if not clouds.settings().get("data_volume"):
        return
    if not os.path.ismount(MOUNT):
        mount(disk())
    for name, place in (("home", clouds.ROOT / clouds.USER.pw_dir[1:]), ("state", clouds.STATE)):
        if not os.path.ismount(place):
            lead(name, place)
    (MOUNT / "clouds").mkdir(mode=0o700, exist_ok=True)
    kept = MOUNT / "ssh"
    if list(kept.glob("*")):
        clouds.run(["sh", "-c", 'cp -a "$0"/* "$1"', kept, SSH])
        subprocess.run(["systemctl", "try-restart", "--no-block", "ssh"], check=False)
    else:
        clouds.run(["sh", "-c", HOST_KEYS, SSH, kept])
