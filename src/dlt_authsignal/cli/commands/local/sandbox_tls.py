"""`dlt-authsignal sandbox --tls`: its options, and how to make programs trust its certificate."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.errors import ConfigurationError

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.app.certificate import Certificate

CA_FILE: Final = "authsignal-sandbox-ca.pem"


def tls_options(command: Any) -> Any:
    """Add `--tls` and `--tls-ca`."""
    for option in (
        click.option(
            "--tls-ca",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help=f"File for the certificate to trust. Implies --tls.  [default: {CA_FILE}]",
        ),
        click.option(
            "--tls",
            is_flag=True,
            help="Serve HTTPS, with a certificate made at this start for localhost, loopback addresses, --host, --rp-id"
            " and each --allow-host. Prints how to trust it.",
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Trust:
    """Where the certificate to trust is, and how programs use it."""

    file: Path
    key_hash: str

    @property
    def quoted(self) -> str:
        """The path as a shell takes it."""
        return shlex.quote(str(self.file))

    def lines(self) -> tuple[str, ...]:
        """The lines of the banner."""
        return (
            f"  trust    {self.file}   (made for this start; no private key is stored)",
            f"    curl     curl --cacert {self.quoted} …",
            f"    Python   export SSL_CERT_FILE={self.quoted} REQUESTS_CA_BUNDLE={self.quoted}",
            f"    Node     export NODE_EXTRA_CA_CERTS={self.quoted}",
            f"    browser  import the file as an authority; or, in tests, start Chromium with"
            f" --ignore-certificate-errors-spki-list={self.key_hash}",
        )


def written(certificate: "Certificate", file: Path | None) -> Trust:
    """Write the certificate to trust.

    Raises:
        ConfigurationError: The file cannot be written, or is another file.
    """
    path = (file or Path(CA_FILE)).absolute()
    try:
        certificate.write_authority(path)
    except ValueError as error:
        raise ConfigurationError(f"{error} Choose another file with --tls-ca.") from None
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write the certificate to {path}: {error.strerror}. Choose another file with --tls-ca."
        ) from None
    return Trust(path, certificate.key_hash)
