"""A WebAuthn authenticator and its browser in software, for passkey ceremonies without hardware.

Options and responses use WebAuthn's JSON (`PublicKeyCredentialCreationOptionsJSON`, `RegistrationResponseJSON` and so
on): dicts in which bytes are base64url text without padding. `create` and `get` refuse the same requests as a browser.
`Tamper` falsifies parts of a response, so that you can test whether a server rejects it.
"""

from dlt_authsignal.passkey.keys import ALGORITHMS, Credential
from dlt_authsignal.passkey.software import SOFTWARE_AAGUID, SoftwarePasskey
from dlt_authsignal.passkey.tamper import HONEST, Tamper

__all__ = ["SoftwarePasskey", "Tamper", "HONEST", "Credential", "ALGORITHMS", "SOFTWARE_AAGUID"]
