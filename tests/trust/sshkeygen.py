"""The real ssh-keygen, as a counterpart; it knows how to call it, not what it should answer."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY_OPTIONS = {
    "ed25519": ("-t", "ed25519"),
    "rsa": ("-t", "rsa", "-b", "2048"),
    "nistp256": ("-t", "ecdsa", "-b", "256"),
    "nistp384": ("-t", "ecdsa", "-b", "384"),
    "nistp521": ("-t", "ecdsa", "-b", "521"),
}


@dataclass(frozen=True)
class SshKeygen:
    """Runs ssh-keygen on files in one folder."""

    folder: Path

    def run(self, *arguments: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["ssh-keygen", *map(str, arguments)], input=data, capture_output=True, timeout=60)

    def write(self, name: str, data: bytes | str, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path.chmod(mode)
        return path

    def make(self, name: str, *options: str, passphrase: str = "") -> Path:
        """Make a key pair in OpenSSH's format; its comment is the name."""
        path = self.folder / name
        made = self.run("-q", *options, "-N", passphrase, "-C", name, "-f", path)
        assert made.returncode == 0, made.stderr
        return path

    def sign(self, key: Path, message: bytes, namespace: str, *options: str) -> str:
        signed = self.run("-q", "-Y", "sign", "-f", key, "-n", namespace, *options, data=message)
        assert signed.returncode == 0, signed.stderr
        return signed.stdout.decode()

    def accepts(
        self, signers: bytes, signature: str, message: bytes, *, principal: str, namespace: str, at: str = ""
    ) -> bool:
        """What ``ssh-keygen -Y verify`` says; ``at`` is YYYYMMDDHHMMSSZ."""
        time = (f"-Overify-time={at}",) if at else ()
        return not self.run(
            "-Y", "verify", "-f", self.write("allowed_signers", signers), "-I", principal, "-n", namespace,
            "-s", self.write("message.sig", signature), *time, data=message,
        ).returncode  # fmt: skip

    def find_principals(self, signers: bytes, signature: str, at: str = "") -> list[str]:
        time = (f"-Overify-time={at}",) if at else ()
        found = self.run(
            "-Y", "find-principals", "-f", self.write("allowed_signers", signers),
            "-s", self.write("message.sig", signature), *time,
        )  # fmt: skip
        return found.stdout.decode().splitlines()
