"""Public forms of sources' addresses: without user names, passwords and queries."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache

from cmsn_runtime.sources.pipelines import first_element, is_pipeline, secrets_of, urls_of, without_secrets

# Keys that some cameras take in the path: /user=admin&password=x&channel=1, or the same joined by "_".
_PARAMETER = re.compile(r"([a-z]+)=(.*?)(?=[&;]|_[a-z]+=|$)", re.IGNORECASE)
_SECRET_KEY = re.compile(r"user|usr|login|pass|pwd|token|secret|key|auth|sign|sig", re.IGNORECASE)
_USER_KEY = re.compile(r"user|usr|login", re.IGNORECASE)
_LOGIN_KEY = re.compile(r"user|usr|login|pass|pwd", re.IGNORECASE)
_NESTED_LOGIN = re.compile(r"(?<=/)[^/]*:[^@]*@")  # http://relay/rtsp://user:password@camera/
_URL = re.compile(r"[\w.+-]+://[^\s'\"]*[^\s'\".,:;)]")  # what follows it in a sentence is no part of it

_LIVE_SCHEMES = frozenset({"rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp"})
_LONG = 8  # characters of a value in a query that may be a token
_CAMERA = re.compile(r"/dev/video\d+")

# A tag tells two cameras apart and must not confirm a guess at a password: few digits, and slow to compute.
_TAG_DIGITS = 4
_PUBLIC_TAG = re.compile(rf"[0-9a-f]{{{_TAG_DIGITS}}}")
_TAG_ROUNDS = 100_000


def public_name(address: str) -> str:
    """The name of an address wherever it is printed or written; a path is unchanged.

    User name, password, query and fragment of a URL are left out, as are values such as password=x in its path. Where
    a query is left out, a tag of four digits, "#3f2a", stands for it, so that two cameras that differ only in the query
    have different names, the same in every run. User names and passwords have no part in the tag. Of a GStreamer
    pipeline the first element is left, with a tag for the rest.
    """
    if is_pipeline(address):
        parts = [without_secrets(address), *map(public_name, urls_of(address))]
        return f"{first_element(address)}#{_tag(' '.join(parts))}"
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    begin = _login_end(rest)
    shown, query = _cut(rest[begin:])
    path = _NESTED_LOGIN.sub("***@", _PARAMETER.sub(_masked, shown))
    told_apart = [part for part in re.split(r"[?&;#]", query) if part and not _LOGIN_KEY.search(part.partition("=")[0])]
    if begin > len(_authority(rest)):  # the host may be among what is hidden
        told_apart.append(rest)
    told_apart += [match[2] for match in _PARAMETER.finditer(shown) if _is_secret(match) and "/" in match[2]]
    tag = f"#{_tag('&'.join(told_apart))}" if told_apart else ""
    return f"{scheme}://{'***@' if begin else ''}{path}{tag}"


def secret_parts(address: str) -> Iterator[str]:
    """What is secret in a URL: user name and password together, the password, and values of parameters.

    A parameter's value counts where its name says so, and in a query also where it is long. A user name alone does not:
    it is often an ordinary word. In a GStreamer pipeline, that of its URLs, and properties such as user-pw.
    """
    if is_pipeline(address):
        yield from secrets_of(address)
        yield from (part for url in urls_of(address) for part in secret_parts(url))
        return
    _, mark, rest = address.partition("://")
    if not mark:
        return
    begin = _login_end(rest)
    if begin:
        login = rest[: begin - 1]
        yield login
        yield login.partition(":")[2]
    shown, query = _cut(rest[begin:])
    parameters = (part.partition("=") for part in re.split(r"[?&;#]", query))
    in_path = ((match[1], match[2], False) for match in _PARAMETER.finditer(shown))
    in_query = ((name, value, len(value) >= _LONG) for name, _, value in parameters)
    for name, value, long in (*in_path, *in_query):
        if (long or _SECRET_KEY.search(name)) and not _USER_KEY.search(name):
            yield value


def scheme_of(address: str) -> str:
    """The part before "://", in lower case; empty for a path."""
    scheme, mark, _ = address.partition("://")
    return scheme.lower() if mark else ""


def is_camera(address: str) -> bool:
    """Whether it is a camera of this machine."""
    return _CAMERA.fullmatch(address) is not None


def is_live(address: str) -> bool:
    """Whether the source has no end of its own, as far as the address shows; http may be either."""
    return is_camera(address) or is_pipeline(address) or scheme_of(address) in _LIVE_SCHEMES


def redacted(text: str, address: str) -> str:
    """Text of a library, which may repeat `address` or other URLs, with their public names instead."""
    known = text.replace(address, public_name(address)) if "://" in address or is_pipeline(address) else text
    return _URL.sub(lambda url: url[0] if _is_public(url[0]) else public_name(url[0]), known)


def _is_public(url: str) -> bool:
    """Whether it is a public name already, whose tag must not change."""
    name, mark, tag = url.rpartition("#")
    return bool(mark) and _PUBLIC_TAG.fullmatch(tag) is not None and public_name(name) == name


def _authority(rest: str) -> str:
    return re.split(r"[/?#]", rest, maxsplit=1)[0]


def _cut(rest: str) -> tuple[str, str]:
    """Host and path; query and fragment."""
    shown = re.split(r"[?#]", rest, maxsplit=1)[0]
    return shown, rest[len(shown) :]


def _login_end(rest: str) -> int:
    """Where user name and password end in what follows "://"; 0 where there are none.

    Passwords as people type them hold "/", "?", "#" and "@" unescaped. What may be part of one counts as one.
    """
    authority = _authority(rest)
    without_brackets = re.sub(r"\[.*?\]", "", authority)  # the colons of an IPv6 address
    if "@" not in authority and ":" not in without_brackets:
        return 0
    before_query, query = _cut(rest)
    has_plain_port = re.fullmatch(r"[^:@]*:\d+", without_brackets) is not None
    is_query = re.match(r"\?[\w.-]+=", query) and re.fullmatch(r"(.*@)?[^:@]*(:\d+)?", without_brackets)
    place = before_query if is_query or (has_plain_port and "/" in before_query) else rest
    return place.rfind("@") + 1


def _is_secret(match: re.Match[str]) -> bool:
    return _SECRET_KEY.search(match[1]) is not None


def _masked(match: re.Match[str]) -> str:
    return f"{match[1]}=***" if _is_secret(match) else match[0]


@lru_cache(maxsize=256)
def _tag(text: str) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", text.encode("utf-8", "surrogateescape"), b"cmsn source", _TAG_ROUNDS)
    return digest.hex()[:_TAG_DIGITS]
