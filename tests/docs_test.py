"""Documentation says what is so: examples run, names and links are real."""

import doctest
import importlib.util
import inspect
import pathlib
import pkgutil
import re

import pytest
import yaml

import bnjax
from bnjax import ops
from bnjax.lab import config, results
from bnjax.lab.report import summary_tables

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [
  ROOT / "README.md",
  *(
    path
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if "results" not in path.relative_to(ROOT / "docs").parts[:-1]
  ),
]
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]


def _extension(name):
  path = ROOT / "docs" / "_extensions" / f"{name}.py"
  spec = importlib.util.spec_from_file_location(name, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def _examples(text):
  blocks = re.findall(r"^```pycon\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
  # No `>>>` is outside of such a block, where it would not be run.
  assert sum(block.count(">>> ") for block in blocks) == text.count(">>> ")
  return "\n".join(blocks)


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_examples_print_what_is_shown(path):
  text = path.read_text(encoding="utf-8")
  test = doctest.DocTestParser().get_doctest(
    _examples(text), {}, path.name, str(path), 0
  )
  said = []
  flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
  doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
  assert not said, "".join(said)


@pytest.mark.parametrize("name", ["README.md", "docs/published_errors.md"])
def test_there_are_examples(name):
  assert _examples((ROOT / name).read_text(encoding="utf-8")).count(">>>") > 10


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_files_that_are_named_exist(path):
  text = path.read_text(encoding="utf-8")
  named = re.findall(r"\b(?:configs|scripts|tests)/[\w/]+\.py\b", text)
  assert not [name for name in named if not (ROOT / name).exists()]


def test_every_public_function_is_in_the_api():
  text = (ROOT / "docs/api/ops.rst").read_text(encoding="utf-8")
  listed = re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE)
  public = {
    name
    for name, value in vars(ops).items()
    if not name.startswith("_") and not inspect.ismodule(value)
  }
  assert sorted(listed) == sorted(public)


def test_every_field_of_a_config_is_explained():
  text = (ROOT / "docs/how_to/experiment.md").read_text(encoding="utf-8")
  assert not [name for name in config.base() if f"`{name}`" not in text]


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_names_in_prose_are_there(path):
  text = path.read_text(encoding="utf-8")
  for name in set(re.findall(r"`(bnjax(?:\.\w+)+)`", text)):
    pkgutil.resolve_name(name)


DRAWN = "<!-- drawn by tests/docs_test.py -->\n", "<!-- until here -->"
FIELDS = ROOT / "docs/how_to/experiment.md"
# What Flax and the engine give an entry, and no config.
OWN = {
  "model": ("parent", "name", "num_classes", "norm"),
  "norm": ("parent", "name"),
  "schedule": ("steps",),
}


def _arguments(group, entry):
  for p in inspect.signature(entry).parameters.values():
    free = p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    if free and p.name not in OWN.get(group, ()):
      yield p.name if p.default is p.empty else f"{p.name}={p.default!r}"


def config_tables():
  """What each group of a config may be, and the arguments of that."""
  lines = []
  for group, (table, _) in config.GROUPS.items():
    lines += [f"`{group}.name`:", "", "| name | arguments |", "|---|---|"]
    for name, entry in table.items():
      listed = ", ".join(f"`{text}`" for text in _arguments(group, entry))
      lines.append(f"| `{name}` | {listed} |")
    lines.append("")
  return "\n".join(lines)


def test_names_and_arguments_are_those_that_there_are():
  text = FIELDS.read_text().split(DRAWN[0])[1].split(DRAWN[1])[0]
  assert text == config_tables(), "run python tests/docs_test.py"


def test_readme_has_the_table_of_the_results():
  text = (ROOT / "README.md").read_text(encoding="utf-8")
  lines = [re.split(r" *\| *", line)[1:-1] for line in text.splitlines()]
  shown = {cells[0]: cells for cells in lines if cells}
  kept = ROOT / "docs/results/init_robustness-mnist/summary.json"
  table = summary_tables(results.read_json(kept))[0]
  at = [i for i, name in enumerate(table.columns) if name != "95% interval"]
  rows = {row[0]: [row[i] for i in at] for row in table.rows}
  assert {arm: shown.get(arm) for arm in rows} == rows


def test_citation_is_of_this_version():
  """The fields that CITATION.cff 1.2.0 requires, and ours."""
  text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
  citation = yaml.safe_load(text)
  assert citation["cff-version"] == "1.2.0"
  assert citation["message"]
  assert citation["title"].startswith("bnjax")
  assert all(author["name"] for author in citation["authors"])
  assert citation["type"] == "software"
  assert citation["version"] == bnjax.__version__
  assert f'license = "{citation["license"]}"' in (
    ROOT / "pyproject.toml"
  ).read_text(encoding="utf-8")


def test_broken_links_are_found(tmp_path):
  links = _extension("local_links")
  (tmp_path / "b.html").write_text('<h1 id="here"></h1>')
  (tmp_path / "a.html").write_text(
    '<a href="b.html#here"></a><a href="b.html#gone"></a><a href="c.html"></a>'
    '<a href="#top"></a><a href="https://a.example/"></a>'
    '<script src="https://b.example/x.js"></script>'
  )
  wrong, external = links.check(tmp_path)
  assert wrong == [
    "a.html: b.html#gone leads to no such anchor",
    "a.html: c.html leads to no file",
    "a.html: fetches https://b.example/x.js from a network",
  ]
  assert external == ["https://a.example/", "https://b.example/x.js"]


@pytest.mark.parametrize(
  ("docstring", "shown"),
  [
    ("Returns x.\n\ny = a * b", "Returns x.\n\n::\n\n  y = a * b"),
    ("A p_ and `q_`s, 2 * 3.", r"A p\_ and `q_`\ s, 2 \* 3."),
    ("Returns:\n  Two: a, b.", ":returns: Two: a, b."),
    ("Such as:\n  code *", "Such as:\n\n::\n\n    code *"),
    (
      "See arXiv:1502.03167.",
      "See `arXiv:1502.03167 <https://arxiv.org/abs/1502.03167>`__.",
    ),
    (">>> 2 * 3\n6", ">>> 2 * 3\n6"),
  ],
)
def test_docstrings_keep_their_mathematics(docstring, shown):
  lines = _extension("docstrings").convert(docstring.split("\n"))
  assert "\n".join(lines).rstrip() == shown


if __name__ == "__main__":
  before, rest = FIELDS.read_text().split(DRAWN[0])
  after = rest.split(DRAWN[1])[1]
  FIELDS.write_text(before + DRAWN[0] + config_tables() + DRAWN[1] + after)
