"""What processes that train together say to each other: JSON, a line each."""

import contextlib
import json
import socket
import threading
from typing import Any

SILENCE = 40.0  # seconds without a sign of life, until a process is gone


class Link:
  """A connection to another process."""

  def __init__(self, connection: socket.socket):
    connection.settimeout(SILENCE)
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
