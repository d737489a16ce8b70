"""A WebAuthn authenticator and its browser in software: passkey ceremonies without either.

Options and answers are those of WebAuthn's JSON (`PublicKeyCredentialCreationOptionsJSON`, `RegistrationResponseJSON`
and so on): dicts whose bytes are base64url text without padding. `create` and `get` refuse what a browser refuses;
`Tamper` makes them lie, so that a server can be tested against lies.
"""

from dlt_authsignal.passkey.keys import ALGORITHMS, Credential
from dlt_authsignal.passkey.software import SOFTWARE_AAGUID, SoftwarePasskey
from dlt_authsignal.passkey.tamper import HONEST, Tamper

__all__ = ["SoftwarePasskey", "Tamper", "HONEST", "Credential", "ALGORITHMS", "SOFTWARE_AAGUID"]
