"""The key that signs: half of it lost, open to others, behind a passphrase."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ended

Run = Callable[..., Ended]
SECRET = "open sesame"


@pytest.fixture
def filled(at: Run, tmp_path: Path) -> Run:
    (tmp_path / "m").write_bytes(b"hello world")
    assert at("model", "register", "m", tmp_path / "m", "-v", "1.0.0").code == 0
    return at


def test_a_key_whose_public_half_is_gone_is_listed_and_signs(filled: Run) -> None:
    made = filled("key", "generate", "--json").json
    Path(f"{made['path']}.pub").unlink()
    [listed] = filled("key", "list", "--json").json
    assert (listed["fingerprint"], listed["private"]) == (made["fingerprint"], True)
    assert filled("sign", "m@1.0.0", "--json").json["signed_by"] == made["fingerprint"]


def test_a_key_whose_private_half_is_elsewhere_is_listed(filled: Run) -> None:
    made = filled("key", "generate", "--json").json
    Path(made["path"]).unlink()
    [listed] = filled("key", "list", "--json").json
    assert (listed["fingerprint"], listed["private"]) == (made["fingerprint"], False)


def test_what_lies_beside_the_keys_is_no_key(filled: Run) -> None:
    made = filled("key", "generate", "--json").json
    Path(made["path"]).with_name("notes.txt").write_text("the blue one is the old one")
    Path(made["path"]).with_name("folder").mkdir()
    assert len(filled("key", "list", "--json").json) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_private_key_that_others_can_read_is_refused(filled: Run, mode: int) -> None:
    made = filled("key", "generate", "--json").json
    Path(made["path"]).chmod(mode)
    refused = filled("sign", "m@1.0.0", "--json")
    assert (refused.code, refused.error["code"]) == (1, "failed")
    assert refused.error["hint"] == f"chmod 600 {made['path']}"
    Path(made["path"]).chmod(0o400)
    assert filled("sign", "m@1.0.0").code == 0


@pytest.fixture
def locked(filled: Run, shell: Run) -> str:
    """A key with a passphrase; its fingerprint."""
    made = filled("key", "generate", "--json").json
    assert shell("ssh-keygen", "-q", "-p", "-P", "", "-N", SECRET, "-f", made["path"]).code == 0
    return str(made["fingerprint"])


def typed_into(terminal: list[str], answer: str) -> tuple[int, str]:
    """Run a command on a terminal of its own, answer its first question, and return its exit code and what it said."""
    child, control = pty.fork()
    if child == 0:
        os.execvp(terminal[0], terminal)
    said = b""
    while b": " not in said:
        said += os.read(control, 4096)
    os.write(control, f"{answer}\n".encode())
    try:
        while more := os.read(control, 4096):
            said += more
    except OSError:
        pass  # that is how Linux says that the other side is closed
    _, status = os.waitpid(child, 0)
    os.close(control)
    return os.waitstatus_to_exitcode(status), said.decode()


@pytest.mark.usefixtures("shell")
def test_a_passphrase_is_asked_for_once_on_a_terminal(
    filled: Run, locked: str, registry_path: Path, tmp_path: Path
) -> None:
    words = ["git-pacha", "--registry", str(registry_path), "model", "register", "m", str(tmp_path / "m"), "--sign"]
    code, said = typed_into([*words, "-v", "1.1.0"], SECRET)
    assert code == 0, said
    assert said.count("Passphrase of ") == 1
    assert SECRET not in said
    assert filled("model", "get", "m@1.1.0", "--json").json["signed_by"] == locked
    code, said = typed_into([*words, "-v", "1.2.0"], "open barley")
    assert code == 2, said
    assert "the passphrase is wrong" in said
    code, said = typed_into([*words, "-v", "1.2.0"], "\x04")
    assert code == 2, said
    assert "no passphrase was given" in said
    assert filled("model", "get", "m@1.2.0").code == 3


def test_without_a_terminal_an_encrypted_key_is_refused(
    filled: Run, locked: str, shell: Run, registry_path: Path
) -> None:
    refused = shell("git-pacha", "--registry", registry_path, "sign", "m@1.0.0", input=b"")
    assert refused.code == 2
    assert locked in refused.err
    assert "ssh-keygen -p" in refused.err
