"""All that a run recorded as one pandas frame, and as a file of it.

>>> from bnjax.lab import results
>>> run = results.frame("docs/results/lenet-mnist")
>>> list(run.columns[:4])
['arm', 'seed', 'step', 'test_accuracy']
>>> last = run[run.step == run.step.max()]
>>> last.groupby("arm").test_accuracy.mean().round(3).to_dict()
{'batch_norm': 0.989, 'no_batch_norm': 0.986}
"""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bnjax.lab.results.aggregate import KEYS, ranked
from bnjax.lab.results.workdir import read_workdir

if TYPE_CHECKING:
  import pandas as pd

_FORMATS = (".csv", ".parquet")


def frame(workdir: str | os.PathLike[str]) -> "pd.DataFrame":
  """The metrics of a run: a row for each arm, seed, grid point and step.

  Args:
    workdir: the work directory of a run, or what was kept of one.

  Returns:
    The columns `arm`, `seed`, a column for each field of the grid by its dotted
    name, `step`, a column for each metric and time (NaN where it was not finite
    or not recorded), and `diverged_step` where a run diverged.

  Raises:
    FileNotFoundError, ValueError: as `read_workdir`.
  """
  rows, fields = _flat(read_workdir(workdir).rows)
  names = {("", name) for row in rows for name in row}
  rest = [n for n in ranked(names) if n not in (*KEYS, *fields)]
  diverged = ["diverged_step"] if ("", "diverged_step") in names else []
  keys = ["arm", "seed", *fields, "step"]
  found = _table(rows, [*keys, *rest, *diverged])
  # A resumed run writes some rows again: of each number the last one counts.
  return found.groupby(keys, sort=False, dropna=False, as_index=False).last()


def probe_frame(workdir: str | os.PathLike[str]) -> "pd.DataFrame":
  """What probes saw in a run: a row for each number.

  Args:
    workdir: the work directory of a run.

  Returns:
    The columns of `frame` up to `step`; `probe`; `layer`; `index`, the place of
    the number where there are several, such as "1" or "0,3"; `value`; and,
    where there are histograms, `low` and `high` of the bin and `zero_fraction`.

  Raises:
    FileNotFoundError, ValueError: as `read_workdir`.
  """
  rows, fields = _flat(read_workdir(workdir).probes)
  keys = ["arm", "seed", *fields, "step", "probe", "layer", "index"]
  numbers = [number for row in rows for number in _numbers(row)]
  seen = {name for number in numbers for name in number}
  beside = [n for n in ("low", "high", "zero_fraction") if n in seen]
  found = _table(numbers, [*keys, "value", *beside])
  return found.drop_duplicates(keys, keep="last", ignore_index=True)


def write_table(
  workdir: str | os.PathLike[str], path: str | os.PathLike[str]
) -> list[pathlib.Path]:
  """Writes `frame`, and `probe_frame` if there are probes, for other programs.

  Args:
    workdir: the work directory of a run, or what was kept of one.
    path: FILE.csv or FILE.parquet; the probes' is FILE-probes.csv.

  Returns:
    The files.

  Raises:
    ValueError: the name ends otherwise.
    ImportError: pandas, or pyarrow for Parquet, is missing.
    FileNotFoundError, ValueError: as `read_workdir`.
  """
  target = pathlib.Path(path)
  if target.suffix not in _FORMATS:
    raise ValueError(f"{target} should end in {' or '.join(_FORMATS)}")
  tables = {target: frame(workdir)}
  probes = probe_frame(workdir)
  if len(probes):
    tables[target.with_stem(f"{target.stem}-probes")] = probes
  for file, table in tables.items():
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
      table.to_csv(file, index=False)
      continue
    try:
      table.to_parquet(file, index=False)
    except ImportError:
      raise ImportError(
        f"{file} needs pyarrow: pip install pyarrow, or write .csv"
      ) from None
  return list(tables)


def _table(
  rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> "pd.DataFrame":
  try:
    import pandas as pd
  except ImportError:
    raise ImportError("a frame needs pandas: pip install pandas") from None
  found = pd.DataFrame(rows, columns=list(columns))
  # What was never finite is None in every row: a column of numbers still.
  empty = {name: float for name in found if found[name].isna().all()}
  return found.astype(empty)


def _flat(
  rows: Sequence[Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], list[str]]:
  """Rows with the fields of their points beside the others, and the fields."""
  points = [row.get("point") or {} for row in rows]
  fields = list(dict.fromkeys(field for point in points for field in point))
  flat = [
    {**point, **{name: row[name] for name in row if name != "point"}}
    for row, point in zip(rows, points, strict=True)
  ]
  return flat, fields


def _numbers(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  """Every number of a row of probes."""
  own = {k: row[k] for k in row if k not in ("values", "edges")}
  values = np.asarray(row["values"], np.float64)
  edges = np.asarray(row.get("edges") or (), np.float64)
  for place in np.ndindex(values.shape):
    index = ",".join(map(str, place))
    number = own | {"index": index, "value": float(values[place])}
    if edges.size and place:
      low, high = edges[..., place[-1]], edges[..., place[-1] + 1]
      number |= {"low": float(low), "high": float(high)}
    yield number
