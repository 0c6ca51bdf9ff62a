"""Commands of the documentation run as they are pasted, one after the other.

None is run here: flags, configs with what is set, work directories, extras,
modules and targets of make are looked up. .ci/run runs the first ones, and
other tests run every program.
"""

import argparse
import ast
import importlib.util
import pathlib
import re
import shlex
import tomllib

import pytest

from bnjax.lab import cli, config_file
from bnjax.lab.config import resolve_arms
from bnjax.lab.errors import UserError

ROOT = pathlib.Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TRAINS = ("train", "sweep")


def _pages():
  """The pages in the order of reading."""
  index = (ROOT / "docs/how_to/index.md").read_text()
  names = re.findall(r"\]\((\w+)\.md\)", index)
  how_tos = [ROOT / "docs/how_to" / f"{name}.md" for name in names]
  docs = [ROOT / "docs" / f"{name}.md" for name in ("clusters", "scaling")]
  return [ROOT / "README.md", *how_tos, *docs]


def commands(text):
  """The commands of a page, as words; continued lines are one."""
  for block in re.findall(r"```(?:console|bash)\n(.*?)```", text, re.DOTALL):
    for line in re.sub(r"\\\n", "", block).splitlines():
      whole = line.count("'") % 2 == 0  # or what another host is given
      words = shlex.split(line if whole else line.strip("'"), comments=True)
      python = [i for i, word in enumerate(words) if "python" in word]
      if words:
        yield words[python[0] if python else 0 :]


def _flags(program):
  """The flags that a program defines."""
  path = ROOT / "bnjax/lab/programs" / f"{program}.py"
  path = path if path.exists() else ROOT / "scripts" / f"{program}.py"
  return {
    node.args[0].value
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Call)
    and getattr(node.func, "attr", "").startswith("DEFINE_")
  }


class Session:
  """What a reader has who pasted every command so far."""

  def __init__(self):
    self.runs = {"docs/results": None}
    self._run("train", "--config=configs/init_robustness.py:mnist5k")

  def paste(self, words):
    program = pathlib.Path(words[0]).name
    if program.startswith("python") and words[1] == "-m":
      assert importlib.util.find_spec(words[2]), words
    elif program.startswith("python"):
      self._run(pathlib.Path(words[1]).stem, *words[2:])
    elif program in PROJECT["scripts"]:
      self._run(program.removeprefix("bnjax-"), *words[1:])
    elif program == "make":
      targets = (ROOT / "Makefile").read_text()
      assert re.search(rf"^{words[1]}:", targets, re.MULTILINE), words
    elif program == "pip":
      self._install(words[-1])

  def _install(self, what):
    project, _, extras = what.rstrip("]").partition("[")
    assert project in (".", "jax"), f"no index has {what}"
    known = PROJECT["optional-dependencies"]
    wanted = extras.split(",") if extras and project == "." else []
    assert set(wanted) <= set(known), what

  def _run(self, program, *arguments):
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    for name in _flags(program):
      parser.add_argument(f"--{name}", nargs="?", const=True, action="append")
      parser.add_argument(f"--no{name}", action="store_true")
    if program in TRAINS:
      parser.add_argument("--config_fields", action="append")
      arguments = cli.as_flags(["", *arguments])[1:]
    given, unknown = parser.parse_known_args(arguments)
    assert not unknown, f"{program} has no {unknown}"
    last = {k: v[-1] for k, v in vars(given).items() if isinstance(v, list)}
    if last.get("config") == "...":  # as of any experiment
      return
    if program in TRAINS:
      config = cli.configured(last["config"], given.config_fields or [])
      config_file.read_rules(last["config"], config)
      if not last.get("dry_run"):
        self._trains(program, last, config)
    if program == "report":
      named = [last[k] for k in ("workdir", "gallery") if k in last]
      for run in [*named, *last.get("runs", "").split(",")]:
        assert not run or run in self.runs, f"nobody made {run}"

  def _trains(self, program, last, config):
    name, _, argument = last["config"].partition(":")
    parts = [pathlib.Path(name).stem, *argument.replace(",", "-").split()]
    usual = f"runs/{'sweep-' * (program == 'sweep')}{'-'.join(parts)}"
    workdir = last.get("workdir", usual)
    trained = resolve_arms(config)
    same = self.runs.setdefault(workdir, trained) == trained
    assert same, f"{workdir} holds another experiment"


def test_every_command_runs_as_pasted(monkeypatch):
  monkeypatch.chdir(ROOT)
  session, count = Session(), 0
  for page in _pages():
    text = page.read_text(encoding="utf-8")
    for words in commands(text):
      if "mylab.py" in " ".join(words):  # tests/lab/outside_test.py runs it
        continue
      try:
        session.paste(words)
      except (AssertionError, UserError, KeyError) as error:
        raise AssertionError(
          f"{page.name}: {' '.join(words)}: {error}"
        ) from None
      count += 1
  assert count > 30


@pytest.mark.parametrize(
  ("page", "message"),
  [
    ("python scripts/train.py --config=lenett", "did you mean lenet"),
    ("python scripts/train.py --config=lenet --config.stps=3", "'stps'"),
    ("bnjax-sweep --config=lenet \\\n  --gird config.seed=1", "no ['--gird"),
    ("python scripts/train.py --config=lenet --workdir=a\n"
     "python scripts/train.py --config=cost --workdir=a", "a holds another"),
    ("bnjax-report --workdir=b", "nobody made b"),
    ("pip install 'bnjax[lab]'", "no index has bnjax"),
    ("pip install '.[labs]'", ".[labs]"),
    ("make reprodce", "reprodce"),
    ("python -m bnjax.lab.data.prepar mnist", "prepar"),
  ],
)  # fmt: skip
def test_what_does_not_run_is_found(page, message):
  session = Session()
  *before, last = commands(f"```console\n{page}\n```")
  for words in before:
    session.paste(words)
  with pytest.raises((AssertionError, UserError)) as caught:
    session.paste(last)
  assert message in str(caught.value)
