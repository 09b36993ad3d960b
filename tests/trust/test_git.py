"""Stock git on commits that carry our signatures, and our verdict on commits that git signed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git.errors import VerificationFailed
from pacha_git.trust.keypair import generate, private_openssh
from pacha_git.trust.signers import Signers
from pacha_git.trust.sshsig import EVENT_NAMESPACE, GIT_NAMESPACE, sign, verify

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
COMMIT = f"""\
tree {EMPTY_TREE}
author Ada Tester <ada@example.org> 1767225600 +0000
committer Ada Tester <ada@example.org> 1767225600 +0000

model x 1.0.0

Pacha-Kind: model
Pacha-Record: blake3:{"0" * 64}
""".encode()
COMMITTED_AT = "2026-01-01T00:00:00Z"


class Repository:
    """A Git repository that trusts what is in one allowed_signers file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "-q", str(path), at=path.parent)
        self.signers = path.parent / "allowed_signers"
        self.git("config", "gpg.format", "ssh")
        self.git("config", "gpg.ssh.allowedSignersFile", str(self.signers))

    def git(self, *arguments: str, data: bytes = b"", at: Path | None = None) -> bytes:
        done = self.run(*arguments, data=data, at=at)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *arguments: str, data: bytes = b"", at: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["git", *arguments], input=data, capture_output=True, cwd=at or self.path, timeout=60)

    def commit(self, body: bytes) -> str:
        return self.git("hash-object", "-t", "commit", "-w", "--stdin", data=body).decode().strip()

    def verdict(self, commit: str) -> tuple[int, str]:
        said = self.run("verify-commit", commit)
        return said.returncode, said.stderr.decode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.git("mktree")
    return made


def signed(body: bytes, signature: str) -> bytes:
    """The commit with a gpgsig header: each further line begins with a space."""
    head, message = body.split(b"\n\n", 1)
    return head + b"\ngpgsig " + signature.strip().replace("\n", "\n ").encode() + b"\n\n" + message


def test_git_finds_our_signature_good(repository: Repository) -> None:
    pair = generate()
    repository.signers.write_bytes(Signers().add("ada@example.org", pair.public, namespaces=["git"]).encode())
    status, said = repository.verdict(repository.commit(signed(COMMIT, sign(pair, COMMIT, GIT_NAMESPACE))))
    assert status == 0
    assert f'Good "git" signature for ada@example.org with ED25519 key {pair.public.fingerprint}' in said


def test_git_and_we_refuse_the_same(repository: Repository) -> None:
    pair, stranger = generate(), generate()
    signers = Signers().add("ada", pair.public)
    repository.signers.write_bytes(signers.encode())
    altered = COMMIT.replace(b"1.0.0", b"1.0.1")
    cases: list[tuple[bytes, str]] = [
        (altered, sign(pair, COMMIT, GIT_NAMESPACE)),
        (COMMIT, sign(pair, COMMIT, EVENT_NAMESPACE)),
        (COMMIT, sign(stranger, COMMIT, GIT_NAMESPACE)),
    ]
    for body, signature in cases:
        assert repository.verdict(repository.commit(signed(body, signature)))[0] == 1
        assert _our_verdict(signers, body, signature) is None
    assert _our_verdict(signers, COMMIT, sign(pair, COMMIT, GIT_NAMESPACE)) == "ada"


@pytest.mark.parametrize(
    ("options", "good"),
    [
        ({"valid_before": "2026-01-01T00:00:00Z"}, True),
        ({"valid_before": "2025-12-31T23:59:59Z"}, False),
        ({"valid_after": "2026-01-01T00:00:00Z"}, True),
        ({"valid_after": "2026-01-01T00:00:01Z"}, False),
        ({"namespaces": ["file", "git"]}, True),
        ({"namespaces": ["file"]}, False),
    ],
)
def test_git_and_we_agree_on_when_and_what(
    options: dict[str, str | list[str]], good: bool, repository: Repository
) -> None:
    pair = generate()
    add: Callable[..., Signers] = Signers().add
    signers = add("ada", pair.public, **options)
    repository.signers.write_bytes(signers.encode())
    signature = sign(pair, COMMIT, GIT_NAMESPACE)
    assert (repository.verdict(repository.commit(signed(COMMIT, signature)))[0] == 0) is good
    assert (_our_verdict(signers, COMMIT, signature) == "ada") is good


def test_we_accept_what_git_signed(repository: Repository, tmp_path: Path) -> None:
    pair = generate()
    key = tmp_path / "key"
    key.write_bytes(private_openssh(pair, "ada"))
    key.chmod(0o600)
    arguments = ("-c", f"user.signingKey={key}", "commit-tree", "-S", "-m", "by git", EMPTY_TREE)
    body = repository.git("cat-file", "commit", repository.git(*arguments).decode().strip())
    head, rest = body.split(b"gpgsig ", 1)
    folded, ended, after = rest.partition(b"-----END SSH SIGNATURE-----\n")
    signature = (folded + ended).decode().replace("\n ", "\n")
    assert verify(signature, head + after, GIT_NAMESPACE) == pair.public


def _our_verdict(signers: Signers, body: bytes, signature: str) -> str | None:
    try:
        key = verify(signature, body, GIT_NAMESPACE)
    except VerificationFailed:
        return None
    return signers.principal_of(key, namespace=GIT_NAMESPACE, at=COMMITTED_AT)
