"""The texts of the hosted pages. Message overrides of the tenant replace them by id."""

from collections.abc import Callable, Mapping
from typing import Any, Final

TEXTS: Final[Mapping[str, str]] = {
    "choose.title": "Verify that it is you",
    "choose.body": "Choose how to verify.",
    "enrol.title": "Protect your account",
    "enrol.body": "Choose a method. You will use it to verify that it is you.",
    "method.PASSKEY": "Passkey",
    "method.PASSKEY.hint": "Fingerprint, face or screen lock of a device",
    "method.SECURITY_KEY": "Security key",
    "method.SECURITY_KEY.hint": "A key that you plug in or hold near your device",
    "method.AUTHENTICATOR_APP": "Authenticator app",
    "method.AUTHENTICATOR_APP.hint": "A code from an app on your phone",
    "method.SMS": "Text message",
    "method.SMS.hint": "A code to your phone",
    "method.WHATSAPP": "WhatsApp",
    "method.WHATSAPP.hint": "A code to your phone",
    "method.EMAIL_OTP": "E-mail code",
    "method.EMAIL_OTP.hint": "A code to your e-mail address",
    "method.EMAIL_MAGIC_LINK": "E-mail link",
    "method.EMAIL_MAGIC_LINK.hint": "A link to your e-mail address",
    "method.RECOVERY_CODE": "Recovery code",
    "method.RECOVERY_CODE.hint": "One of the codes that you saved",
    "code.title": "Enter the code",
    "code.body": "We sent a code to {address}.",
    "code.app": "Enter the code that your authenticator app shows.",
    "code.recovery": "Enter one of your recovery codes. Each works once.",
    "code.label": "Code",
    "code.submit": "Continue",
    "code.again": "Send a new code",
    "code.wrong": "That code is not correct, or it has expired.",
    "code.too_many": "Too many wrong codes. Wait a few minutes, then try again.",
    "send.too_many": "Too many messages. Wait a few minutes, then try again.",
    "address.email.title": "Enter your e-mail address",
    "address.email.label": "E-mail address",
    "address.phone.title": "Enter your phone number",
    "address.phone.label": "Phone number with country code, such as +64 21 123 4567",
    "address.submit": "Continue",
    "address.missing": "Enter an address or a number.",
    "app.title": "Set up your authenticator app",
    "app.body": "Scan this QR code with the app. Then enter the code that the app shows.",
    "app.qr": "Image to scan with the authenticator app",
    "app.secret": "If you cannot scan it, enter this key in the app:",
    "link.title": "Check your e-mail",
    "link.body": "We sent a link to {address}. Open it, then return to this page.",
    "link.submit": "I have opened the link",
    "link.again": "Send a new link",
    "link.waiting": "The link has not been opened yet.",
    "device.PASSKEY.title": "Use your passkey",
    "device.PASSKEY.body": "Your device asks for your fingerprint, face or screen lock.",
    "device.PASSKEY.submit": "Use passkey",
    "device.SECURITY_KEY.title": "Use your security key",
    "device.SECURITY_KEY.body": "Plug in your key or hold it near your device.",
    "device.SECURITY_KEY.submit": "Use security key",
    "create.PASSKEY.title": "Create a passkey",
    "create.PASSKEY.body": "A passkey lets you sign in with your fingerprint, face or screen lock.",
    "create.PASSKEY.submit": "Create passkey",
    "create.SECURITY_KEY.title": "Add a security key",
    "create.SECURITY_KEY.body": "Plug in your key or hold it near your device.",
    "create.SECURITY_KEY.submit": "Add security key",
    "device.canceled": "Nothing was changed. You can try again.",
    "device.exists": "This device already has a passkey for your account. Use it, or choose another method.",
    "device.unsupported": "This browser does not support passkeys. Choose another method.",
    "device.host": "Passkeys of this tenant belong to {domain}, and this page is at {host}. Choose another method.",
    "device.script": "Passkeys and security keys need JavaScript. Switch it on, or choose another method.",
    "prompt.skip": "Not now",
    "done.title": "You are all set",
    "done.body": "{method} was added to your account.",
    "done.codes": "Save these recovery codes. Each lets you in once if you lose access to your other methods.",
    "done.submit": "Continue",
    "finish.title": "Done",
    "finish.body": "You can close this page.",
    "finish.unsafe": "The redirectUrl of this action is not an http or https URL, so this page does not follow it.",
    "finish.script": "This pop-up needs JavaScript to return to the application. Switch it on, then reload.",
    "other": "Use another method",
    "cancel": "Cancel",
    "back": "Return to the application",
    "signed_in_as": "Account: {user}",
    "refused.title": "This step did not work",
    "expired.title": "This page has expired",
    "expired.body": "Return to the application and start again.",
    "invalid.title": "This link does not work",
    "invalid.body": "It is incomplete, or it belongs to a user or an action that no longer exists. Start again in the"
    " application.",
    "used.title": "This step is already complete",
    "used.body": "Return to the application to continue.",
    "BLOCK.title": "This action was blocked",
    "BLOCK.body": "You cannot continue. Contact the owner of the application if you think that this is wrong.",
    "REVIEW.title": "This action is under review",
    "REVIEW.body": "You cannot continue until it has been reviewed.",
    "FAILED.title": "Verification failed",
    "FAILED.body": "Return to the application and start again.",
    "nothing.title": "Nothing to verify",
    "nothing.body": "Return to the application to continue.",
    "no_method.title": "No method is available",
    "no_method.body": "None of your methods is allowed for this action, and you cannot add one here.",
}

Text = Callable[..., str]


def texts_for(overrides: Mapping[str, Any], locale: str | None) -> Text:
    """Return the function that gives a text by its id: the override for the locale or its language, else the default.

    Example:
        >>> t = texts_for({"de": {"cancel": "Abbrechen", "code.body": "Code an {address}"}}, "de-CH")
        >>> t("cancel"), t("code.body", address="a@b.c"), t("choose.title")
        ('Abbrechen', 'Code an a@b.c', 'Verify that it is you')
    """
    chosen = _chosen(overrides, locale)

    def text(name: str, **values: str) -> str:
        found = str(chosen.get(name, TEXTS[name]))
        for key, value in values.items():
            found = found.replace(f"{{{key}}}", value)
        return found

    return text


def _chosen(overrides: Mapping[str, Any], locale: str | None) -> Mapping[str, Any]:
    """Return the overrides of a locale, and those of its language where the locale has none."""
    wanted = (locale or "en").replace("_", "-").lower()
    by_locale = {name.replace("_", "-").lower(): value for name, value in overrides.items()}
    return {**by_locale.get(wanted.partition("-")[0], {}), **by_locale.get(wanted, {})}
