"""The points of a sweep, from a file's `sweep(add)` and the command line."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnjax.lab import config_file
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.plan import check_count
from bnjax.lab.launch.axes import Point, cross, draw_points, read_axis, read_zip
from bnjax.lab.registry import is_plain


def read_points(
  config: Mapping[str, Any],
  *,
  file: str | Path | None = None,
  required: bool = False,
  grid: Sequence[str] = (),
  zips: Sequence[str] = (),
  drawn: Sequence[str] = (),
  count: int = 0,
  seed: int = 0,
) -> list[Point]:
  """Every combination of the points that the file and the flags give.

  Raises:
    UserError: an axis or the file is not what it should be, or there is no
      point.
  """
  parts: list[list[Point]] = []
  function = _sweep_of(Path(file), required) if file else None
  if function is not None:
    parts.append(collect(function, file or ""))
  parts += [read_axis(text, config) for text in grid]
  parts += [read_zip(text, config) for text in zips]
  if drawn:
    parts.append(draw_points(drawn, config, count=count, seed=seed))
  if not parts:
    raise UserError(
      "nothing is swept: give --grid, --zip or --random, or a file with "
      "sweep(add)"
    )
  return cross(parts)


def collect(
  sweep: Callable[[Callable[..., None]], None], file: Path | str = "sweep"
) -> list[Point]:
  """The points that a file's `sweep(add)` adds, in order.

  `add` takes dotted fields and their values as a mapping, or, where a field
  has no dot, as keywords: `add({"optimizer.learning_rate": 0.1}, seed=3)`.

  Raises:
    UserError: it fails, or adds no point, or too many.

  >>> collect(lambda add: [add({"norm.decay": d}, seed=1) for d in (0.9,)])
  [{'norm.decay': 0.9, 'seed': 1}]
  """
  points: list[Point] = []

  def add(point: Mapping[str, Any] | None = None, /, **fields: Any) -> None:
    whole = {**(point or {}), **fields}
    points.append(
      {k.removeprefix("config."): _plain(k, v) for k, v in whole.items()}
    )
    check_count(len(points))

  config_file.run(sweep, add, file=Path(file), flag="--sweep")
  if not points:
    raise UserError("sweep(add): it adds no point")
  return points


def _plain(field: str, value: Any) -> Any:
  """A value as JSON will hold it: NumPy's numbers and arrays are Python's."""
  value = value.tolist() if hasattr(value, "tolist") else value
  if not is_plain(value):
    raise UserError(
      f"{field}: {value!r} is neither a number, a text nor a list of those"
    )
  return value


def _sweep_of(file: Path, required: bool) -> Any:
  function = getattr(config_file.load(file, "--sweep"), "sweep", None)
  if function is None and required:
    raise UserError(f"--sweep: {file} does not define sweep(add)")
  return function
