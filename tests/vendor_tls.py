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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate(*names))
        return context

    def certificate(self, *names: str) -> tuple[Path, Path]:
        """Return the files of a certificate for `names` and of its key."""
        certificate, key = self._files(names[0])
        signing = ("-CA", self.ca_file, "-CAkey", self.directory / "ca.key")
        extra = (f"subjectAltName={','.join(names)}", "basicConstraints=CA:FALSE")
        _certify(certificate, key, "/CN=vendor", extra, *signing)
        return certificate, key

    def expired(self, *names: str) -> tuple[Path, Path]:
        """Return the same, but of a certificate that ended yesterday."""
        certificate, key = self._files(f"expired-{names[0]}")
        request = certificate.with_suffix(".csr")
        asked = ["openssl", "req", "-new", *KEY, "-subj", "/CN=vendor", "-keyout", key]
        names_in = ("-addext", f"subjectAltName={','.join(names)}")
        subprocess.run([*asked, *names_in, "-out", request], check=True, capture_output=True)
        signing = ("-CA", self.ca_file, "-CAkey", self.directory / "ca.key", "-days", "-1")
        signed = ["openssl", "x509", "-req", "-in", request, "-copy_extensions", "copyall"]
        subprocess.run([*signed, *signing, "-out", certificate], check=True, capture_output=True)
        return certificate, key

    def _files(self, name: str) -> tuple[Path, Path]:
        stem = name.replace(":", "-")
        return self.directory / f"{stem}.pem", self.directory / f"{stem}.key"


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
