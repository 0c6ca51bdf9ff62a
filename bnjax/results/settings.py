"""What a config asks of each arm, and what of it the rows lack."""

from collections.abc import Iterable, Mapping
from typing import Any

from bnjax.results.aggregate import Curve


def arm_names(
  config: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> list[str]:
  """The arms in the config's order, then any that only the rows have."""
  names = list(config.get("arms") or {})
  return list(dict.fromkeys([*names, *(row["arm"] for row in rows)]))


def setting(config: Mapping[str, Any], arm: str, *path: str) -> Any:
  """A field as one arm has it: its own override, or the config's value.

  >>> setting({"steps": 10, "arms": {"long": {"steps": 20}}}, "long", "steps")
  20
  """
  for place in ((config.get("arms") or {}).get(arm), config):
    value: Any = place
    for key in path:
      value = value.get(key) if isinstance(value, Mapping) else None
    if value is not None:
      return value
  return None


def missing_rows(
  config: Mapping[str, Any],
  arms: Iterable[str],
  curves: Mapping[tuple[str, str], Curve],
  steps: Mapping[str, int],
) -> list[str]:
  """What an unfinished run lacks, one line an arm and kind.

  Args:
    config: the resolved config: how many seeds each arm is to have.
    arms: their names.
    curves: what was recorded, by (arm, metric).
    steps: how many steps each arm is to train for.

  Returns:
    The lines; none for a finished run.
  """
  notices = []
  for arm in arms:
    own = [curve for (name, _), curve in curves.items() if name == arm]
    if not own:
      notices.append(f"{arm}: nothing was recorded")
      continue
    curve = max(own, key=lambda curve: curve.last_step)
    wanted = setting(config, arm, "seeds")
    if wanted and len(curve.seeds) < wanted:
      notices.append(f"{arm}: {len(curve.seeds)} of {wanted} seeds have rows")
    short = [
      f"seed {seed} stopped at step {reached}"
      for seed, reached in zip(curve.seeds, curve.reached, strict=True)
      if reached < steps[arm]
    ]
    if short:
      notices.append(f"{arm}: {', '.join(short)} of {steps[arm]}")
  return notices
