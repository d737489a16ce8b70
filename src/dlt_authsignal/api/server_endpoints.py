"""The endpoints of the Server API."""

from typing import Final

from dlt_authsignal.api.endpoints import reading, writing

QUERY_USERS: Final = reading("query_users", "/users", evidence="docs, sdk; unknown whether it works without a filter")


GET_USER: Final = reading("get_user", "/users/{userId}", evidence="docs, live")


GET_USER_AUTHENTICATORS: Final = reading(
    "get_user_authenticators", "/users/{userId}/authenticators", evidence="docs, live"
)


QUERY_USER_ACTIONS: Final = reading("query_user_actions", "/users/{userId}/actions", evidence="docs, live")


GET_ACTION: Final = reading("get_action", "/users/{userId}/actions/{action}/{idempotencyKey}", evidence="docs, live")


GET_DEVICES: Final = reading("get_devices", "/users/{userId}/devices")


GET_TENANT_AUTHENTICATORS: Final = reading(
    "get_tenant_authenticators", "/authenticators", evidence="docs, community CLI"
)


TRACK: Final = writing("track", "POST", "/users/{userId}/actions/{action}")


UPDATE_ACTION: Final = writing("update_action", "PATCH", "/users/{userId}/actions/{action}/{idempotencyKey}")


UPDATE_USER: Final = writing("update_user", "PATCH", "/users/{userId}")


DELETE_USER: Final = writing("delete_user", "DELETE", "/users/{userId}")


ENROLL_AUTHENTICATOR: Final = writing("enroll_authenticator", "POST", "/users/{userId}/authenticators")


DELETE_AUTHENTICATOR: Final = writing(
    "delete_authenticator", "DELETE", "/users/{userId}/authenticators/{userAuthenticatorId}"
)


VALIDATE: Final = writing("validate", "POST", "/validate")


ENROLL_AUTHENTICATORS: Final = writing("enroll_authenticators", "POST", "/users/authenticators", evidence="docs")


UPDATE_DEVICE: Final = writing("update_device", "PATCH", "/users/{userId}/devices/{deviceId}", evidence="docs")


INVALIDATE_DEVICE: Final = writing(
    "invalidate_device", "POST", "/users/{userId}/devices/{deviceId}/invalidate", evidence="docs"
)


CHALLENGE: Final = writing("challenge", "POST", "/challenge", evidence="docs, sdk")


VERIFY: Final = writing("verify", "POST", "/verify", evidence="docs, sdk")


CLAIM: Final = writing("claim", "POST", "/claim", evidence="docs, sdk")


GET_CHALLENGE: Final = reading("get_challenge", "/challenges", evidence="docs, sdk")


CREATE_SESSION: Final = writing("create_session", "POST", "/sessions", evidence="docs, sdk")


VALIDATE_SESSION: Final = writing("validate_session", "POST", "/sessions/validate", evidence="docs, sdk")


REFRESH_SESSION: Final = writing("refresh_session", "POST", "/sessions/refresh", evidence="docs, sdk")


REVOKE_SESSION: Final = writing("revoke_session", "POST", "/sessions/revoke", evidence="docs, sdk")


REVOKE_USER_SESSIONS: Final = writing("revoke_user_sessions", "POST", "/sessions/user/revoke", evidence="docs, sdk")
