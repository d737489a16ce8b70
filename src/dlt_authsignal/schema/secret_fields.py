"""Fields that are never loaded, in any table: secrets, and large fields without information.

A name is judged by its words. Some words are certain (`token`, `password`), others only suspicious (`key`, `code`): a
country code is harmless, a login code is not. Declared columns are never suspicious.
"""

import re
from functools import cache, lru_cache
from typing import Final

from dlt_authsignal.schema.words import joined, words_of

SECRET_FIELDS: Final = frozenset(
    {
        "otpbinding",
        "otpuri",
        "secret",
        "totpsecret",
        "token",
        "tokenpayload",
        "accesstoken",
        "refreshtoken",
        "recoverycode",
        "recoverycodes",
        "pushtoken",
        "devicecode",
        "challenge",
        "challengeid",
        "verificationcode",
        "apisecretkey",
        "password",
        "passcode",
        "pin",
        "seed",
        "secretvalue",
    }
)
"""Names of Authsignal's secret fields, in lower case without separators."""

BULKY_FIELDS: Final = frozenset({"svgiconlight", "svgicondark"})
"""Icons of `aaguidMapping`: large data URIs, repeated on every passkey of a provider."""

_ANYWHERE: Final = re.compile(
    r"token|secret|passw(?:or)?d|passphrase|passcode|credential|mnemonic|recoverycode|p(?:ri|r)vkey|authcreds|refreshtkn|codeword|safeword|memorableword|recoverylist|backupcode|scratchcode"
    r"|verificationcode|securitycode|privatekey|apikey|accesskey|masterkey|encryptionkey|decryptionkey|signingkey"
    r"|sharedkey|sessionkey|sshkey|authkey|authenticationkey|securitykey|recoverykey|backupkey|sessionid|sessid"
    r"|passwort|kennwort|motdepasse|otpauth|recoverywords|keystore|recoveryphrase|seedphrase|samlresponse|[th]otp|otp(?:s|code|key|seed|uri|url|value)s?|csrf|xsrf"
)
"""Parts of names that mean a secret even in one word, such as `apikeysv2`."""

_AS_A_WORD: Final = re.compile(
    r"(?:otp|pin|seed|jwt|jws|jwe|pwd|passwd|pass|pw|bearer|cookie|authori[sz]ation|creds?|ott|otk|cvv|cvc|puk|sid|tan|psk)s?"
)
"""Words that mean a secret only if they stand alone: `pin` is also a part of `shipping`."""

_AT_THE_END: Final = re.compile(
    r"(?:.*(?:user|sms|mail|my|app|web|auth|login|temp|one|mfa|new|old|current|hashed|encrypted)"
    r"(?:otp|pin|seed|jwt|pwd|passwd|pass|pw|cookie)s?"
    r"|(?:otp|pin|seed|jwt|pwd|pw)(?:hash|value|text|string|data|key|code|plain|raw|base32|base64|hex)s?)"
)
_NOT_SECRET: Final = re.compile(r"passwordless|tokeni[sz](?:ed|ation|er|e)|passkey|seeded|seeding")

_HARMLESS_ENDS: Final = re.compile(
    r"(?:at|date|time|timestamp|ttl|expiry|expires|expired|expiration|duration|lifetime|minutes|seconds|hours|days|ms"
    r"|length|count|counter|total|limit|size|enabled|disabled|required|active|valid|verified|confirmed|used|sent|type"
    r"|types|status|method|methods|channel|mode|policy|version|kind|format|algorithm|provider|attempts|retries|remaining"
    r"|exists|strength|screen|prompt)"
)
"""Last words of names that describe a secret and do not contain it: `tokenExpiresAt`, `otpLength`."""

_HARMLESS_END_JOINED: Final = re.compile(
    r".*(?:(?:expires?|expiry|created|updated|sent|used|issued|changed|rotated|verified|revoked)(?:at|in|on)?"
    r"|length|count|type|status|enabled|required|attempts|ttl)"
)
_VERIFICATION_METHODS: Final = frozenset({"EMAIL_OTP"})
"""Values of `verificationMethod` that contain such a word, and may be keys of an object."""

_HARMLESS_STARTS: Final = frozenset(
    [
        "is",
        "has",
        "have",
        "can",
        "should",
        "must",
        "was",
        "were",
        "allow",
        "allows",
        "allowed",
        "require",
        "requires",
        "required",
        "disable",
        "disables",
        "disabled",
        "enable",
        "enables",
        "enabled",
        "hide",
        "hides",
        "show",
        "shows",
        "skip",
        "skips",
        "force",
        "max",
        "min",
        "num",
    ]
)
_HARMLESS_CREDENTIALS: Final = re.compile(
    r".*credentials?(?:ids?|backedup|devicetype|type|name|names|aaguid|attachment|transports?)|.*passkeycredentials?"
    r"|.*webauthncredentials?|.*publickeycredentials?"
)

