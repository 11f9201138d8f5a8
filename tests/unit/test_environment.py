"""A child sees what it needs and no more."""

from __future__ import annotations

from wrapper import environment

MINE = {
    "PATH": "/bin",
    "HOME": "/home/me",
    "LANG": "C.UTF-8",
    "AWS_PROFILE": "work",
    "AWS_SECRET_ACCESS_KEY": "mine",
    "https_proxy": "http://proxy:3128",
    "SSL_CERT_FILE": "/ca.pem",
    "TF_CLI_CONFIG_FILE": "/rc",
    "TF_CLI_ARGS_apply": "-target=x",
    "TF_WORKSPACE": "other",
    "TF_VAR_password_hash": "argon2:x",
    "JUPYTER_CLOUDS_PASSWORD_FILE": "/secret",
    "GITHUB_TOKEN": "ghp_secret",
}
LOCAL = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:5999",
    "AWS_ACCESS_KEY_ID": "local",
    "TF_VAR_miniforge_url": "http://198.18.0.1/x.sh",
}


def test_terraform_gets_credentials_proxies_and_no_stranger() -> None:
    seen = environment.for_terraform(MINE, None)
    assert {"PATH", "HOME", "LANG", "AWS_PROFILE", "https_proxy", "SSL_CERT_FILE"} <= set(seen)
    assert not {"GITHUB_TOKEN", "JUPYTER_CLOUDS_PASSWORD_FILE"} & set(seen)


def test_nothing_changes_what_our_terraform_commands_mean() -> None:
    seen = environment.for_terraform(MINE, None)
    assert not {"TF_CLI_ARGS_apply", "TF_WORKSPACE", "TF_VAR_password_hash"} & set(seen)
    assert seen["TF_CLI_CONFIG_FILE"] == "/rc"


def test_the_embedded_ec2_never_sees_real_credentials() -> None:
    for seen in (environment.for_terraform(MINE, LOCAL), environment.for_aws(MINE, LOCAL)):
        assert seen["AWS_ENDPOINT_URL"] == LOCAL["AWS_ENDPOINT_URL"]
        assert not {"AWS_PROFILE", "AWS_SECRET_ACCESS_KEY"} & set(seen)


def test_what_the_embedded_ec2_asks_of_the_module_is_passed_as_variables() -> None:
    assert environment.terraform_variables(LOCAL) == {"miniforge_url": "http://198.18.0.1/x.sh"}
    assert environment.terraform_variables(None) == {}
