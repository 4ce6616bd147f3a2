"""Posts one event to a web server: headers, signature, and what the answer means.

Headers and signature are those of Standard Webhooks 1.0 (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from base64 import b64encode
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from cmsn_runtime.closing import Closing
from cmsn_runtime.sinks.delivery.messages import Message
from cmsn_runtime.sinks.webhook.settings import Target

if TYPE_CHECKING:
    import ssl

_CONNECT_SECONDS = 5.0
_ANSWER_BYTES = 2**16  # of an answer that are read; the connection of a longer one is closed
_MOST_WAIT_SECONDS = 3600.0  # that a receiver may ask for
_LATER = frozenset({408, 425, 429})  # of 4xx, those that another attempt may change


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: the receiver has the event, refuses it, or all of them (gone), or may take it later.

    reason: in words, without secrets. wait_seconds: for which it asked.
    """

    verdict: Literal["delivered", "refused", "gone", "later"]
    reason: str = ""
    wait_seconds: float | None = None


class Receiver(Closing):
    """A web server that takes events. One attempt at a time; the connection stays open between them."""

    def __init__(self, target: Target, *, timeout_seconds: float, tls: ssl.SSLContext | None) -> None:
        from urllib3 import PoolManager, Timeout, make_headers

        parts = urlsplit(target.url.reveal())
        login, _, host = parts.netloc.rpartition("@")
        self._url = urlunsplit((parts.scheme, host, parts.path or "/", parts.query, ""))
        self._key = target.key
        self._headers = {"Content-Type": "application/json", "User-Agent": f"cmsn/{version('cmsn')}"}
        if login:
            self._headers |= make_headers(basic_auth=unquote(login))
        self._pool = PoolManager(
            num_pools=1, retries=False, timeout=Timeout(connect=_CONNECT_SECONDS, read=timeout_seconds), ssl_context=tls
        )

    def post(self, message: Message) -> Answer:
        """One attempt."""
        from urllib3.exceptions import HTTPError

        headers = self._headers | signed_headers(message, self._key, int(time.time()))
        try:
            # A redirect is not followed: events would go where nobody has allowed them to.
            response = self._pool.request(
                "POST", self._url, body=message.body, headers=headers, redirect=False, preload_content=False
            )
            response.read(_ANSWER_BYTES, decode_content=False)
            if response.length_remaining:
                response.close()
            response.release_conn()
        except (HTTPError, OSError) as error:
            return Answer("later", f"cannot be reached ({_reason(error)})")
        return _answer(response.status, response.headers.get("Retry-After"))

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()


def signed_headers(message: Message, key: bytes | None, seconds: int) -> dict[str, str]:
    """Headers of an attempt at that POSIX time. The identifier is the event's key in ASCII, without any full stop."""
    identifier = quote(message.key, safe="/").replace(".", "%2E")
    headers = {"webhook-id": identifier, "webhook-timestamp": str(seconds), "Idempotency-Key": identifier}
    if key is not None:
        signed = f"{identifier}.{seconds}.".encode() + message.body
        headers["webhook-signature"] = f"v1,{b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"
    return headers


def _answer(status: int, retry_after: str | None) -> Answer:
    if 200 <= status < 300:
        return Answer("delivered")
    if status == 410:
        return Answer("gone", "answered 410 (gone)")
    if 400 <= status < 500 and status not in _LATER:
        return Answer("refused", f"answered {status}")
    reason = f"answered {status}" + (", a redirect, which is not followed" if 300 <= status < 400 else "")
    return Answer("later", reason, _wait_seconds(retry_after))


def _wait_seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header: a number of them, or a date; none where it is neither."""
    if retry_after is None:
        return None
    try:
        seconds = float(int(retry_after)) if retry_after.isdigit() else _until(retry_after)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _MOST_WAIT_SECONDS)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()


def _reason(error: BaseException) -> str:
    """Why there was no answer. The messages of urllib3 repeat the address: only what the system says is shown."""
    chain: list[BaseException] = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and inner not in chain:
        chain.append(inner)
    for each in reversed(chain):
        detail = getattr(each, "verify_message", None) or (isinstance(each, OSError) and each.strerror)
        if detail:
            return str(detail)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(chain[-1]).__name__.removesuffix("Error")).lower()
