"""Triton as a backend: `triton://HOST:PORT`, or `triton:https://HOST:PORT`."""

from __future__ import annotations

import os

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.backends.registry import BackendKind, Networks
from cmsn_runtime.errors import SettingsError

TOKEN_VARIABLE = "CMSN_TRITON_TOKEN"


def _open(networks: Networks) -> GraphBackend:
    from cmsn_runtime.backends.triton.backend import TritonBackend
    from cmsn_runtime.backends.triton.kserve import address_from

    if not networks.argument:
        raise SettingsError("the backend triton needs its server: triton://HOST:PORT")
    address = address_from(networks.argument, token=os.environ.get(TOKEN_VARIABLE, ""))
    return TritonBackend(networks.manifest, address)


KIND = BackendKind(open=_open, absence=lambda networks: "", argument="a server, as in triton://HOST:PORT")
