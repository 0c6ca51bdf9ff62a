"""A name of a table, or of code from outside."""

import sys

import pytest

from bnjax.lab import registry
from bnjax.lab.errors import UserError

TABLE = {"walk": len, "fly": abs}


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.setattr(sys, "path", [*sys.path])
  registry.importable([str(tmp_path)])
  return tmp_path


def test_unknown_name_lists_the_choices():
  with pytest.raises(UserError, match=r"move\.name: 'flu'.*'fly'.*fly, walk"):
    registry.lookup("move.name", "flu", TABLE)


def test_an_object_from_outside(folder):
  (folder / "names_mine.py").write_text("class A:\n  b = staticmethod(len)\n")
  assert registry.lookup("move.name", "names_mine:A.b", TABLE) is len
  assert registry.lookup("move.name", "os.path:join", TABLE) is not None


@pytest.mark.parametrize(
  ("text", "name", "said"),
  [
    ("", "names_nowhere:a", "cannot be imported: ModuleNotFoundError: No mod"),
    ("import numpi", "{}:a", "ModuleNotFoundError: No module named 'numpi'"),
    ("x = 1\ny = 1 / 0", "{}:a", "ZeroDivisionError: division by zero ({}"),
    ("x = (", "{}:a", "cannot be imported: SyntaxError: '(' was never closed"),
    ("apple = len", "{}:aple", "has no 'aple'; did you mean 'apple'?"),
    ("a = 3", "{}:a", "is of type int, which cannot be called"),
    ("", "{}:", "is neither a name of a table nor of the form"),
    ("", ":a", "is neither a name of a table nor of the form"),
    ("", "a b:c", "is neither a name of a table nor of the form"),
  ],
)
def test_what_is_wrong_outside_is_one_line(folder, request, text, name, said):
  number = request.node.callspec.indices["text"]
  module = f"names_wrong_{number}"
  (folder / f"{module}.py").write_text(text)
  with pytest.raises(UserError) as error:
    registry.lookup("move.name", name.format(module), TABLE)
  message = str(error.value)
  assert message.startswith(f"move.name: {name.format(module)!r}")
  assert said.partition("({}")[0] in message
  assert ("({}" not in said) or f"{module}.py, line 2)" in message
  assert "\n" not in message


def test_code_from_outside_runs_for_who_allows_it(folder):
  (folder / "names_hostile.py").write_text("raise SystemExit")
  with pytest.raises(UserError, match=r"code from outside.*--config=FILE"):
    registry.lookup("kind", "names_hostile:a", TABLE, outside=False)
