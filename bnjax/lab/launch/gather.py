"""Gathers the records of a sweep's parts in its work directory.

A network is done once its row of the last step is in `metrics.jsonl`; that is
written last. Reading records twice does no harm: readers take the last row.
"""

import contextlib
import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import workdirs
from bnjax.lab.experiment.plan import Network
from bnjax.lab.launch.parts import Part, last_step, network_key
from bnjax.lab.results.rows import Table
from bnjax.lab.results.workdir import FAILED
from bnjax.lab.writers import Writer

Row = dict[str, Any]
METRICS, PROBES = "metrics.jsonl", "probes.jsonl"


def final_rows(
  workdir: Path, networks: Mapping[str, Network]
) -> dict[str, Row]:
  """The row of the last step of each network that is done.

  Raises:
    UserError: the file is damaged.
  """
  try:
    rows = results.read_rows(workdir / METRICS).rows
    Table.of_metrics(rows)  # which says what is wrong with one
    return _finals(rows, networks)
  except FileNotFoundError:
    return {}
  except (ValueError, KeyError) as error:
    raise UserError(
      f"--workdir: {workdir / METRICS}: {error}; mend it"
    ) from None


def gather(
  part: Part, workdir: Path, done: Collection[str], *, ended: bool
) -> dict[str, Row]:
  """Takes over the records of a part's networks that are done.

  Args:
    part: what of it is wanted.
    workdir: gets the records.
    done: the networks whose records are there.
    ended: whether no process trains the part any more.

  Returns:
    The row of the last step of each network that was not done.
  """
  with contextlib.suppress(FileNotFoundError):
    rows = results.read_rows(part.run / METRICS).rows
    new = _finals(rows, part.without(done).networks)
    if new:
      _add_datasets(part.run, workdir)
    if ended:
      _move(part.run / "params", workdir / "params")
    if new:
      if (part.run / PROBES).exists():
        seen = results.read_rows(part.run / PROBES).rows
        kept = [row for row in seen if network_key(row) in new]
        results.append_rows(workdir / PROBES, kept)
      kept = [row for row in rows if network_key(row) in new]
      results.append_rows(workdir / METRICS, kept)
    return new
  return {}


def remove(part: Part) -> None:
  """Removes a part whose records are all gathered."""
  shutil.rmtree(part.folder, ignore_errors=True)
  with contextlib.suppress(OSError):  # there are others
    part.folder.parent.rmdir()


def write_failed(workdir: Path, failed: Collection[Row]) -> None:
  """Lists the networks that could not be trained, and why."""
  if failed:
    results.write_json(workdir / FAILED, {"failed": list(failed)})
  else:
    (workdir / FAILED).unlink(missing_ok=True)


class _Tail:
  """The lines that a growing file gets from here on."""

  def __init__(self, path: Path):
    self._path, self._offset = path, 0

  def lines(self) -> list[bytes]:
    """What is new; a torn line is read once it is whole."""
    with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
      file.seek(self._offset)
      content = file.read()
      whole = content[: content.rfind(b"\n") + 1]
      self._offset += len(whole)
      return whole.splitlines()
    return []


class Told:
  """Tells a writer what is gathered, from here on."""

  def __init__(self, workdir: Path, writer: Writer):
    self._files = {_Tail(workdir / METRICS): writer.rows}
    self._files[_Tail(workdir / PROBES)] = writer.probe_rows
    for tail in self._files:
      tail.lines()

  def tell(self) -> None:
    """Reads what is new; a network's records come all together."""
    for tail, tell in self._files.items():
      if lines := tail.lines():
        tell([json.loads(line) for line in lines])


class Watch:
  """Follows what a part records while it is trained, for the display alone."""

  def __init__(self, part: Part):
    self.step = 0  # the last one that was recorded
    self.finals: dict[str, Row] = {}
    self._tail = _Tail(part.run / METRICS)
    self._networks = part.networks

  def look(self) -> None:
    """Reads what is new."""
    for line in self._tail.lines():
      with contextlib.suppress(ValueError, KeyError, TypeError):  # begun anew
        row = json.loads(line)
        self.step = int(row["step"])
        self.finals |= _finals([row], self._networks)


def _finals(
  rows: Collection[Row], networks: Mapping[str, Network]
) -> dict[str, Row]:
  return {
    key: row
    for row in rows
    if (key := network_key(row)) in networks
    and row["step"] == last_step(networks[key])
  }


def _move(source: Path, target: Path) -> None:
  for folder in source.iterdir() if source.is_dir() else ():
    shutil.rmtree(target / folder.name, ignore_errors=True)
    target.mkdir(exist_ok=True)
    shutil.move(folder, target / folder.name)


def _add_datasets(run: Path, workdir: Path) -> None:
  """Notes in environment.json what data the part was trained on."""
  ours = results.read_json(workdir / "environment.json")
  known = ours.get("datasets") or []
  theirs = results.read_json(run / "environment.json").get("datasets") or []
  workdirs.check_data(workdir, ours, {"datasets": theirs})
  more = [dataset for dataset in theirs if dataset not in known]
  if more:
    ours["datasets"] = [*known, *more]
    results.write_json(workdir / "environment.json", ours)