_SUSPICIOUS: Final = re.compile(
    r"(?:key|code|hash|hashe|signature|salt|nonce|challenge|qrcode|magiclink|assertion|ticket|pepper|hmac|dsn|pem|pfx|dek"
    r"|kek|bcrypt|argon|jwk|mtan|itan|entropy|tkn|tok|verifier|pan|voiceprint|senha|clave|answer|sig)s?"
)
_SUSPICIOUS_END: Final = re.compile(
    r".*(?:auth|login|signin|signup|sms|mail|phone|user|device|access|confirm(?:ation)?|verify|reset|invite|invitation"
    r"|activation|magic|pairing|onetime|temp|mfa|2fa|twofactor|service|server|client|hmac|aes|rsa|webhook|license|root"
    r"|admin|app|data|wrapping|deploy|md5|sha1|sha256|bcrypt|argon2)(?:key|code|hash|link|url)(?:s|es)?"
    r"|.*(?:magic|login|signin|verification|reset|invite|activation|confirm(?:ation)?)(?:link|url|uri)(?:url|uri)?s?"
    r"|.*card(?:number|no|nr)s?|.*(?:credit|debit)cards?|.*connectionstrings?|.*(?:database|db|mongo|redis|postgres)(?:url|uri)"
    r"|.*(?:auth|authorization)headers?|basicauth|oauthstate|.*(?:face|biometric|fingerprint|voice)(?:template|print)s?"
    r"|.*qr(?:data|url)|.*(?:rsa|ssh|pgp|gpg|jwk|key)private|contrase(?:n)?as?"
)
_HARMLESS_BEFORE: Final = {
    "code": frozenset(
        [
            "action",
            "country",
            "error",
            "status",
            "state",
            "province",
            "region",
            "area",
            "zip",
            "postal",
            "post",
            "currency",
            "language",
            "lang",
            "locale",
            "dial",
            "dialing",
            "calling",
            "iso",
            "http",
            "response",
            "result",
            "reason",
            "return",
            "exit",
            "decline",
            "promo",
            "product",
            "department",
            "cost",
            "tenant",
            "organization",
            "company",
            "branch",
            "store",
            "event",
            "message",
            "template",
            "category",
            "type",
            "rule",
            "method",
            "source",
            "channel",
            "carrier",
            "network",
            "airline",
            "airport",
            "city",
            "color",
            "colour",
            "risk",
            "failure",
            "warning",
            "severity",
            "bar",
            "short",
        ]
    ),
    "key": frozenset(
        [
            "idempotency",
            "primary",
            "foreign",
            "public",
            "partition",
            "sort",
            "dedupe",
            "dedup",
            "deduplication",
            "unique",
            "translation",
            "i18n",
            "message",
            "template",
            "event",
            "cache",
            "lookup",
            "natural",
            "business",
            "surrogate",
            "composite",
            "merge",
            "row",
            "join",
            "group",
            "routing",
            "object",
            "file",
            "config",
            "setting",
            "feature",
            "flag",
            "shard",
            "index",
            "label",
            "reference",
            "correlation",
            "entity",
            "item",
            "issue",
            "project",
            "order",
        ]
    ),
    "hash": frozenset(["row", "commit", "content", "file", "git", "url", "build", "block"]),
}
_HARMLESS_AFTER: Final = re.compile(r"id|ids|name|names|index|label|usage")


@lru_cache(maxsize=4096)
def is_secret(field: str) -> bool:
    """Return whether a field or column name is certainly that of a secret."""
    last = field.rpartition("__")[2]
    if joined(last) in SECRET_FIELDS or joined(field) in SECRET_FIELDS:
        return True
    return not _is_harmless(last) and _is_certain(last)


def _is_certain(name: str) -> bool:
    together = _NOT_SECRET.sub("", joined(name))
    if _HARMLESS_CREDENTIALS.fullmatch(together):
        return False
    return bool(
        _ANYWHERE.search(together) or any(map(_AS_A_WORD.fullmatch, words_of(name))) or _AT_THE_END.fullmatch(together)
    )


@lru_cache(maxsize=4096)
def is_suspicious(name: str) -> bool:
    """Return whether the name of an undeclared column or key may be that of a secret, such as `code` or `loginCode`."""
    last = name.rpartition("__")[2]
    words = words_of(last)
    if not words or _is_harmless(last):
        return False
    for place, word in enumerate(words):
        if _SUSPICIOUS.fullmatch(word):
            singular = "hash" if word.startswith("hash") else word.removesuffix("s")
            before, after = words[place - 1] if place else "", words[place + 1] if place + 1 < len(words) else ""
            return not (before in _HARMLESS_BEFORE.get(singular, ()) or _HARMLESS_AFTER.fullmatch(after))
    together = joined(last)
    is_harmless = any(
        together.endswith((f"{before}{end}", f"{before}{end}s"))
        for end, known in _HARMLESS_BEFORE.items()
        for before in known
    )
    return not is_harmless and _SUSPICIOUS_END.fullmatch(together) is not None


def _is_harmless(name: str) -> bool:
    """Return whether a name describes a secret without containing it, or belongs to a declared column."""
    words, together = words_of(name), joined(name)
    if together in _declared() or name in _VERIFICATION_METHODS:
        return True
    if len(words) < 2:
        return _HARMLESS_END_JOINED.fullmatch(together) is not None
    return words[0] in _HARMLESS_STARTS or _HARMLESS_ENDS.fullmatch(words[-1]) is not None


@cache
def _declared() -> frozenset[str]:
    """Return the names of declared columns and of the API's fields in them, joined."""
    from dlt_authsignal.schema.tables.server import (
        TABLES,  # it needs no secret field; here, the order of imports is free
    )

    columns = [column for table in TABLES.values() for column in table.columns]
    parts = [part for column in columns for part in (column.field or column.name).replace("__", ".").split(".")]
    return frozenset(map(joined, [*parts, *(column.name for column in columns)]))


@lru_cache(maxsize=4096)
def is_withheld(field: str) -> bool:
    """Return whether a field is never loaded."""
    return is_secret(field) or joined(field) in BULKY_FIELDS
