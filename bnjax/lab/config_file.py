"""What a config file says: its config, its rules, its sweep.

def get_config(arg): ...     what is trained
def get_rules(config): ...   how it is judged: bnjax.lab.results.Rules
def sweep(add): ...          points of a sweep
"""

import difflib
import importlib.util
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from bnjax.lab.errors import UserError
from bnjax.lab.registry import importable
from bnjax.lab.results import Rules

_BESIDE = Path(__file__).parent
# Ours: in the wheel, and in a checkout.
_OURS = (_BESIDE / "configs", _BESIDE.parents[1] / "configs")


def find(name: str | Path, flag: str = "--config") -> Path:
  """The file of a config: a path, or the name of one in `configs`, or of ours.

  Raises:
    UserError: there is no such Python file; names one that is near.
  """
  path = Path(name)
  folders = [Path("configs"), *_OURS]
  named = [folder / path.with_name(f"{path.name}.py") for folder in folders]
  for file in (path, *named):
    if file.suffix == ".py" and os.path.isfile(file):
      return file
  names = sorted(
    file.relative_to(folder).with_suffix("").as_posix()
    for folder in dict.fromkeys(folders)
    for file in folder.rglob("*.py")
  )
  beside = map(str, path.parent.glob("*.py"))
  near = [
    *difflib.get_close_matches(str(path), beside, n=1),
    *difflib.get_close_matches(str(path.with_suffix("")), names, n=1),
  ]
  what = "is no Python file" if os.path.exists(path) else "is not there"
  hint = f"did you mean {near[0]}?" if near else "for instance init_robustness"
  raise UserError(f"{flag}: {name} {what}; {hint}")


def load(path: str | Path, flag: str = "--config") -> ModuleType:
  """Runs a config file.

  Raises:
    UserError: there is no such Python file, or it fails; one line says where.
  """
  file = find(path, flag)
  spec = importlib.util.spec_from_file_location("config_file", file)
  assert spec is not None
  assert spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  importable([str(file.absolute().parent), str(Path.cwd())])
  run(spec.loader.exec_module, module, file=file, flag=flag)
  return module


def read_config(name: str, flag: str = "--config") -> dict[str, Any]:
  """What a config file's `get_config` returns, as nested dicts.

  Raises:
    UserError: the file fails, has no `get_config`, or returns something else.
  """
  from ml_collections import ConfigDict

  path, colon, argument = name.partition(":")
  file = find(path, flag)
  get_config = getattr(load(file, flag), "get_config", None)
  if not callable(get_config):
    raise UserError(f"{flag}: {file} does not define get_config(argument)")
  given = [argument] if colon else []
  found = run(get_config, *given, file=file, flag=flag)
  if isinstance(found, ConfigDict):
    found = run(found.to_dict, file=file, flag=flag)
  if not isinstance(found, Mapping):
    raise UserError(
      f"{flag}: {file}: get_config returns {type(found).__name__}, but should "
      "return a ConfigDict"
    )
  return dict(found)


def read_rules(
  name: str, config: Mapping[str, Any], flag: str = "--config"
) -> Rules:
  """The rules that a config file has for what is trained.

  An argument in FILE:ARGUMENT is that of `get_config` and plays no part here.

  Returns:
    What `get_rules` returns. Where a file has none, the file's name as title.

  Raises:
    UserError: the file fails, or returns something else.
  """
  from ml_collections import ConfigDict

  file = find(name.partition(":")[0], flag)
  get_rules = getattr(load(file, flag), "get_rules", None)
  if get_rules is None:
    return Rules(title=file.stem.replace("_", " "))
  given = ConfigDict(config, convert_dict=True)
  rules = run(get_rules, given, file=file, flag=flag)
  if not isinstance(rules, Rules):
    raise UserError(
      f"{flag}: {file}: get_rules returns {type(rules).__name__}, but should "
      "return bnjax.lab.results.Rules"
    )
  return rules


def run(
  function: Callable[..., Any], *given: Any, file: Path, flag: str
) -> Any:
  """Calls a function of somebody's file.

  Raises:
    UserError: whatever it raises, but Ctrl-C, in a line that says where.
  """
  try:
    return function(*given)
  except (Exception, SystemExit) as error:
    raise UserError(f"{flag}: {file}: {where(error, file)}") from error


def where(error: BaseException, file: str | Path) -> str:
  """What went wrong in a file and in which line of it, in one line."""
  said = str(error)
  if isinstance(error, SyntaxError) and _is(error.filename, file):
    line, said = error.lineno, error.msg
  else:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if _is(f.filename, file)]
    line = (lines or [None])[-1]
  at = f"line {line}: " if line else ""
  kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
  return f"{at}{kind}{' '.join(said.split())}"


def _is(name: str | None, file: str | Path) -> bool:
  return os.path.abspath(name or "") == os.path.abspath(file)
