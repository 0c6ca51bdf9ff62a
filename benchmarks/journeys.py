"""Which files a thing passes from a config to the report, in one small run.

  python -m benchmarks.journeys

Of `norm.decay`, a number of a row of metrics, and a figure's title: the files
of bnjax with a function that is given one of them, or gives it back, by itself
or a few levels deep in what it is given.
"""

import dataclasses
import functools
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd

import bnjax
from bnjax.lab import experiment, report, results
from bnjax.lab.config import base

DECAY, TITLE = 0.8123, "A title that nothing else has"
_ROOT = Path(bnjax.__file__).parent
_CALLS = 60  # of each function are looked at, at most
_DEPTH = 5
_ITEMS = 300  # of each container

Found = Callable[[Any], bool]


def _run(workdir: Path) -> None:
  """Trains two networks of four steps, and draws a figure."""
  config = base()
  config.dataset.update(name="mnist5k", examples=100)
  config.model.update(width=8, depth=1)
  config.norm.decay = DECAY
  config.update(batch_size=20, steps=4, eval_every=2, seeds=1)
  figure = results.Curves(metrics=("test_loss",), title=TITLE)
  rules = results.Rules(title="Journeys", figures={"losses": figure})
  experiment.run(config, workdir, rules=rules)
  report.write_report(workdir)


def _inside(value: Any) -> Iterator[Any]:
  """What a container or an object of bnjax holds."""
  if isinstance(value, Mapping):
    yield from value.keys()
    yield from value.values()
  elif isinstance(value, list | tuple):
    yield from value
  elif isinstance(value, pd.DataFrame | pd.Series):
    yield from value.to_numpy().ravel()
  elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
    yield from value.ravel()
  elif dataclasses.is_dataclass(value) or (
    type(value).__module__.startswith("bnjax")
  ):
    yield from getattr(value, "__dict__", {}).values()


def holds(value: Any, found: Found, depth: int = _DEPTH) -> bool:
  """Whether it is found in a value, some levels deep.

  >>> holds({"norm": [1, {"decay": 0.5}]}, lambda x: x == 0.5)
  True
  >>> holds({"norm": [1, {"decay": 0.5}]}, lambda x: x == 0.5, depth=2)
  False
  """
  if isinstance(value, bool | int | float | str | np.number):
    return found(value)
  inside = (x for x, _ in zip(_inside(value), range(_ITEMS), strict=False))
  return depth > 0 and any(holds(x, found, depth - 1) for x in inside)


def _near(number: float, value: Any) -> bool:
  is_number = isinstance(value, int | float | np.number)
  return is_number and abs(float(value) - number) < 1e-9


def _named(text: str, value: Any) -> bool:
  return isinstance(value, str) and text in value


def passed(run: Callable[[], None], things: Mapping[str, Found]) -> dict:
  """The files that each thing passes while something runs, in that order."""
  files: dict[str, list[str]] = {name: [] for name in things}
  looked: Counter[tuple[str, str, str]] = Counter()

  def look(frame: FrameType, event: str, returned: Any) -> None:
    path = frame.f_code.co_filename
    if event not in ("call", "return") or not path.startswith(f"{_ROOT}/"):
      return
    looked[path, frame.f_code.co_name, event] += 1
    if looked[path, frame.f_code.co_name, event] > _CALLS:
      return
    given = [*frame.f_locals.values()] if event == "call" else [returned]
    sys.setprofile(None)
    name = Path(path).relative_to(_ROOT).as_posix()
    for thing, found in things.items():
      if name not in files[thing] and any(holds(x, found) for x in given):
        files[thing].append(name)
    sys.setprofile(look)

  sys.setprofile(look)
  try:
    run()
  finally:
    sys.setprofile(None)
  return files


def main() -> None:
  """Prints the files of each journey."""
  with tempfile.TemporaryDirectory() as folder:
    _run(Path(folder, "first"))  # for the number that is looked for
    rows = results.read_rows(Path(folder, "first", "metrics.jsonl")).rows
    things = {
      "norm.decay": functools.partial(_near, DECAY),
      "a row of metrics": functools.partial(_near, rows[-1]["test_loss"]),
      "a figure": functools.partial(_named, TITLE),
    }
    journeys = passed(lambda: _run(Path(folder, "second")), things)
  for thing, files in journeys.items():
    print(f"{thing}: {len(files)} files: {', '.join(files)}")


if __name__ == "__main__":
  main()
