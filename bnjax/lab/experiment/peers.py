"""Which of the processes that train together are there, and which are gone.

JAX waits for one that is missing without a word, and when one is lost it ends
the others with a C++ stack. So each has a connection to the first one, on the
coordinator's port before JAX takes it, and says every few seconds that it is
there.
"""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from bnjax.lab import signals
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.link import Link

_WAIT = 100.0  # seconds that processes wait for each other at first
_PAUSE = 5.0  # until it is said who is missing
_BEAT = 1.0  # between signs of life
_ORDER = 10.0  # that a process has to notice by itself that one is gone
_GOODBYE = 20.0  # that processes wait for each other at last


class Peers:
  """The processes that train together, as one of them sees them."""

  def __init__(self, address: tuple[str, int], count: int, index: int):
    self._address = address
    self._count, self._index = count, index
    self._changed = threading.Condition()
    self._links: dict[int, Link] = {}  # the first one's are to all others
    self._wrong = ""  # why they cannot join
    self._joined = False
    self._gone: set[int] = set()
    self._ended: dict[int, int] = {}  # runs, of each process
    self._runs = 0
    self._again: str | None = None  # how to go on with the run
    self._told = ("", 0.0)

  def join(self) -> None:
    """Waits for all, and says for whom.

    Raises:
      UserError: one does not come, or says that it is another one.
    """
    self._told = ("", time.monotonic())
    (self._find_first if self._index else self._gather)()
    self._joined = True
    threading.Thread(target=self._live, daemon=True).start()

  def who_is_gone(self) -> str:
    """Names those that are gone, as soon as it is known."""
    with self._changed:
      self._changed.wait_for(self._missed, _ORDER / 2)
      missed = self._missed()
    if missed:
      return f"{self._name(missed)} is gone"
    return f"one of the {self._count} processes failed"

  @contextlib.contextmanager
  def run(self, again: str) -> Iterator[None]:
    """A context that all leave together, and none alone while others are in it.

    Who does not come to its end, because another process is gone, is ended.
    """
    self._again, self._runs = again, self._runs + 1
    try:
      yield
      self._end()
    except signals.Preempted:
      self._end()
      raise
    finally:
      self._again = None

  def _end(self) -> None:
    """Waits until all have come to the end of the run, but not for long."""
    there = lambda who: self._ended.get(who, 0) >= self._runs
    everyone = lambda: all(there(i) or i in self._gone for i in self._links)
    if not self._index:
      with self._changed:
        self._changed.wait_for(everyone, _GOODBYE)
    self._send(ended=self._runs)
    if self._index:
      with self._changed:
        self._changed.wait_for(everyone, _GOODBYE)

  def _gather(self) -> None:
    """The first process: waits for the others."""
    port, end = self._address[1], time.monotonic() + _WAIT
    both = socket.has_dualstack_ipv6()
    try:
      server = socket.create_server(
        ("", port),
        family=socket.AF_INET6 if both else socket.AF_INET,
        dualstack_ipv6=both,
      )
    except OSError as error:
      raise UserError(
        f"cannot listen on port {port}: {error.strerror}"
      ) from None
    with server:
      server.settimeout(0.2)
      while not self._wrong and (missing := self._missing()):
        with contextlib.suppress(TimeoutError):
          connection = server.accept()[0]
          threading.Thread(
            target=self._welcome, args=[connection], daemon=True
          ).start()
        if time.monotonic() > end:
          self._wrong = self._did_not_come(missing)
        elif self._tell(missing):
          self._send(missing=missing)
    if self._wrong:
      self._send(wrong=self._wrong)
      raise UserError(self._wrong)
    self._send(all=True)

  def _welcome(self, connection: socket.socket) -> None:
    link = Link(connection)
    said = link.receive() or {}
    if not {"process", "of"} <= said.keys():
      link.close()  # who knows what that was
      return
    index, count = said["process"], said["of"]
    with self._changed:
      if count != self._count:
        self._wrong = (
          f"process {index} was given --num_processes={count}, and the first "
          f"one {self._count}; give all the same command"
        )
      elif index in self._links:
        self._wrong = f"two processes were given --process_id={index}"
      elif not self._joined:
        self._links[index] = link
    if self._links.get(index) is link:
      self._listen(index, link)
    else:
      link.send(wrong=self._wrong)
      link.close()

  def _find_first(self) -> None:
    """Another process: finds the first one, and waits for it to see all."""
    end = time.monotonic() + _WAIT + _PAUSE  # the first one says what is wrong
    missing = [0]
    while True:
      try:
        connection = socket.create_connection(self._address, timeout=_PAUSE)
      except OSError:
        time.sleep(0.2)
      else:
        link = Link(connection)
        link.send(process=self._index, of=self._count)
        while (said := link.receive()) is not None:
          if wrong := said.get("wrong"):
            link.close()
            raise UserError(str(wrong))
          if said.get("all"):
            self._links[0] = link
            threading.Thread(
              target=self._listen, args=[0, link], daemon=True
            ).start()
            return
          missing = said.get("missing") or missing
          self._tell(missing)
        link.close()
        missing = [0]
      if time.monotonic() > end:
        raise UserError(self._did_not_come(missing))
      self._tell(missing)

  def _missing(self) -> list[int]:
    return [i for i in range(1, self._count) if i not in self._links]

  def _tell(self, missing: list[int]) -> bool:
    """Says who is missing, if that is news or was said long ago."""
    before, then = self._told
    host, port = self._address
    line = f"waiting for {self._name(missing)} at {host}:{port}"
    if time.monotonic() - then < (_PAUSE if before != line else 6 * _PAUSE):
      return False
    self._told = line, time.monotonic()
    print(line, file=sys.stderr, flush=True)
    return True

  def _did_not_come(self, missing: list[int]) -> str:
    host, port = self._address
    return (
      f"{self._name(missing)} did not come to {host}:{port} within "
      f"{_WAIT:.0f} seconds; start all of them, with the same address and count"
    )

  def _name(self, who: list[int]) -> str:
    return f"process {', '.join(map(str, sorted(who)))} of {self._count}"

  def _missed(self) -> list[int]:
    """Those that went before they had ended the run."""
    return sorted(i for i in self._gone if self._ended.get(i, 0) < self._runs)

  def _send(self, **message: Any) -> None:
    for link in list(self._links.values()):
      link.send(**message)

  def _listen(self, who: int, link: Link) -> None:
    """Takes in what a process says until it is gone."""
    while (said := link.receive()) is not None:
      with self._changed:
        self._ended[who] = max(said.get("ended", 0), self._ended.get(who, 0))
        self._gone |= {*said.get("gone", ())} - {self._index}
        self._changed.notify_all()
    link.close()
    with self._changed:
      if self._joined:
        self._gone.add(who)
      else:
        del self._links[who]
      self._changed.notify_all()

  def _live(self) -> None:
    """Says that this process lives, and ends it where another does not."""
    since = None
    while True:
      time.sleep(_BEAT)
      with self._changed:
        missed, again = self._missed(), self._again
      self._send(gone=missed)
      if not missed or again is None:
        since = None
      elif since is None:
        since = time.monotonic()
      elif time.monotonic() - since > _ORDER:
        signals.end(f"error: {self._name(missed)} is gone; {again}", 1)
