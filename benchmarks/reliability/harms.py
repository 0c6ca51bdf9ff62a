"""What can be done to a file: all kinds of damage, each to one path."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Harm = Callable[[Path], Any]


def flip(place: float, bits: int = 0x11) -> Harm:
  """Changes bits of a byte that stands at that share of a file."""

  def harm(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= bits
    path.write_bytes(content)

  return harm


def _instead(make: Harm) -> Harm:
  """Removes the file and makes something else of its name."""

  def harm(path: Path) -> None:
    path.unlink()
    make(path)

  return harm


def _elsewhere(path: Path) -> None:
  """The file itself, by way of a link."""
  away = path.with_name(f"{path.name}.elsewhere")
  path.rename(away)
  path.symlink_to(away)


def _text(content: str) -> Harm:
  return lambda path: path.write_text(content)


HARMS: dict[str, Harm] = {
  "cut": lambda path: os.truncate(path, path.stat().st_size - 3),
  "half": lambda path: os.truncate(path, path.stat().st_size // 2),
  "empty": lambda path: os.truncate(path, 0),
  "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
  "more": lambda path: path.write_bytes(path.read_bytes() + bytes(4096)),
  "no UTF-8": lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
  "list": _text("[1, 2]\n[3]\n"),
  "deep": _text("[" * 100_000),
  "NaN": _text('{"config": NaN}\n{"config": NaN}\n'),
  "nothing": _text('{"config": null}\n{"rules": 1}\n'),
  "types": _text('{"config": [], "datasets": 3}\n{"arm": 1, "step": "x"}\n'),
  "large": _text(f'{{"config": {10**400}}}\n{{"step": {10**400}}}\n'),
  "pipe": _instead(os.mkfifo),
  "folder": _instead(os.mkdir),
  "link": _elsewhere,
  "link to a device": _instead(lambda path: path.symlink_to("/dev/zero")),
  "gone": _instead(lambda path: None),
  **{f"flip {place:.2f}": flip(place) for place in np.linspace(0, 1, 12)},
}
