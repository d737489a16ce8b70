"""Kinds of personal data. Every column of the table registry has one of them."""

import re
import unicodedata
from functools import lru_cache
from typing import Final, Literal

from dlt_authsignal.schema.words import words_of

Kind = Literal[
    "plain",
    "email",
    "phone",
    "name",
    "user_id",
    "ip",
    "user_agent",
    "device",
    "credential",
    "free-form",
    "words",
    "secret",
]
"""`words` is human-readable text that may quote anything. `secret` is never loaded; `secret_fields` lists the names."""

Sensitivity = Literal["plain", "direct", "quasi", "free-form", "secret"]

SENSITIVITY: Final[dict[Kind, Sensitivity]] = {
    "plain": "plain",
    "email": "direct",
    "phone": "direct",
    "name": "direct",
    "user_id": "direct",
    "ip": "quasi",
    "user_agent": "quasi",
    "device": "quasi",
    "credential": "quasi",
    "free-form": "free-form",
    "words": "free-form",
    "secret": "secret",
}
"""A direct identifier identifies a person; a quasi-identifier may do so with others; free-form may be anything."""

FREE_FORM: Final = frozenset({"custom", "output"})
"""Fields with free-form data of the customer, in any table."""

_FREE_FORM_WORD: Final = re.compile(
    r"customs?|metas?|metadata|freeform|extras?|attributes?|attrs?|properties|props|traits?|claims?|payloads?|outputs?"
    r"|additionals?|arbitrary|adhoc|unstructured|userdata|appdata|customdata|customfields?|customattributes?"
    r"|customproperties|userdefined|appmetadata|usermetadata|annotations?|data|.*(?:user|client|customer|external|extra)data"
    r"|contexts?|params|parameters|vars|variables|extensions?|blobs?|misc"
)
_BY_ENDING: Final[tuple[tuple[str, Kind], ...]] = (
    ("useragent", "user_agent"),
    ("deviceid", "device"),
    ("credentialid", "credential"),
)
_IDENTITY_NUMBER: Final = re.compile(
    r".*(?:socialsecurity|passport|nationalinsurance|ssn|iban|aadhaar|cpf|medicare|bankaccount).*"
    r"|.*(?:tax|national|personal|person|citizen|civil|patient|student|licen[cs]e|identity|vat|social|sin)(?:file)?"
    r"(?:id|identifier|no|nr|num|number|card)s?"
    r"|.*(?:account|member|membership|customer|employee|insurance|nhs|medical|health|cc)(?:no|nr|num|number)s?"
    r"|id(?:no|nr|num|number|card)s?|.*(?:licen[cs]e|number)plates?|.*ime?i|imsi|iccid|tfn|nino|dni|nif|nie|bsn|pesel"
)
_PHONE_NUMBER: Final = re.compile(
    r".*(?:contact|work|home|office|sms|call|calling|caller|dial|cell|voice|landline)(?:no|nr|num|number)s?"
)
_BY_WORD: Final[tuple[tuple[re.Pattern[str], Kind], ...]] = (
    (re.compile(r"e?mail.*|.*email"), "email"),
    (re.compile(r"(?:tele)?phone.*|.*phones?|mobiles?|cell|cellular|tel|msisdn|fax|whatsapp"), "phone"),
    (re.compile(r"ip|ips|ipv[46]|ipaddress(es)?|remoteaddr"), "ip"),
    (re.compile(r".*names?|.*address(es)?|addr|street"), "name"),
)
_BY_LAST_WORD: Final = re.compile(
    r"nicks?|alias(?:es)?|handles?|logins?|initials|users?|managers?|approvers?|reviewers?|assignees?|requesters?|partners?|who|whom|whose|owners?|authors?|creators?|person|people|persona"
    r"|by|spouse|employer|recipients?|ssn|sin|nin|nhs|cpf|iban|passport|passports|license|licence|nationality|gender|sex"
    r"|religion|ethnicity|contacts?|age|salary|lat|latitude|lng|lon|longitude|coordinates?|geo|geolocation|gps"
)
_BIRTH: Final = re.compile(r".*birth.*|dob|bday|born|geburt.*|anniversary|wedding|death|deceased")
_DESCRIBES: Final = re.compile(
    r"counts?|counter|total|attempts|retries|remaining|score|length|limit|max|min|type|types|status|verified|confirmed"
    r"|enabled|disabled|required|active|valid|sent|allowed|provider|method|methods|channel|platform|template|version"
)
"""Last words of names that describe an identifier and do not contain it: `emailCount`, `phoneType`."""

_TIME_ENDINGS: Final = frozenset({"at", "time", "timestamp", "since", "until"})
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


@lru_cache(maxsize=4096)
def kind_by_name(name: str) -> Kind:
    """Return the kind of an undeclared field, judged by its name in any spelling; `plain` if the name is unknown."""
    words = [word.lower() for word in _WORD.findall(unicodedata.normalize("NFKC", name))]
    together = "".join(words)
    for ending, kind in _BY_ENDING:
        if together.endswith(ending):
            return kind
    endings = (together, "".join(words[-2:]), *words[-1:])  # the words before may be those of parents
    if any(map(_BIRTH.fullmatch, words)) or any(map(_IDENTITY_NUMBER.fullmatch, endings)):
        return "name"
    if words and _DESCRIBES.fullmatch(words[-1]):
        return "plain"
    if _PHONE_NUMBER.fullmatch(together):
        return "phone"
    found: Kind = next((kind for known, kind in _BY_WORD if any(map(known.fullmatch, words))), "plain")
    return "name" if found == "plain" and words and _BY_LAST_WORD.fullmatch(words[-1]) else found


@lru_cache(maxsize=4096)
def is_time_name(name: str) -> bool:
    """Return whether a field named like an identifier may contain a time instead: `emailVerifiedAt`, no birth date."""
    words = words_of(name)
    return bool(words) and words[-1] in _TIME_ENDINGS and not any(map(_BIRTH.fullmatch, words))


@lru_cache(maxsize=4096)
def is_free_form(field: str) -> bool:
    """Return whether an object or list in this field is free-form data: `custom`, `customData`, `userMetadata`."""
    words = words_of(field)
    together = "".join(words)
    return field in FREE_FORM or any(map(_FREE_FORM_WORD.fullmatch, (*words, together))) or "metadata" in together
