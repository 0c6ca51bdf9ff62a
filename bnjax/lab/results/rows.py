"""Rows of `metrics.jsonl` and `probes.jsonl` as pandas frames: the one reader.

A row says whose it is and what was measured:

    {"arm", "seed", "step", ["point": {field: value}], ["diverged_step"],
     metric: number, ...}

    {"arm", "seed", "step", ["point"], "probe": its name in the config,
     "layer": "activation_3", "values": a number or a (nested) list,
     ["edges"]: of a histogram's bins, ["zero_fraction"]: beside them}

A null stands for a number that was not finite. A resumed run may write a row
again: of the numbers with one arm, seed, step and point the last one counts.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from bnjax.lab.results.points import Point, point_of
from bnjax.lab.results.records import each_row

Row = Mapping[str, Any]

# What a row holds beside metrics; times end in `_seconds` and are listed with
# metrics only where a rule names them.
_KEYS = ("arm", "seed", "step", "point", "diverged_step")
_PROBE = ("probe", "layer", "values")
_CHUNK = 20_000  # rows that are held as dictionaries at a time


class Table(Sequence[Row]):
  """Rows in a frame; each of them is a dictionary where it is looked at.

  Attributes:
    frame: a row for each; its columns are

      - `arm`: categorical, the categories as they first appear;
      - `seed`, `step`: int64;
      - `point`: categorical, of tuples (see `points`); NaN without a grid;
      - of metrics: `diverged_step` and every metric and time, float64: NaN
        where it was not recorded, inf where it was not finite;
      - of probes: `probe` and `layer`, categorical; `values` and `edges`, each
        a float64 array with NaN, or None; `zero_fraction`, or None.
  """

  def __init__(self, frame: pd.DataFrame):
    """Wraps a frame that has these columns."""
    self.frame = frame

  @classmethod
  def of_metrics(cls, rows: Iterable[Row]) -> "Table":
    """Rows of metrics.

    Fields that hold a number in no row are left out.

    Raises:
      ValueError: a row is not as it should be; the one-line message says how.
    """
    return rows if isinstance(rows, Table) else cls(_Metrics().read(rows))

  @classmethod
  def of_probes(cls, rows: Iterable[Row]) -> "Table":
    """Rows of probes; raises as `of_metrics`."""
    return rows if isinstance(rows, Table) else cls(_Probes().read(rows))

  @property
  def arms(self) -> list[str]:
    """The arms, as they first appear."""
    return list(self.frame["arm"].cat.categories)

  @property
  def metrics(self) -> list[str]:
    """The metrics and times that any row holds."""
    return [name for name in self.frame.columns if name not in _KEYS]

  @property
  def points(self) -> list[Point]:
    """The points of a grid that rows have, as they first appear."""
    return list(self.frame["point"].cat.categories)

  def __len__(self) -> int:
    """How many rows there are."""
    return len(self.frame)

  def __iter__(self) -> Iterator[dict[str, Any]]:
    """The rows as they were written, without what was not recorded."""
    return self._rows(self.frame)

  def __getitem__(self, place: Any) -> Any:
    """A row, or several."""
    if isinstance(place, slice):
      return Table(self.frame.iloc[place])
    return next(self._rows(self.frame.iloc[[place]]))

  def _rows(self, frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    names = list(frame.columns)
    for values in zip(*(frame[name] for name in names), strict=True):
      pairs = zip(names, map(_written, values), strict=True)
      yield {name: value for name, value in pairs if value is not _ABSENT}


_ABSENT = object()


def _written(value: Any) -> Any:
  """A cell of a table as a row holds it."""
  if isinstance(value, np.ndarray):
    return np.where(np.isnan(value), cast(Any, None), value).tolist()
  if isinstance(value, tuple):
    return dict(value)
  if value is None or value != value:  # NaN
    return _ABSENT
  return None if value in (np.inf, -np.inf) else value


def read_table(
  path: str | os.PathLike[str], *, probes: bool = False
) -> tuple[Table, list[str]]:
  """Reads `metrics.jsonl`, or `probes.jsonl`, perhaps still being written.

  Returns:
    The rows, and a notice if the last line was torn.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: a line is no JSON object, or a row not as it should be.
  """
  notices: list[str] = []
  make = Table.of_probes if probes else Table.of_metrics
  return make(each_row(path, notices)), notices


class _Reader:
  """Makes columns of rows, some of them at a time."""

  what = ""
  needs: tuple[str, ...] = ()

  def __init__(self) -> None:
    self._codes: dict[str, dict[Any, int]] = {}

  def read(self, rows: Iterable[Row]) -> pd.DataFrame:
    rows = iter(rows)
    parts: list[pd.DataFrame] = []
    # At least once: no rows have columns too.
    while (some := list(itertools.islice(rows, _CHUNK))) or not parts:
      parts.append(pd.DataFrame(self._columns(some)))
    whole = parts[0] if len(parts) == 1 else pd.concat(parts)
    whole.index = pd.RangeIndex(len(whole))
    for name, codes in self._codes.items():
      kinds = pd.Index(list(codes), dtype=object, tupleize_cols=False)
      whole[name] = pd.Categorical.from_codes(whole[name], kinds)
    return whole

  def _columns(self, rows: list[Row]) -> dict[str, np.ndarray]:
    for field in ("arm", "seed", "step", *self.needs):
      for row in rows:
        if field not in row:
          raise self._wrong(f"has no {field!r}", row)
    columns = {"arm": self._coded("arm", [row["arm"] for row in rows], rows)}
    for field in ("seed", "step"):
      values = [row[field] for row in rows]
      if not set(map(type, values)) <= {int}:
        self._check(field, rows, lambda v: type(v) is int, "a whole number")
      if values and not 0 <= min(values) <= max(values) < 2**63:
        self._check(field, rows, lambda v: 0 <= v < 2**63, "from 0 to 2**63")
      columns[field] = np.array(values, np.int64)
    known = self._codes.setdefault("point", {})
    codes = np.full(len(rows), -1, np.int32)
    for place, row in enumerate(rows):
      try:
        if point := point_of(row):
          codes[place] = known.setdefault(point, len(known))
      except (AttributeError, TypeError):
        raise self._wrong("has a point that is no object", row) from None
    columns["point"] = codes
    return columns

  def _coded(
    self, field: str, values: list[Any], rows: list[Row]
  ) -> np.ndarray:
    if not set(map(type, values)) <= {str}:
      self._check(field, rows, lambda v: isinstance(v, str), "a text")
    known = self._codes.setdefault(field, {})
    return np.array([known.setdefault(v, len(known)) for v in values], np.int32)

  def _check(self, field: str, rows: list[Row], fits: Any, what: str) -> None:
    for row in rows:
      value = row.get(field, _ABSENT)
      if not fits(value):
        raise self._wrong(f"has {field} {value!r:.60}, not {what}", row)

  def _wrong(self, why: str, row: Row) -> ValueError:
    brief = {k: v for k, v in row.items() if k not in ("values", "edges")}
    return ValueError(f"a row of {self.what} {why}: {brief!s:.200}")

  def _numbers(self, field: str, value: Any, row: Row) -> np.ndarray:
    """An array of numbers; None stands for one that was not finite."""
    try:
      found = np.asarray(value)
      if found.dtype.kind in "iuf" or all(map(_is_metric, found.flat)):
        return found.astype(np.float64)
    except (TypeError, ValueError, OverflowError):  # ragged, or too large
      pass
    raise self._wrong(f"has {field} that are no array of numbers", row)


class _Metrics(_Reader):
  what = "metrics"

  def _columns(self, rows: list[Row]) -> dict[str, np.ndarray]:
    columns = super()._columns(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    for name in names:
      if name in columns:
        continue
      values = [row.get(name, _ABSENT) for row in rows]
      there = np.array([_is_metric(value) for value in values], bool)
      absent = sum(value is _ABSENT for value in values)
      if 0 < there.sum() < len(rows) - absent:
        fits = lambda value: value is _ABSENT or _is_metric(value)
        self._check(name, rows, fits, "a number")
      numbers = np.full(len(rows), np.nan)
      try:
        numbers[there] = [v for v in values if _is_metric(v)]
      except OverflowError:
        fits = lambda v: type(v) is not int or abs(v) < 1e308
        self._check(name, rows, fits, "a number below 1e308")
      if name != "diverged_step":
        numbers[there & ~np.isfinite(numbers)] = np.inf
      if there.any() and not np.isnan(numbers).all():
        columns[name] = numbers
    return columns


def _is_metric(value: Any) -> bool:
  kind = type(value)
  if kind is float or kind is int or value is None:
    return True
  return isinstance(value, int | float | np.number) and kind is not bool


class _Probes(_Reader):
  what = "probes"
  needs = _PROBE

  def _columns(self, rows: list[Row]) -> dict[str, Any]:
    columns: dict[str, Any] = super()._columns(rows)
    for field in ("probe", "layer"):
      columns[field] = self._coded(field, [row[field] for row in rows], rows)
    for field in ("values", "edges"):
      # Of objects: pandas takes no column of arrays of several shapes.
      columns[field] = np.empty(len(rows), object)
      for place, row in enumerate(rows):
        if field == "values" or row.get(field) is not None:
          columns[field][place] = self._numbers(field, row[field], row)
    zero = [row.get("zero_fraction") for row in rows]
    for value, row in zip(zero, rows, strict=True):
      self._numbers("zero_fraction", value, row)
    columns["zero_fraction"] = np.array(zero, object)
    return columns
