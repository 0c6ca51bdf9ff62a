"""All that a run recorded as one pandas frame, and as a file of it.

>>> from bnjax.lab import results
>>> run = results.frame("docs/results/lenet-mnist")
>>> list(run.columns[:4])
['arm', 'seed', 'step', 'test_accuracy']
>>> last = run[run.step == run.step.max()]
>>> last.groupby("arm").test_accuracy.mean().round(3).to_dict()
{'batch_norm': 0.989, 'batch_norm_torch': 0.989, 'no_batch_norm': 0.986}
"""

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bnjax.lab.results.aggregate import ranked_names
from bnjax.lab.results.rows import Table
from bnjax.lab.results.workdir import read_workdir

_FORMATS = (".csv", ".parquet")


def frame(workdir: str | os.PathLike[str]) -> pd.DataFrame:
  """The metrics of a run, or of what was kept of one.

  Returns:
    A row for each arm, seed, grid point and step, in the columns `arm`, `seed`,
    one for each field of the grid by its dotted name (`seed`, which is the
    first of an arm's, as `config.seed`), `step`, one for each metric and time
    (NaN where it was not finite or not recorded), and `diverged_step` where a
    run diverged.

  Raises:
    FileNotFoundError, ValueError: as `read_workdir`.
  """
  table = Table.of_metrics(read_workdir(workdir).rows)
  whole, fields = _flat(table)
  diverged = [n for n in ("diverged_step",) if n in whole]
  keys = ["arm", "seed", *fields, "step"]
  whole = whole[[*keys, *ranked_names(table.metrics), *diverged]]
  again = whole.groupby(keys, sort=False, dropna=False, as_index=False)
  return again.last().replace(np.inf, np.nan)


def probe_frame(workdir: str | os.PathLike[str]) -> pd.DataFrame:
  """What probes saw in a run: a row for each number.

  Returns:
    The columns of `frame` up to `step`; `probe`; `layer`; `index`, the place of
    the number where there are several, such as "1" or "0,3"; `value`; and,
    where there are histograms, `low` and `high` of the bin and `zero_fraction`.

  Raises:
    FileNotFoundError, ValueError: as `read_workdir`.
  """
  whole, fields = _flat(Table.of_probes(read_workdir(workdir).probes))
  keys = ["arm", "seed", *fields, "step", "probe", "layer", "index"]
  columns = [*keys, "value", "low", "high", "zero_fraction"]
  numbers = [n for row in whole.to_dict("records") for n in _numbers(row)]
  found = pd.DataFrame(numbers, columns=columns)
  beside = [n for n in columns[-3:] if found[n].isna().all()]
  found = found.astype({"value": float}).drop(columns=beside)
  return found.drop_duplicates(keys, keep="last", ignore_index=True)


def write_table(
  workdir: str | os.PathLike[str], path: str | os.PathLike[str]
) -> list[pathlib.Path]:
  """Writes `frame`, and `probe_frame` if there are probes, for other programs.

  The files are `path`, which is FILE.csv or FILE.parquet, and FILE-probes.csv.
  In CSV a text that a spreadsheet would take for a formula has an apostrophe
  ahead.

  Raises:
    ValueError: the name ends otherwise.
    ImportError: pyarrow is missing, for Parquet.
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
      texts = table.select_dtypes(exclude="number").map(_cell)
      safe = table.assign(**dict(texts.items())).rename(columns=_cell)
      safe.to_csv(file, index=False)
      continue
    try:
      table.to_parquet(file, index=False)
    except ImportError:
      raise ImportError(
        f"{file} needs pyarrow: pip install pyarrow, or write .csv"
      ) from None
  return list(tables)


def _cell(value: Any) -> Any:
  """A cell of CSV: no text is a formula.

  >>> _cell("=1+1"), _cell(-1.0)
  ("'=1+1", -1.0)
  """
  formula = isinstance(value, str) and value.startswith(tuple("=+-@\t\r"))
  return f"'{value}" if formula else value


def _flat(table: Table) -> tuple[pd.DataFrame, list[str]]:
  """Rows with the fields of their points beside the others, and the fields."""
  points = table.points
  fields = list(dict.fromkeys(field for point in points for field, _ in point))
  places = table.frame["point"].cat.codes
  at = {
    field: pd.Series([dict(point).get(field) for point in points]).reindex(
      places
    )
    for field in fields
  }
  names = {f: f"config.{f}" if f in table.frame else f for f in fields}
  columns = {
    names[field]: own.set_axis(table.frame.index) for field, own in at.items()
  }
  flat = table.frame.drop(columns="point").assign(**columns)
  flat = flat.astype(dict.fromkeys(flat.select_dtypes("category"), object))
  return flat, list(names.values())


def _numbers(row: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
  """Every number of a row of probes."""
  own = {k: row[k] for k in row if k not in ("values", "edges")}
  values, edges = row["values"], row["edges"]
  for place in np.ndindex(values.shape):
    index = ",".join(map(str, place))
    number = own | {"index": index, "value": float(values[place])}
    if edges is not None and place:
      low, high = edges[..., place[-1]], edges[..., place[-1] + 1]
      number |= {"low": float(low), "high": float(high)}
    yield number
