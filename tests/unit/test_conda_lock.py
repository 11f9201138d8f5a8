"""A lock file of conda-lock, taken for the platforms of machines; or refused, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from wrapper import conda_lock, environment_file
from wrapper.errors import SettingsError

CHANNEL = "https://conda.anaconda.org/conda-forge"
PATH = Path("conda-lock.yml")


def of_conda(name: str, version: str, *needs: str, **more: Any) -> dict[str, Any]:
    """One package, as conda-lock 3 writes it."""
    url = f"{CHANNEL}/linux-64/{name}-{version}-h1_0.conda"
    hashes = {"md5": f"{name}md5", "sha256": f"{name}sha256"}
    entry = {"name": name, "version": version, "manager": "conda", "platform": "linux-64"}
    needed = dict.fromkeys(needs, "")
    rest = {"dependencies": needed, "url": url, "hash": hashes, "category": "main"}
    return entry | rest | {"optional": False} | more


def of_pip(name: str, version: str, **more: Any) -> dict[str, Any]:
    url = f"https://index.example/{name}-{version}-py3-none-any.whl"
    return of_conda(name, version, manager="pip", url=url, hash={"sha256": "ab"}) | more


def lock(*packages: dict[str, Any], **more: Any) -> dict[str, Any]:
    platforms = sorted({one["platform"] for one in packages})
    told: dict[str, Any] = {
        "content_hash": {},
        "channels": [],
        "platforms": platforms,
        "sources": [],
    }
    return {"version": 1, "metadata": told, "package": list(packages)} | more


def test_each_file_is_named_with_its_hash_and_what_others_need_is_first() -> None:
    found = conda_lock.read(
        lock(
            of_conda("numpy", "2.1.0", "python", "libblas"),
            of_conda("python", "3.12.7", "__glibc", "libzlib"),
            of_conda("libblas", "3.9.0"),
            of_conda("libzlib", "1.3.1"),
            of_conda("__glibc", "2.17"),
            of_conda("ruff", "0.8.0", category="lint"),
            of_conda("pytest", "8.0", category="dev"),
            of_conda("numpy", "2.1.0", platform="osx-arm64"),
            of_pip("tqdm", "4.67.0"),
            of_pip("mine", "1.0", source={"type": "url", "url": "git+https://h/mine@abc"}),
        ),
        PATH,
    )
    assert list(found) == ["linux-64"]
    one = found["linux-64"]
    assert one.python == "3.12"
    assert f"{CHANNEL}/linux-64/numpy-2.1.0-h1_0.conda#numpymd5" in one.conda
    names = [line.rpartition("/")[2].split("-")[0] for line in one.conda]
    assert sorted(names) == ["libblas", "libzlib", "numpy", "pytest", "python"]
    assert names.index("libzlib") < names.index("python") < names.index("numpy")
    assert one.pip == ["tqdm==4.67.0 --hash=sha256:ab"]
    assert one.addresses == ["mine @ git+https://h/mine@abc"]


def test_packages_that_need_one_another_keep_the_files_order() -> None:
    pair = [of_conda("python", "3.13", "pip"), of_conda("pip", "25", "python")]
    names = [
        line.rpartition("/")[2].split("-")[0]
        for line in conda_lock.read(lock(*pair), PATH)["linux-64"].conda
    ]
    assert names == ["python", "pip"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            lock(of_conda("a", "1", platform="osx-arm64"), of_conda("a", "1", platform="win-64")),
            "packages for osx-arm64, win-64, and none for linux-64 or linux-aarch64",
        ),
        ({"dependencies": ["python"]}, "is no lock file of conda-lock"),
        (lock(), "is no lock file of conda-lock"),
        ({"package": "a"}, "is no lock file of conda-lock"),
        (lock(of_conda("a", "1"), version=2), "of version 2, and 1 is known"),
        (lock(of_conda("a", "1"), version=None), "of version None, and 1 is known"),
        (lock(of_conda("a", "1", hash={})), "damaged at the package 'a'"),
        (lock(of_conda("a", "1", url="file:///a-1-0.conda")), "damaged at the package 'a'"),
        (lock(of_pip("a", "1 --index-url http://h")), "damaged at the package 'a'"),
        (lock(of_conda("a", "1", manager="npm")), "damaged at the package 'a'"),
        (lock(of_conda("a", "1", url="https://h/t/$TOKEN/a-1-0.conda")), "wants a secret"),
    ],
    ids=[
        "other platforms",
        "environment.yml",
        "empty",
        "no list",
        "newer",
        "no version",
        "no hash",
        "of here",
        "option",
        "manager",
        "private",
    ],
)
def test_what_is_no_lock_for_a_machine_is_refused(
    document: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "conda-lock.yml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(SettingsError, match=said) as caught:
        environment_file.read(path)
    assert caught.value.hint


def test_by_any_name_a_lock_is_sent_once_the_notebook_answers(tmp_path: Path) -> None:
    path, said = tmp_path / "mine.yml", list[str]()
    path.write_text(yaml.safe_dump(lock(of_conda("python", "3.12.7"), of_conda("numpy", "2.1"))))
    first, sent = environment_file.for_user_data(environment_file.read(path), said.append)
    assert yaml.safe_load(first)["dependencies"] == ["python=3.12", "ipykernel", "pip"]
    assert sent is not None
    assert (sent["name"], sent["text"]) == (str(path), "")
    assert len(sent["locks"]["linux-64"]["conda"]) == 2
    assert said == [f"{path} is a lock file: it is sent once the notebook answers"]
