"""Certificates for a vendor over TLS, made by the `openssl` command when they are needed."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl_is_there() -> bool:
    return shutil.which("openssl") is not None


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in a directory of its own."""

    directory: Path

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.pem"

    def server(self, *names: str) -> ssl.SSLContext:
        """Return a server's side for `names` (`IP:127.0.0.1`, `DNS:vendor.test`)."""
        stem = names[0].replace(":", "-")
        certificate, key = self.directory / f"{stem}.pem", self.directory / f"{stem}.key"
        signing = ("-CA", self.ca_file, "-CAkey", self.directory / "ca.key")
        extra = (f"subjectAltName={','.join(names)}", "basicConstraints=CA:FALSE")
        _certify(certificate, key, "/CN=vendor", extra, *signing)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


def authority(directory: Path) -> Authority:
    """Make a certificate authority in `directory`."""
    made = Authority(directory)
    extra = ("keyUsage=critical,keyCertSign,cRLSign",)
    _certify(made.ca_file, directory / "ca.key", "/CN=test authority", extra)
    return made


def _certify(
    certificate: Path, key: Path, subject: str, extra: tuple[str, ...], *signing: str | Path
) -> None:
    extensions = [word for line in extra for word in ("-addext", line)]
    command = ["openssl", "req", "-x509", *KEY, "-days", "2", "-subj", subject]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run([*command, *extensions, *signing, *files], check=True, capture_output=True)
