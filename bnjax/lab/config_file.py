"""What a config file says beside its config: its rules, its sweep.

def get_config(arg): ...     what is trained
def get_rules(config): ...   how it is judged: bnjax.lab.results.Rules
def sweep(add): ...          points of a sweep
"""

import importlib.util
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from bnjax.lab.errors import UserError
from bnjax.lab.registry import importable
from bnjax.lab.results import Rules


def find_modules_beside(path: str | Path) -> None:
  """Has modules in a config file's folder, and in this one, found by name."""
  importable([str(Path(path).absolute().parent), str(Path.cwd())])


def load(path: str | Path, flag: str = "--config") -> ModuleType:
  """Runs a config file.

  Args:
    path: the file.
    flag: how messages call it.

  Raises:
    UserError: there is no such Python file, or it fails; one line says where.
  """
  file = Path(path)
  if file.suffix != ".py" or not file.is_file():
    raise UserError(f"{flag}: there is no Python file {file}")
  spec = importlib.util.spec_from_file_location("config_file", file)
  assert spec is not None
  assert spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  find_modules_beside(file)
  _checked(spec.loader.exec_module, module, file, flag)
  return module


def read_rules(
  name: str, config: Mapping[str, Any], flag: str = "--config"
) -> Rules:
  """The rules that a config file has for what is trained.

  Args:
    name: FILE, or FILE:ARGUMENT as `--config` takes it: the argument is that of
      `get_config` and plays no part here.
    config: what is trained, with what was set on the command line.
    flag: how messages call the file.

  Returns:
    What `get_rules` returns. Where a file has none, the file's name as title.

  Raises:
    UserError: the file fails, or returns something else.
  """
  from ml_collections import ConfigDict

  file = Path(name.partition(":")[0])
  get_rules = getattr(load(file, flag), "get_rules", None)
  if get_rules is None:
    return Rules(title=file.stem.replace("_", " "))
  given = ConfigDict(config, convert_dict=True)
  rules = _checked(get_rules, given, file, flag)
  if not isinstance(rules, Rules):
    raise UserError(
      f"{flag}: {file}: get_rules returns {type(rules).__name__}, but should "
      "return bnjax.lab.results.Rules"
    )
  return rules


def _checked(
  function: Callable[[Any], Any], value: Any, file: Path, flag: str
) -> Any:
  try:
    return function(value)
  except UserError:
    raise
  except Exception as error:
    raise UserError(f"{flag}: {file}: {where(error, file)}") from error


def where(error: Exception, file: str | Path) -> str:
  """What went wrong in a file and in which line of it, in one line."""
  if isinstance(error, SyntaxError):
    line, said = error.lineno, error.msg
  else:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if f.filename == str(file)]
    line, said = (lines or [None])[-1], str(error)
  at = f"line {line}: " if line else ""
  return f"{at}{type(error).__name__}: {' '.join(said.split())}"
