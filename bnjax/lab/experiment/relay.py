"""A port of this machine that leads to another's, and hides that one's end.

JAX ends a process, with a C++ stack, as soon as its connection to the first
process breaks. Through a relay it does not see that; `peers` does.
"""

import contextlib
import socket
import threading
import time

_PATIENCE = 60.0  # seconds until the other end must listen


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
