import ast
import pathlib
import re
import subprocess
import sys

import pytest

from bnjax.lab import report, results
from bnjax.lab.errors import UserError
from bnjax.lab.report import on_paper
from bnjax.lab.report.marks import Axis, Figure, Panel
from bnjax.lab.report.page import plotly

ROOT = pathlib.Path(report.__file__).parents[3]
NASTY = "<script>|"
CONFIG = {
  "dataset": {"name": "mnist"},
  "steps": 20,
  "seeds": 2,
  "arms": {"batch_norm": {}, NASTY: {}},
}
RULES = results.Rules(
  title="Test of <b>",
  published=(
    results.PublishedNumber(
      arm="batch_norm", metric="test_accuracy", mean=0.5, std=0.01, seeds=5,
      source="a <i>post</i>", dataset="mnist", step=20,
    ),
  ),
)  # fmt: skip
ENVIRONMENT = {
  "jax": "0.10.2",
  "command": "train.py --config=x:<y>",
  "devices": ["cpu"],
  "datasets": [{"name": "mnist", "label": "MNIST", "digest": "abc123"}],
}


@pytest.fixture
def workdir(tmp_path):
  results.write_json(tmp_path / "config.json", {"config": CONFIG})
  results.write_rules(tmp_path, RULES)
  results.write_json(tmp_path / "environment.json", ENVIRONMENT)
  results.append_rows(
    tmp_path / "metrics.jsonl",
    [
      {"arm": arm, "seed": seed, "step": step, "test_accuracy": 0.5 + seed / 10}
      | {"loss": float("nan"), "data_loss": 1.0, "train_seconds": 1.5}
      for arm in CONFIG["arms"]
      for seed in (0, 1)
      for step in (10, 20)
    ],
  )
  results.write_summary(tmp_path)
  return tmp_path


def test_report_has_every_file_and_no_other(workdir):
  done = report.write_report(workdir)
  assert sorted(path.name for path in (workdir / "report").iterdir()) == [
    "accuracy.png", "index.html", "loss.png", "report.md",
  ]  # fmt: skip
  assert done.notices == []
  assert [path.name for path in done.figures] == ["loss.png", "accuracy.png"]
  assert "0.5500 ± 0.0500" in done.markdown.read_text()


def test_page_is_self_contained_and_escaped(workdir):
  page = report.write_report(workdir).page.read_text()
  page = page.replace(plotly(), "")
  assert "<i>" not in page
  assert "<h1>Test of &lt;b&gt;</h1>" in page
  assert "&lt;script&gt;|" in page
  assert "train.py --config=x:&lt;y&gt;" in page
  # As JSON the name cannot end the script it stands in.
  assert '"name":"\\u003cscript>|"' in page
  assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
  assert "default-src 'none'" in page


def test_without_plotly_the_page_has_tables_and_says_so(workdir, monkeypatch):
  monkeypatch.setitem(sys.modules, "plotly.offline", None)
  plotly.cache_clear()
  try:
    done = report.write_report(workdir)
  finally:
    plotly.cache_clear()
  text = "plotly is not installed, so the page has no charts: pip install"
  assert [notice[: len(text)] for notice in done.notices] == [text]
  assert text in done.page.read_text()
  assert "0.5500 ± 0.0500" in done.page.read_text()
  assert done.page.stat().st_size < 200_000


def test_markdown_shows_figures_and_how_it_was_made(workdir):
  text = report.write_report(workdir).markdown.read_text()
  assert text.startswith("# Test of &lt;b&gt;\n")
  assert "![loss](loss.png)" in text
  assert "&lt;script&gt;\\|" in text
  assert "- seconds of training and compilation: 6.0" in text
  assert "- jax: 0.10.2" in text


def test_an_interrupted_run_is_reported_as_one(workdir):
  (workdir / "summary.json").unlink()
  with (workdir / "metrics.jsonl").open("a") as file:
    file.write('{"arm": "batch_norm", "see')
  done = report.write_report(workdir)
  assert "line 9 is torn" in done.notices[0]
  assert "summary.json is missing: the run was interr" in done.notices[1]
  for path in (done.page, done.markdown):
    assert done.notices[1] in path.read_text()
  assert done.tables[0].rows[0][1] == "0.5500 ± 0.0500"


@pytest.mark.parametrize(
  "name", ["config.json", "environment.json", "metrics.jsonl"]
)
def test_a_missing_file_is_one_clear_line(workdir, name):
  (workdir / name).unlink()
  (workdir / results.SUMS).unlink()
  with pytest.raises(UserError) as caught:
    report.write_report(workdir)
  assert str(caught.value) == (
    f"{workdir} holds no {name}: run scripts/train.py --workdir={workdir} first"
  )


@pytest.mark.parametrize(
  ("name", "text", "message"),
  [
    ("config.json", "{", "config.json does not hold a JSON object"),
    ("config.json", "{}", "config.json: config is None, not an object"),
    ("environment.json", "[]", "environment.json does not hold a JSON obj"),
    ("metrics.jsonl", "", "metrics.jsonl holds no rows yet: run scripts/tr"),
    ("metrics.jsonl", "?\n{}\n", "metrics.jsonl: line 1 is not a JSON obj"),
    ("metrics.jsonl", '{"arm": "a"}\n', "a row of metrics has no 'seed'"),
    ("metrics.jsonl", '{"step": 1}\n', "a row of metrics has no 'arm'"),
    ("summary.json", "", "summary.json does not hold a JSON object"),
    ("summary.json", "{}", "summary.json is not as this version writes it"),
  ],
)
def test_a_damaged_file_is_one_clear_line(workdir, name, text, message):
  (workdir / name).write_text(text)
  with pytest.raises(UserError, match=f"{name} is not as the run left it"):
    report.write_report(workdir)
  (workdir / results.SUMS).unlink()
  with pytest.raises(UserError) as caught:
    report.write_report(workdir)
  assert str(caught.value).startswith(f"{workdir}: {message}")
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("{}", "rules.json does not hold rules"),
    ("?", "rules.json does not hold a JSON object"),
    ('{"rules": {"published": [1]}}', r"rules.json: published\[0\] is 1, but"),
  ],
)
def test_wrong_rules_are_one_clear_line(workdir, text, message):
  (workdir / "rules.json").write_text(text)
  with pytest.raises(UserError, match=message):
    report.write_report(workdir)


