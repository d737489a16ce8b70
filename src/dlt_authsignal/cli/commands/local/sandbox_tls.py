"""`dlt-authsignal sandbox --tls`: its options, and how to make programs trust its certificate."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.cli.output.sandbox import Trust
from dlt_authsignal.errors import ConfigurationError

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.app.serving.certificate import Certificate

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
