"""The token is given once, in the body of a request; from then on the browser has a cookie."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cmsn_runtime.serving.access import Access

_MOST_BYTES = 4096
_WRONG_SECONDS = 0.5


class Login:
    """Wrong tokens are answered one after the other, each after a while, so that guessing takes too long."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._wrong = asyncio.Lock()

    async def enter(self, request: Request) -> Response:
        """The form's token -> the page with a cookie, or the form again."""
        if not self._access.is_token(await _token(request)):
            async with self._wrong:
                await asyncio.sleep(_WRONG_SECONDS)
            return RedirectResponse("./?wrong", 303)
        return RedirectResponse("./", 303, headers={"Set-Cookie": self._access.cookie})

    async def leave(self, request: Request) -> Response:
        """Forget the cookie."""
        return RedirectResponse("./", 303, headers={"Set-Cookie": self._access.no_cookie})


async def _token(request: Request) -> str:
    """The field `token` of a form; empty where there is none, or the form is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            return ""
    values = parse_qs(body.decode("utf-8", "replace")).get("token", [""])
    return values[0].strip()
