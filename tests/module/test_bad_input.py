"""A wrong value is refused by the module's own validations, in words that help."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.module.cases import ARGON2, ED25519, HASH
from tests.module.copies import REPOSITORY, Copy

if TYPE_CHECKING:
    from tests.ec2 import Account


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, shared_account: Account) -> Copy:
    """The module's inputs and their validations alone: no provider has to start."""
    directory = tmp_path_factory.mktemp("inputs")
    for name in ("variables.tf", "validation.tf"):
        shutil.copy(REPOSITORY / name, directory)
    return Copy(directory, shared_account)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({"data_volume_size": 1.5}, "data_volume_size: a whole number", id="half-gib"),
        pytest.param({"data_volume_size": -1}, "data_volume_size: a whole number", id="negative"),
        pytest.param({"data_volume_id": "mine"}, "data_volume_id: a volume's id", id="volume-id"),
        pytest.param({"data_snapshot_id": "mine"}, "a snapshot's id looks like", id="snapshot-id"),
        pytest.param(
            {"data_snapshot_id": "snap-12345678", "data_volume_size": 0},
            "it is a new volume that starts from a snapshot",
            id="snapshot-without-volume",
        ),
        pytest.param(
            {
                "data_snapshot_id": "snap-1234abcd",
                "data_volume_id": "vol-1234abcd",
                "data_volume_size": 9,
            },
            "a volume that exists cannot start from a snapshot",
            id="snapshot-and-volume",
        ),
        pytest.param({"bucket": "s3://mine"}, "bucket: NAME or NAME/PREFIX", id="bucket-url"),
        pytest.param({"bucket": "mine/"}, "bucket: NAME or NAME/PREFIX", id="bucket-slash"),
        pytest.param({"bucket": "mine/*"}, "bucket: NAME or NAME/PREFIX", id="bucket-wildcard"),
        pytest.param({"zone_id": "example.org"}, "zone_id: a hosted zone's id", id="zone-name"),
        pytest.param({"zone_id": "Z0123456789"}, "zone_id: give domain too", id="zone-no-domain"),
        pytest.param(
            {"zone_id": "Z0123456789", "domain": "a.example.org", "elastic_ip": False},
            "zone_id: the record is of the Elastic IP",
            id="zone-no-address",
        ),
        pytest.param({"name": "my notebook"}, "name: 1 to 32 lower-case letters", id="spaces"),
        pytest.param({"name": "n" * 33}, "name: 1 to 32 lower-case letters", id="long-name"),
        pytest.param({"name": "1st"}, "name: 1 to 32 lower-case letters", id="digit-first"),
        pytest.param(
            {"allowed_cidrs": ["203.0.113.7"]}, "not a CIDR block: 203.0.113.7", id="no-prefix"
        ),
        pytest.param(
            {"allowed_cidrs": ["my house/32"]}, "not a CIDR block: my house/32", id="no-address"
        ),
        pytest.param({"allowed_cidrs": ["0.0.0.0/0"]}, "0.0.0.0/0 is the whole", id="world"),
        pytest.param({"allowed_cidrs": ["::/0"]}, "::/0 is the whole", id="world-ipv6"),
        pytest.param(
            {"allowed_cidrs": ["0.0.0.0/1", "128.0.0.0/1"]},
            "0.0.0.0/1, 128.0.0.0/1 is the whole",
            id="world-in-halves",
        ),
        pytest.param({"allowed_cidrs": ["10.1.2.3/32"]}, "10.1.2.3/32 is private", id="private"),
        pytest.param({"allowed_cidrs": ["172.31.0.0/16"]}, "is private", id="private-172"),
        pytest.param({"allowed_cidrs": ["192.168.1.0/24"]}, "is private", id="private-192"),
        pytest.param({"allowed_cidrs": ["100.64.9.9/32"]}, "is private", id="carrier-nat"),
        pytest.param({"allowed_cidrs": ["127.0.0.1/32"]}, "is private", id="loopback"),
        pytest.param({"allowed_cidrs": ["fd00::1/128"]}, "fd00::1/128 is private", id="ula"),
        pytest.param({"allowed_cidrs": ["::ffff:8.8.8.8/128"]}, "is private", id="mapped"),
        pytest.param(
            {"ssh_cidrs": ["0.0.0.0/0"], "ssh_public_key": ED25519}, "is the whole", id="ssh-world"
        ),
        pytest.param(
            {"ssh_cidrs": ["203.0.113.7/32"]}, "ssh_cidrs: give ssh_public_key too", id="ssh-no-key"
        ),
        pytest.param({"tls": "lets-encrypt"}, "tls: self-signed or letsencrypt", id="tls"),
        pytest.param(
            {"acme_directory": "http://ca.example/dir"},
            "acme_directory: an address",
            id="acme-http",
        ),
        pytest.param(
            {"route53_endpoint": "route53.example/zone"},
            "route53_endpoint: a URL of a host alone",
            id="route53-endpoint",
        ),
        pytest.param({"acme_ca": "ca.pem"}, "acme_ca: a certificate as PEM", id="acme-path"),
        pytest.param({"ssh_public_key": "~/.ssh/id_ed25519.pub"}, "not a path", id="key-path"),
        pytest.param({"password_hash": "secret"}, "in no known format", id="plain-password"),
        pytest.param({"password_hash": ""}, "in no known format", id="empty-password"),
        pytest.param({"password_hash": "sha512:ab:12"}, "in no known format", id="short-digest"),
        pytest.param(
            {"password_hash": "md5:ab:0123456789abcdef0123456789abcdef"},
            "in no known format",
            id="weak-digest",
        ),
        pytest.param({"environment": "a: [b"}, "environment: not YAML", id="not-yaml"),
        pytest.param({"environment": "environment.yml"}, "no dependencies", id="path-for-contents"),
        pytest.param({"environment": "dependencies: []"}, "no dependencies", id="none-listed"),
        pytest.param({"environment": "name: x"}, "no dependencies", id="no-list"),
        pytest.param(
            {"environment": "dependencies: [pip: ['git+https://token@github.com/me/x']]"},
            "a user or a password in an",
            id="password-for-pip",
        ),
        pytest.param(
            {"environment": "# https://me:password@h/conda\ndependencies: [x]"},
            "a user or a password in an",
            id="password-in-a-comment",
        ),
        pytest.param(
            {"environment": "channels: ['https://h/t/token/me']\ndependencies: [x]"},
            "a token in a channel's address",
            id="token-of-a-channel",
        ),
        pytest.param(
            {"environment": "dependencies: [x]\nvariables: {HF_TOKEN: abc}"},
            "a secret under variables",
            id="secret-variable",
        ),
        pytest.param(
            {"miniforge_url": "https://mirror.example/m.sh"}, "go together", id="unchecked-url"
        ),
        pytest.param(
            {"services_url": "s3://bucket/programs.json"}, "begins with https://", id="s3-url"
        ),
        pytest.param(
            {"services_endpoint": "bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com"},
            "a URL of a host alone",
            id="endpoint-without-scheme",
        ),
        pytest.param(
            {"services_endpoint": "https://s3.example/bucket"},
            "a URL of a host alone",
            id="endpoint-with-path",
        ),
        pytest.param({"miniforge_sha256": "abc"}, "64 hexadecimal digits", id="short-sha256"),
        pytest.param({"instance_type": "large"}, "looks like t3.large", id="type-form"),
        pytest.param({"ami_id": "ubuntu"}, "looks like ami-", id="image-form"),
        pytest.param({"subnet_id": "default"}, "looks like subnet-", id="subnet-form"),
        pytest.param({"domain": "localhost"}, "full domain name", id="domain-form"),
        pytest.param({"root_volume_size": 5}, "from 10 to 16384", id="small-disk"),
        pytest.param(
            {"repository": "git@github.com:a/b"}, "https://HOST/PATH", id="ssh-repository"
        ),
        pytest.param(
            {"repository": "https://me:token@github.com/a/b"}, "no user", id="repository-with-token"
        ),
        pytest.param({"generation": 0}, "a whole number from 1", id="generation"),
        pytest.param({"on_interruption": "sleep"}, "stop, hibernate or terminate", id="behavior"),
        pytest.param({"tags": {"Name": "x"}}, "are taken", id="taken-tag"),
    ],
)
def test_a_wrong_value_is_refused(inputs: Copy, variables: dict[str, Any], words: str) -> None:
    assert words in inputs.refusal(**variables)


@pytest.mark.parametrize(
    "password_hash",
    [
        pytest.param(HASH, id="sha512"),
        pytest.param("sha1:4f6a:" + "0a" * 20, id="sha1"),
        pytest.param(ARGON2, id="argon2"),
    ],
)
def test_jupyters_own_hashes_are_taken(inputs: Copy, password_hash: str) -> None:
    inputs.settings(password_hash=password_hash)

    assert "No changes" in inputs.terraform.plan()
