"""A TCP proxy on loopback that misbehaves on command."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from cmsn_runtime.closing import Closing

_PART = 8192
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ChaosProxy(Closing):
    """Forwards connections to 127.0.0.1:`target`; `port` is its own. It runs in a thread of its own.

    All commands are thread-safe, and hold for new connections as well; `heal` ends what a command began.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()  # towards clients
        self._both: set[asyncio.StreamWriter] = set()  # of all open connections
        self._open = asyncio.Event()  # data may pass
        self._flip = 0.0
        self._refuse = self._silent = self._halve = False
        self._random = random.Random(0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="chaos proxy")
        self._thread.start()
        self.heal()

    def heal(self) -> None:
        """Forward everything, as it is."""
        self._command(self._healed)

    def hold(self) -> None:
        """The cable is out: nothing is forwarded, nothing closed; what waits is forwarded after `heal`."""
        self._command(self._open.clear)

    def reset(self) -> None:
        """Break all connections (RST). New ones work."""
        self._command(self._reset_all)

    def refuse(self) -> None:
        """Break all connections, and every new one at once."""
        self._command(lambda: self._set(refuse=True))

    def silence(self) -> None:
        """Break all connections; new ones are accepted, and get no answer at all."""
        self._command(lambda: self._set(silent=True))

    def garbage(self, count: int) -> None:
        """Put so many random bytes between the others on their way to the clients."""
        self._command(lambda: self._write_all(os.urandom(count)))

    def flip(self, share: float) -> None:
        """Alter each byte on its way to the clients with this probability."""
        self._command(lambda: setattr(self, "_flip", share))

    def halve(self) -> None:
        """Break each connection within the next data for its client: half of it arrives."""
        self._command(lambda: setattr(self, "_halve", True))

    def close(self) -> None:
        if self._thread.is_alive():
            self._command(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _command(self, action: Callable[[], object]) -> None:
        done = threading.Event()

        def run() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait(10)

    def _healed(self) -> None:
        self._flip, self._refuse, self._silent, self._halve = 0.0, False, False, False
        self._open.set()

    def _set(self, *, refuse: bool = False, silent: bool = False) -> None:
        self._refuse, self._silent = refuse, silent
        self._reset_all()

    def _write_all(self, data: bytes) -> None:
        for writer in self._writers:
            writer.write(data)

    def _reset_all(self) -> None:
        for writer in list(self._both):
            _reset(writer)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listener))
        self._loop.run_forever()
        server.close()
        self._healed()  # nothing may wait any longer
        self._reset_all()
        self._loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(self._loop), return_exceptions=True))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._both.add(writer)
        try:
            if self._silent:
                await reader.read()
            elif not self._refuse:
                await self._forward(reader, writer)
        except OSError:
            pass
        finally:
            self._both.discard(writer)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.add(writer)
        self._both.add(back)
        try:
            await asyncio.gather(self._pump(reader, back, down=False), self._pump(there, writer, down=True))
        finally:
            self._writers.discard(writer)
            self._both.discard(back)
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(_PART):
                await self._open.wait()
                if down and self._halve:
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    break
                writer.write(self._altered(data) if down and self._flip else data)
                await writer.drain()
        writer.close()

    def _altered(self, data: bytes) -> bytes:
        wrong = self._random
        return bytes(byte ^ wrong.randrange(1, 256) if wrong.random() < self._flip else byte for byte in data)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
