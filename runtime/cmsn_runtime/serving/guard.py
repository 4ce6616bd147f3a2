"""Stands before all answers: refuses foreign names and strangers, and adds the headers that protect browsers."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cmsn_runtime.serving.access import Access

# For all: the form and what it looks like hold nothing, and health answers strangers with one word.
_PUBLIC = frozenset({"/login", "/healthz"})
_PUBLIC_FILES = "/static/"

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """An ASGI application around another, whose requests get `trusted` in their scope.

    refused: the answer to a browser that asks for the page without having given the token.
    """

    def __init__(self, app: ASGIApp, access: Access, *, refused: Response) -> None:
        self._app = app
        self._access = access
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"]).update(_HEADERS)
            await send(message)

        await self._answer(scope)(scope, receive, protected)

    def _answer(self, scope: Scope) -> ASGIApp:
        headers, path = Headers(scope=scope), str(scope["path"])
        server = (scope.get("server") or ("",))[0]
        if not self._access.is_known(headers.get("host", ""), str(server)):
            return PlainTextResponse("this name is not one of the page's; add it to hosts in [web]\n", 400)
        scope["trusted"] = self._access.is_trusted(headers)
        if scope["trusted"] or path in _PUBLIC or path.startswith(_PUBLIC_FILES):
            return self._app
        if path == "/":
            return self._refused
        refusal = "the token is needed: log in at the page, or send the header Authorization: Bearer TOKEN\n"
        return PlainTextResponse(refusal, 401, headers={"WWW-Authenticate": "Bearer"})
