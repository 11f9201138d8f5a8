"""Passwords: made, weighed, and hashed as Jupyter takes them."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from jupyter_server.auth import security

from wrapper import password
from wrapper.errors import PasswordError

if TYPE_CHECKING:
    from collections.abc import Callable

passwd = cast("Callable[..., str]", security.passwd)
passwd_check = cast("Callable[[str, str], bool]", security.passwd_check)


def test_a_generated_password_is_five_words_of_sixteen_bits() -> None:
    made = {password.generate() for _ in range(200)}
    assert len(made) == 200
    for one in made:
        words = one.split("-")
        assert [len(word) for word in words] == [5] * 5
        assert all(set(word) <= set("abdfghijklmnoprstuvz") for word in words)
        password.check_strength(one)


def test_every_number_has_a_word_of_its_own() -> None:
    # https://arxiv.org/html/0901.4016: 127.0.0.1 is lusab-babad
    assert password._proquint(0x7F00) == "lusab"
    assert password._proquint(0x0001) == "babad"
    assert len({password._proquint(number) for number in range(1 << 16)}) == 1 << 16


@pytest.mark.parametrize(
    ("weak", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("jupyter", "too weak", id="what it is for"),
        pytest.param("password1", "common", id="common"),
        pytest.param("qwertyuiop", "common", id="a row of keys"),
        pytest.param("20.12.1984", "[Dd]ates", id="a date"),
        pytest.param("aaaaaaaaaaaa", "[Rr]epeat", id="one letter"),
        pytest.param("analysis-2", "too weak", id="the deployment's name"),
        pytest.param("tab\tulator and more words", "cannot be typed", id="a control character"),
        pytest.param("x" * 5000, "longer than", id="endless"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason_and_not_repeated(
    weak: str, reason: str
) -> None:
    with pytest.raises(PasswordError, match=reason) as raised:
        password.check_strength(weak, related=["analysis"])
    assert raised.value.hint
    assert not weak or weak not in raised.value.message


@pytest.mark.parametrize(
    "strong", ["correct horse battery staple", "ß7¡dlöw-Kÿ", "x7#qLw9!tz" * 20]
)
def test_a_strong_password_is_taken(strong: str) -> None:
    password.check_strength(strong)


def test_jupyter_accepts_the_hash_and_only_with_its_password() -> None:
    hashed = password.hash_password("correct horse")
    assert hashed.startswith("argon2:$argon2id$")
    assert passwd_check(hashed, "correct horse")
    assert not passwd_check(hashed, "correct house")
    assert hashed != password.hash_password("correct horse")


def test_a_password_file_gives_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes("größer als du denkst \r\nsecond line\n".encode())
    assert password.from_file(path) == "größer als du denkst "


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"", "empty first line", id="empty"),
        pytest.param(b"\nsecret\n", "empty first line", id="first line empty"),
        pytest.param(b"\xff\xfes\x00e\x00", "not text in UTF-8", id="UTF-16"),
    ],
)
def test_an_unusable_password_file_is_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PasswordError, match=reason) as raised:
        password.from_file(path)
    assert str(path) in raised.value.message
    assert raised.value.__cause__ is None or isinstance(raised.value.__cause__, OSError)


def test_a_folder_is_no_password_file(tmp_path: Path) -> None:
    with pytest.raises(PasswordError, match="cannot be read: Is a directory"):
        password.from_file(tmp_path)
