"""The behaviour of the hosted pages that Authsignal does not document. Nothing else states it in code.

Documented: `track` returns the URL. The browser SDK appends `&mode=popup` to it for `popup` and `window`, and waits for
the messages in `static/hosted.js`. After the challenge, the pages go to `redirectUrl` with the query parameter `token`.
The theme and the message overrides have the fields of Authsignal's Go client.
"""

from typing import Final

ASSUMPTIONS: Final = (
    ("address of the hosted pages", "`/hosted/` of the sandbox itself"),
    ("look of the pages, order of their steps, default texts", "the sandbox's own"),
    ("when is a code or a link sent?", "when the user chooses the method, never by opening a page"),
    ("methods of the pages", "passkey, security key, authenticator app, SMS, WhatsApp, e-mail code, e-mail link"),
    (
        "methods that the pages offer",
        "enrolled ones that the action allows; before the first enrolment, all active ones",
    ),
    ("recovery codes", "shown after the first enrolment on the pages, unless the tenant hides or disables them"),
    (
        "token that the pages hand over",
        "the new one of the verification; after Cancel, none in a pop-up, else the first",
    ),
    ("`redirectUrl` that is not an http or https URL", "is not followed; the page says so"),
    ("`redirectToSettings`, `customDomain`, custom templates and fonts of the theme", "ignored"),
    ("ids of message overrides", "those of the sandbox, below; other ids have no effect"),
    ("language of the pages", "English, unless overrides for the user's locale or its language replace the texts"),
    ("dark mode", "as the browser prefers; without `darkMode` in the theme, only `primaryColor` applies to it"),
)
"""(question, what the sandbox does), as docs/sandbox.md lists them."""
