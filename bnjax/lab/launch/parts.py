"""Parts of a sweep: networks that one process trains together, and their files.

A part is a run of its own, by `bnjax.lab.experiment.run`, of networks that
differ in numbers alone: they share its compiled program.

    WORKDIR/parts/ID/part.json     the config, and which networks
    WORKDIR/parts/ID/run/          the run's work directory
    WORKDIR/parts/ID/status.json   how it ended

What it records is gathered in WORKDIR (see `bnjax.lab.launch.gather`), and the
part is removed once all of it is there.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bnjax.lab import results
from bnjax.lab.config import complete, plain, resolve
from bnjax.lab.experiment import plan
from bnjax.lab.experiment.params import names
from bnjax.lab.experiment.plan import Network

PARTS = "parts"
STOPPED = 75  # exit status: EX_TEMPFAIL, the part can be resumed


class Part(NamedTuple):
  """Networks that are trained together."""

  folder: Path
  networks: Mapping[str, Network]

  @property
  def run(self) -> Path:
    """The run's work directory."""
    return self.folder / "run"

  @property
  def steps(self) -> int:
    """How many steps its networks train for."""
    return last_step(next(iter(self.networks.values())))

  def without(self, done: Collection[str]) -> "Part":
    """The part without the networks of these keys."""
    left = {k: n for k, n in self.networks.items() if k not in done}
    return self._replace(networks=left)


class Status(NamedTuple):
  """How a part ended: "done", "failed" or "stopped", and the error."""

  state: str
  error: str = ""


def network_key(network: Network | Mapping[str, Any]) -> str:
  """A text for an arm, a seed and a point, of a network or of its rows."""
  if isinstance(network, Network):
    network = network._asdict()
  point = plan.point_key(network.get("point") or {})
  return f"{network['arm']} {network['seed']} {point}"


def by_key(networks: Iterable[Network]) -> dict[str, Network]:
  """Networks by `network_key`, in order."""
  return {network_key(network): network for network in networks}


def last_step(network: Network) -> int:
  """The step at which a network is done."""
  return int(network.spec["steps"])


def make_parts(
  networks: Sequence[Network], workdir: Path, *, at_most: int = 0
) -> list[Part]:
  """Divides networks into parts, in order of appearance.

  Args:
    networks: of the plan.
    workdir: of the sweep.
    at_most: networks in a part; 0 for all that share a program.
  """
  parts = []
  for group in plan.groups(networks):
    for some in group.split(at_most) if at_most else [group]:
      own = by_key(some.networks)
      name = hashlib.sha256("\n".join(own).encode()).hexdigest()[:12]
      parts.append(Part(workdir / PARTS / name, own))
  return parts


def found_parts(
  networks: Mapping[str, Network], workdir: Path
) -> list[tuple[Part, bool]]:
  """Parts that an earlier sweep left.

  Returns:
    Each part that has networks of the plan, those alone in it, and whether
    they are all that it has.
  """
  found = []
  for path in sorted((workdir / PARTS).glob("*/part.json")):
    try:
      keys = [network_key(n) for n in results.read_json(path)["networks"]]
    except (ValueError, KeyError, TypeError, OSError):  # as if there was none
      continue
    own = {key: networks[key] for key in keys if key in networks}
    if own:
      found.append((Part(path.parent, own), len(own) == len(keys)))
  return found


def is_saved(part: Part) -> bool:
  """Whether a part has a checkpoint."""
  return any((part.run / "checkpoints").glob("[0-9]*.npz"))


def write_parts(parts: Iterable[Part], config: Mapping[str, Any]) -> None:
  """Writes what workers need."""
  common = {**config, "grid": {}, "points": ()}
  common["predictions"] = False  # of some networks alone they say nothing
  common = results.to_strict(common)
  for part in parts:
    own = part.networks.values()
    arms = {n.arm: common["arms"][n.arm] for n in own}
    told = {"config": {**common, "arms": arms}, "networks": names([*own])}
    part.folder.mkdir(parents=True, exist_ok=True)
    # Unsynced: a torn one is written anew.
    (part.folder / "part.json").write_text(json.dumps(told))


def read_part(folder: Path) -> tuple[dict[str, Any], list[Network]]:
  """The config and the networks of a part.

  Raises:
    UserError: what it trains is no longer known.
  """
  told = results.read_json(folder / "part.json")
  config = complete(told["config"])
  points: dict[str, plan.Point] = {}
  specs: dict[str, dict[str, Any]] = {}
  networks = []
  for known in told["networks"]:
    arm, seed = known["arm"], known["seed"]
    key = f"{arm} {plan.point_key(known['point'])}"
    if key not in specs:
      point = points[key] = plain(known["point"])
      specs[key] = resolve(config, arm, plan.nested(point), source="sweep")
      specs[key]["predictions"] = False
    networks.append(Network(arm, points[key], seed, specs[key]))
  return config, networks


def write_status(folder: Path, status: Status) -> None:
  """Says how a part ended."""
  results.write_json(folder / "status.json", status._asdict())


def read_status(folder: Path) -> Status | None:
  """How a part ended; None while it has not."""
  try:
    return Status(**results.read_json(folder / "status.json"))
  except (FileNotFoundError, ValueError, TypeError):
    return None