def test_rules_that_were_changed_by_hand_are_noticed(workdir):
  whole = results.read_json(workdir / "rules.json")
  whole["rules"]["published"][0]["mean"] = 0.55
  results.write_json(workdir / "rules.json", whole)
  (notice,) = report.write_report(workdir).notices
  assert notice.startswith("rules.json was changed by hand: its digest is not")


def test_a_run_is_judged_anew_by_other_rules(workdir):
  before = {p.name: p.read_bytes() for p in workdir.glob("*.json*")}
  claim = results.greater("it is high", "batch_norm", 0.4)
  rules = results.Rules(
    title="Anew",
    claims={"high": claim},
    figures={"end": results.Final(metrics=("test_accuracy",))},
  )
  done = report.write_report(workdir, rules=rules)
  assert [path.name for path in done.figures] == ["end.png"]
  text = done.markdown.read_text()
  assert text.startswith("# Anew\n")
  assert "it is high" in text
  assert "claim 'high': added after the run" in text
  assert "was dropped after the run" in text
  assert {p.name: p.read_bytes() for p in workdir.glob("*.json*")} == before
  assert "Anew" not in report.write_report(workdir).markdown.read_text()


def test_a_rule_for_what_was_not_recorded_is_one_clear_line(workdir):
  claim = results.greater("t", "batch_norm", 0.5, "f1")
  with pytest.raises(UserError) as caught:
    report.write_report(workdir, rules=results.Rules(claims={"c": claim}))
  assert str(caught.value) == (
    f"{workdir}: claims.c.metric: no run has 'f1'; valid: data_loss, loss, "
    "test_accuracy, train_seconds"
  )


def test_an_unknown_format_is_refused(workdir):
  with pytest.raises(UserError, match="did you mean 'png'"):
    report.write_report(workdir, formats=["jpng"])
  assert not (workdir / "report").exists()


@pytest.mark.parametrize(
  "name", ["report", "report/index.html", "report/report.md", "report/loss.png"]
)
def test_nothing_is_written_through_a_link(workdir, tmp_path_factory, name):
  elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
  elsewhere.write_text("mine")
  (workdir / name).parent.mkdir(exist_ok=True)
  (workdir / name).symlink_to(elsewhere if "/" in name else elsewhere.parent)
  with pytest.raises(UserError, match=f"{name} is a link, through which"):
    report.write_report(workdir)
  assert [elsewhere] == list(elsewhere.parent.iterdir())
  assert elsewhere.read_text() == "mine"


@pytest.mark.parametrize(
  "name", ["../x", "/tmp/x", "a/b", "a\\b", ".x", "", "x\n"]
)
def test_figures_have_names_and_no_paths(workdir, name):
  final = results.Final(metrics=("loss",))
  with pytest.raises(ValueError, match="a figure is named"):
    results.Rules(figures={name: final})
  with pytest.raises(ValueError, match="a figure is named"):
    on_paper.save(Figure([Panel([], Axis(), Axis())]), workdir, name)
  whole = {"rules": {"figures": {name: final.to_json()}}}
  results.write_json(workdir / "rules.json", whole)
  with pytest.raises(UserError, match=r"rules\.json: .*a figure is named"):
    report.write_report(workdir)


def test_a_report_that_cannot_be_written_is_one_clear_line(workdir):
  (workdir / "report").write_text("in the way")
  with pytest.raises(UserError, match="report: File exists"):
    report.write_report(workdir)


def imports_of(path):
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module == "bnjax.lab":
      yield from (f"bnjax.lab.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield node.module


@pytest.mark.parametrize(
  ("package", "allowed"),
  [
    ("results", r"bnjax\.lab\.results|numpy|scipy|pandas"),
    (
      "report",
      r"bnjax\.lab\.(report|results|errors|registry)|matplotlib|numpy|scipy|rich"
      r"|plotly|markdown_it|jinja2|markupsafe",
    ),
  ],
)
def test_layers_import_nothing_else(package, allowed):
  files = sorted((ROOT / "bnjax/lab" / package).rglob("*.py"))
  assert len(files) > 5
  for path in files:
    for name in imports_of(path):
      known = name.split(".")[0] in sys.stdlib_module_names
      assert known or re.match(rf"({allowed})(\.|$)", name), (path.name, name)


def run_script(*arguments):
  return subprocess.run(
    [sys.executable, "scripts/report.py", *arguments],
    cwd=ROOT,
    env={"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
  )


def test_script_prints_the_table_and_names_the_files(workdir):
  done = run_script(f"--workdir={workdir}", "--format=pdf")
  assert (done.returncode, done.stderr) == (0, "")
  assert "0.5500 ± 0.0500" in done.stdout
  assert f"report: {workdir}/report/index.html" in done.stdout
  assert f"{workdir}/report/loss.pdf" in done.stdout


def test_script_says_in_one_line_what_is_wrong(tmp_path):
  done = run_script(f"--workdir={tmp_path}/none")
  assert done.returncode == 1
  assert done.stdout == ""
  assert done.stderr == (
    f"error: {tmp_path}/none is not a directory: run scripts/train.py "
    f"--workdir={tmp_path}/none first\n"
  )
