"""README's examples run, and say what they print."""

import doctest
import pathlib
import re

README = pathlib.Path(__file__).parent.parent / "README.md"


def _blocks():
  text = README.read_text(encoding="utf-8")
  return re.findall(r"^```pycon\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_examples():
  test = doctest.DocTestParser().get_doctest(
    "\n".join(_blocks()), {}, "README", str(README), 0
  )
  said = []
  doctest.DocTestRunner(
    optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
  ).run(test, out=said.append)
  assert not said, "".join(said)
  assert len(test.examples) > 20


def test_every_example_is_run():
  """No `>>>` is outside of the blocks above."""
  text = README.read_text(encoding="utf-8")
  assert sum(block.count(">>> ") for block in _blocks()) == text.count(">>> ")
