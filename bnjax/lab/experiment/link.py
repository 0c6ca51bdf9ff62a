"""How processes that train together reach each other.

Through a link they say JSON, a line each. A relay is a port of this machine
that leads to another's, and hides that one's end: JAX ends a process, with a
C++ stack, as soon as its connection to the first process breaks. Through a
relay it does not see that; `peers` does.
"""

import contextlib
import json
import socket
import threading
import time
from typing import Any

_SILENCE = 40.0  # seconds without a sign of life, until a process is gone
_PATIENCE = 60.0  # seconds until a relay's other end must listen


class Link:
  """A connection to another process."""

  def __init__(self, connection: socket.socket):
    connection.settimeout(_SILENCE)
    self._connection = connection
    self._lines = connection.makefile("rb")
    self._sending = threading.Lock()

  def send(self, **message: Any) -> None:
    """Sends what is not lost with the other process."""
    with self._sending, contextlib.suppress(OSError):
      self._connection.sendall(json.dumps(message).encode() + b"\n")

  def receive(self) -> dict[str, Any] | None:
    """The next message; None where there is none, or something else."""
    try:
      message = json.loads(self._lines.readline(100_000))
      return message if isinstance(message, dict) else None
    except (OSError, ValueError):
      return None

  def close(self) -> None:
    """Closes it."""
    self._lines.close()
    self._connection.close()


def relay(address: tuple[str, int]) -> int:
  """Opens a port, for as long as this process lives; returns its number."""
  server = socket.create_server(("127.0.0.1", 0))
  threading.Thread(target=_accept, args=[server, address], daemon=True).start()
  return int(server.getsockname()[1])


def _accept(server: socket.socket, address: tuple[str, int]) -> None:
  while True:
    near = server.accept()[0]
    threading.Thread(target=_connect, args=[near, address], daemon=True).start()


def _connect(near: socket.socket, address: tuple[str, int]) -> None:
  end = time.monotonic() + _PATIENCE
  with near:
    while time.monotonic() < end:
      try:
        far = socket.create_connection(address)
      except OSError:
        time.sleep(0.05)
        continue
      with far:
        threading.Thread(target=_carry, args=[far, near], daemon=True).start()
        _carry(near, far)
      return


def _carry(source: socket.socket, sink: socket.socket) -> None:
  """From one to the other until it ends; the other's end is passed over."""
  with contextlib.suppress(OSError):
    while data := source.recv(1 << 16):
      with contextlib.suppress(OSError):
        sink.sendall(data)
