"""Routes that return 400 for invalid input, and the status of the tenant's refusal for what the tenant refuses."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.http.dispatch import json_response

Handler = Callable[[Request], Awaitable[Response]]


def route(method: str, path: str, act: Handler) -> Route:
    """Return a control route; the path is below `/_sandbox/`."""

    async def handle(request: Request) -> Response:
        try:
            return await act(request)
        except (ValueError, ConfigurationError) as error:
            return json_response({"error": str(error)}, 400)
        except Refusal as refusal:
            return json_response({"error": refusal.description}, refusal.status)

    return Route(f"/_sandbox/{path}", handle, methods=[method])
