"""What is kept of runs, and the page of all of them."""

import dataclasses
import json
import subprocess
import sys

import pytest
from markdown_it import MarkdownIt

from bnjax.lab import report, results
from bnjax.lab.errors import UserError
from bnjax.lab.report import document
from bnjax.lab.report.render import NONE

ROOT = document.pathlib.Path(report.__file__).parents[3]
SCRIPT = "configs/x.py:mnist --config.note=<b>"
ENVIRONMENT = {
  "jax": "0.10.2", "cpus": 2, "backend": "cpu", "devices": ["cpu"],
  "platform": "Linux x86_64", "started": "2026-01-02T03:04:05",
  "command": f"python scripts/train.py --config={SCRIPT} --workdir=runs/x "
  "--data_dir=/data",
  "datasets": [{"name": "mnist", "train": 100}],
}  # fmt: skip
NUMBER = results.PublishedNumber(
  arm="a", metric="test_accuracy", mean=0.9, std=0.1, seeds=5, step=20,
  source="a post", dataset="mnist",
)  # fmt: skip
CONFIG = {
  "dataset": {"name": "mnist"}, "steps": 20, "seeds": 2,
  "arms": {"a": {}, "b": {}},
}  # fmt: skip
RULES = results.Rules(
  title="A test: with *stars*",
  published=(
    NUMBER, dataclasses.replace(NUMBER, arm="b", dataset="cifar10"),
  ),
  claims={
    "c": results.greater("b is better", "b", "a", published="far better"),
    "d": results.less(
      "a wins", "a", "b", "steps_to:test_accuracy>=0.5", times=1
    ),
  },
)  # fmt: skip


def rows(steps=(0, 10, 20)):
  for arm, accuracy in (("a", 0.4), ("b", 0.3)):
    for seed in (0, 1):
      for step in steps:
        yield {"arm": arm, "seed": seed, "step": step, "train_seconds": 30.0,
               "test_accuracy": accuracy + seed / 100 + step / 100}  # fmt: skip


def make(folder, **rules):
  results.write_json(folder / "config.json", {"config": CONFIG})
  results.write_rules(folder, dataclasses.replace(RULES, **rules))
  results.write_json(folder / "environment.json", ENVIRONMENT)
  results.append_rows(folder / "metrics.jsonl", list(rows()))
  results.write_summary(folder)
  return folder


@pytest.fixture
def kept(tmp_path):
  """A gallery of one experiment, with its finding."""
  report.export_run(make(tmp_path / "run"), tmp_path / "kept" / "one")
  (tmp_path / "kept" / "one" / "finding.md").write_text("*It works.*\n")
  return tmp_path / "kept"


def test_an_export_holds_what_is_small(tmp_path):
  run, target = make(tmp_path / "run"), tmp_path / "kept" / "one"
  done = report.export_run(run, target)
  assert sorted(path.name for path in target.iterdir()) == [
    "accuracy.png", "config.json", "environment.json", "metrics.json",
    "rules.json", "summary.json",
  ]  # fmt: skip
  assert done.size == sum(path.stat().st_size for path in target.iterdir())
  assert done.size < 200_000
  assert done.notices == [
    f"{target} has no finding.md yet: write what was found"
  ]
  for name in ("config.json", "summary.json"):
    assert (target / name).read_bytes() == (run / name).read_bytes()


def test_predictions_that_have_an_image_are_kept(tmp_path):
  run, target = make(tmp_path / "run"), tmp_path / "one"
  arms = {"a": {"prediction": 7, "confidence": 0.9, "right": 1.0}}
  row = {"index": 0, "label": 7, "disagreement": 0.1, "arms": arms}
  shown = row | {"index": 1, "image": [0, 0, 2, 2]}
  results.append_rows(run / "predictions.jsonl", [row, shown])
  report.export_run(run, target)
  assert not (target / "predictions.jsonl").exists()  # there is no picture
  (run / "predictions.png").write_bytes(b"\x89PNG\r\n\x1a\n")
  for _ in range(2):  # the second time in the place of the first
    report.export_run(run, target)
    assert results.read_rows(target / "predictions.jsonl").rows == [shown]
  assert (target / "predictions.png").read_bytes().startswith(b"\x89PNG")


def test_metrics_are_kept_thin_and_without_times(tmp_path):
  report.export_run(make(tmp_path / "run"), tmp_path / "one")
  metrics = results.read_json(tmp_path / "one" / "metrics.json")
  first = metrics["curves"][0]
  assert [curve["metric"] for curve in metrics["curves"]] == [
    "test_accuracy"
  ] * 2
  assert (first["seeds"], first["steps"]) == ([0, 1], [0, 10, 20])
  assert first["values"] == [[0.4, 0.5, 0.6], [0.41, 0.51, 0.61]]


def test_of_many_steps_some_are_kept_and_the_ends_always():
  config = {"arms": {"a": {}}, "steps": 999}
  found = [{"arm": "a", "seed": 0, "step": step, "loss": 1 / (1 + step)}
           for step in range(1000)]  # fmt: skip
  (curve,) = results.thin(results.Measured(config, found))["curves"]
  assert len(curve["steps"]) == 60
  assert (curve["steps"][0], curve["steps"][-1]) == (0, 999)
  assert curve["values"][0][-1] == 0.001


def test_of_a_grid_the_last_step_is_kept():
  found = [
    {"arm": "a", "seed": seed, "step": step, "loss": l2 if step else None,
     "point": {"l2": l2}}
    for l2 in (0.5, 0.123456789) for seed in (0, 1) for step in (0, 20)
  ]  # fmt: skip
  (grid,) = results.thin(results.Measured({}, found))["grids"]
  assert grid == {
    "arm": "a", "fields": ["l2"], "points": [[0.123456789], [0.5]],
    "seeds": [0, 1], "step": 20,
    "values": {"loss": [[0.123457, 0.123457], [0.5, 0.5]]},
    "diverged": [[], []],
  }  # fmt: skip


def test_an_export_replaces_what_it_left_and_nothing_else(kept, tmp_path):
  target, run = kept / "one", tmp_path / "run"
  (target / "mine.png").write_bytes(b"mine")
  figures = {"new": results.Final(metrics=("test_accuracy",))}
  rules = dataclasses.replace(RULES, figures=figures)
  report.export_run(run, target, rules=rules)
  assert sorted(path.name for path in target.glob("*.png")) == [
    "mine.png", "new.png",
  ]  # fmt: skip
  assert (target / "finding.md").read_text() == "*It works.*\n"
  before = {path: path.read_bytes() for path in target.iterdir()}
  for other in (
    {"title": "Another"},
    {"figures": {"mine": results.Final(metrics=("test_accuracy",))}},
  ):
    with pytest.raises(UserError, match=r"Another|mine\.png is there and was"):
      report.export_run(run, target, rules=dataclasses.replace(RULES, **other))
  assert {path: path.read_bytes() for path in target.iterdir()} == before
  kept = results.read_json(target / "metrics.json")
  assert set(kept.pop("files")) == {
    path.name for path in before} - {"mine.png", "finding.md"}  # fmt: skip
  results.write_json(target / "metrics.json", kept)  # as versions before had it
  report.export_run(run, target, rules=rules)
  with pytest.raises(UserError, match=r"config\.json is there and was not"):
    report.export_run(run, make(tmp_path / "run2"))


def test_a_large_export_is_noticed(tmp_path, monkeypatch):
  monkeypatch.setattr("bnjax.lab.report.export.LIMIT", 1000)
  done = report.export_run(make(tmp_path / "run"), tmp_path / "one")
  assert done.notices[0].endswith("bytes, more than 1,000")


def test_a_run_that_is_not_done_is_not_exported(tmp_path):
  run = make(tmp_path / "run")
  (run / "summary.json").unlink()
  with pytest.raises(UserError, match=r"holds no summary.json: the run is not"):
    report.export_run(run, tmp_path / "one")
  with pytest.raises(UserError, match="is the work directory itself"):
    report.export_run(run, run)
  with pytest.raises(UserError, match="is not a directory: run scripts/train"):
    report.export_run(tmp_path / "none", tmp_path / "one")


def test_the_page_has_every_part(kept):
  made = report.write_gallery(kept)
  assert (made.experiments, made.notices) == (1, [])
  text = made.page.read_text()
  assert text.startswith("# Results\n")
  assert "## A test: with \\*stars\\*\n\n*It works.*\n" in text
  assert "[A test: with \\*stars\\*](#a-test-with-stars)" in text
  assert "| 0 of 2 hold, 1 cannot be compared | 1 of 2 hold |" in text
  assert (
    "| a | 0.6050 ± 0.0050 | 0.9000 ± 0.1000 | -0.2950 [-0.4335, -0.1565] | "
    "±0.0100 | does not hold |"
  ) in text
  assert "0.9000 ± 0.1000 | -0.3950 | ±0.0100 | cannot be compared |" in text
  assert "- published: a post" in text
  assert "- *does not hold*: b is better" in text
  assert "published: far better" in text
  assert "](one/accuracy.png)" in text
  assert (
    "```console\npython scripts/train.py "
    "--config=configs/x.py:mnist --config.note=<b>\n```"
  ) in text
  assert "2 min on 2 CPU cores; jax 0.10.2, Linux x86_64; 2026-01-02." in text


def test_the_page_says_what_each_and_all_took(kept, tmp_path):
  two = kept / "two"
  report.export_run(make(tmp_path / "other"), two)
  of = {"commit": "0a1b", "dirty": True, "cpus": 4}
  results.write_json(two / "environment.json", ENVIRONMENT | of)
  summary = results.read_json(two / "summary.json") | {"seconds": 8000.0}
  results.write_json(two / "summary.json", summary)
  text = report.write_gallery(kept).page.read_text()
  assert (
    "\n2 h 13 min on 4 CPU cores; bnjax at 0a1b, changed; jax 0.10.2, Linux "
    "x86_64; 2026-01-02.\n"
  ) in text
  table = text[text.index("## What they take") :].splitlines()[2:7]
  assert [line.split(" | ")[1:] for line in table] == [
    ["networks", "steps of each", "time", "on |"],
    ["--:", "--:", "---", "--- |"],
    ["4", "20", "2 min", "2 CPU cores, 2026-01-02 |"],
    ["4", "20", "2 h 13 min", "4 CPU cores, 2026-01-02 |"],
    ["8", NONE, "2 h 15 min", f"{NONE} |"],
  ]


def test_the_page_of_claims_has_those_of_others_by_source(tmp_path):
  twice = {
    f"c{metric}": results.greater(
      "one is better", arm, other, metric, setting=f"by {metric}"
    )
    for metric, arm, other in (
      ("test_accuracy", "a", "b"), ("max:test_accuracy", "b", "a")
    )
  }  # fmt: skip
  run = make(
    tmp_path / "run",
    claims=RULES.claims | twice,
    claimed={"B 2018": ("c*",), "A 2015": ("nothing",)},
  )
  report.export_run(run, tmp_path / "kept" / "one")
  page = tmp_path / "docs" / "claims.md"
  assert report.write_claims(tmp_path / "kept", page) == page
  text = page.read_text()
  assert [line for line in text.splitlines() if line.startswith("##")] == [
    "## B 2018", "## a post",
  ]  # fmt: skip
  assert f"`{(tmp_path / 'kept').as_posix()}/README.md` tells" in text
  rows = [line for line in text.splitlines() if "asked" in line]
  by = "configs/x.py:mnist --config.note=&lt;b&gt;"  # all that was set
  assert rows[:2] == [
    "| b is better | far better | -0.1000 [-0.1000, -0.1000], asked "
    f"&gt; 0 | does not hold | {by} |",
    "| one is better | \u2013 | -0.1000 [-0.1000, -0.1000], asked &gt; 0 (by "
    f"max:test_accuracy) | does not hold; holds at 1 of 2 | {by} |",
  ]
  assert len(rows) == 3
  assert rows[2].startswith(
    "| 2 numbers: Test accuracy | 0.9000 ± 0.1000 | 0.6050 ± 0.0050, "
  )
  assert "a wins" not in text
  page.write_text("mine")
  with pytest.raises(UserError, match="is no page of bnjax"):
    report.write_claims(tmp_path / "kept", page)


def test_the_page_ends_with_what_does_not_hold(kept):
  text = report.write_gallery(kept).page.read_text()
  end = text[text.index("## What does not hold") :]
  assert "*cannot be compared*:\n  b, test accuracy: ours 0.5050" in end
  assert "(measured on mnist, published on cifar10)" in end
  assert "*does not hold*:\n  b is better: -0.1000" in end
  assert "a wins" not in end


def test_the_tables_of_the_page_are_narrow(kept):
  text = report.write_gallery(kept).page.read_text()
  table = [line for line in text.splitlines() if line.startswith("|")]
  assert max(map(len, table)) < 110


def test_tables_of_layers_are_folded(tmp_path):
  run = make(
    tmp_path / "run",
    tables={"size": results.Layers(probe="size", title="Sizes")},
  )
  seen = {"arm": "a", "seed": 0, "step": 20, "probe": "size", "layer": "h_1"}
  results.append_rows(run / "probes.jsonl", [seen | {"values": 0.25}])
  results.write_summary(run)
  report.export_run(run, tmp_path / "kept" / "one")
  text = report.write_gallery(tmp_path / "kept").page.read_text()
  _, _, table = text.partition(
    "<details>\n<summary>Sizes (step 20)</summary>\n"
  )
  assert table.startswith("\n| layer | a |\n| --- | --: |\n| h_1 | 0.250 |\n")


def test_where_everything_holds_nothing_is_listed(tmp_path):
  run = make(tmp_path / "run", published=(), claims={})
  report.export_run(run, tmp_path / "kept" / "one")
  made = report.write_gallery(tmp_path / "kept")
  assert made.page.read_text().endswith("cannot be compared\n\nNothing.\n")
  assert made.notices == [
    f"{tmp_path}/kept/one has no finding.md yet: write what was found"
  ]


def test_names_and_commands_of_others_stay_in_their_place(kept):
  target = kept / "one"
  summary = results.read_json(target / "summary.json")
  summary["title"] = "![1](http://x)|`<b>\n# y"
  summary["notices"] = [summary["title"]]
  results.write_json(target / "summary.json", summary)
  command = "python x\n```\n![1](http://x) ```` y"
  results.write_json(target / "environment.json", {"command": command})
  text = report.write_gallery(kept).page.read_text()
  html = MarkdownIt("commonmark").enable("table").render(text)
  assert '-console">python x ``` ![1](http://x) ```` y\n</code>' in html
  assert 'http://x"' not in html
  assert "<b>" not in html
  assert html.count("<h1>") == 1


def test_an_unfinished_run_is_said_to_be_one(kept):
  path = kept / "one" / "summary.json"
  summary = results.read_json(path) | {"notices": ["a: seed 1 stopped"]}
  results.write_json(path, summary)
  text = report.write_gallery(kept).page.read_text()
  assert "> **a: seed 1 stopped**" in text
  assert "*unfinished*:\n  a: seed 1 stopped" in text


def test_figures_come_as_the_config_lists_them(tmp_path):
  figures = {
    "z": results.Curves(metrics=("test_accuracy",)),
    "a": results.Final(metrics=("test_accuracy",)),
  }
  run = make(tmp_path / "run", figures=figures)
  report.export_run(run, tmp_path / "kept" / "one")
  text = report.write_gallery(tmp_path / "kept").page.read_text()
  assert text.index("](one/z.png)") < text.index("](one/a.png)")


@pytest.mark.parametrize(
  ("name", "text", "message"),
  [
    ("config.json", None, "one holds no config.json"),
    ("environment.json", "?", "one: environment.json does not hold a JSON"),
    ("summary.json", "{}", "one: summary.json is not as this version writes"),
    ("summary.json", '{"entries": [{}]}', "one: summary.json is not as this"),
  ],
)
def test_a_damaged_experiment_is_one_clear_line(kept, name, text, message):
  if text is None:
    (kept / "one" / name).unlink()
  else:
    (kept / "one" / name).write_text(text)
  with pytest.raises(UserError, match=message) as caught:
    report.write_gallery(kept)
  assert "\n" not in str(caught.value)
  assert not (kept / "README.md").exists()


def test_what_is_no_page_of_ours_is_not_replaced(kept, tmp_path):
  (kept / "README.md").write_text("mine")
  (tmp_path / "page.html").write_text("<html>mine")
  with pytest.raises(UserError, match=r"README\.md is no page of bnjax"):
    report.write_gallery(kept)
  with pytest.raises(UserError, match=r"page\.html is no page of bnjax"):
    report.write_page([kept], tmp_path / "page.html")
  assert (kept / "README.md").read_text() == "mine"
  (kept / "README.md").unlink()
  for _ in range(2):  # one that is ours is
    report.write_gallery(kept)
    report.write_page([kept], tmp_path / "new.html")


def test_folders_that_are_no_experiments_are_left_out(kept):
  (kept / "notes").mkdir()
  (kept / "file").write_text("")
  made = report.write_gallery(kept)
  assert made.notices == [f"{kept}/notes holds no summary.json and is left out"]
  with pytest.raises(UserError, match="notes holds no experiments"):
    report.write_gallery(kept / "notes")
  with pytest.raises(UserError, match="none holds no experiments"):
    report.write_gallery(kept / "none")


def run_script(*arguments):
  return subprocess.run(
    [sys.executable, "scripts/report.py", *arguments],
    cwd=ROOT,
    env={"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
  )


def test_the_script_exports_and_makes_the_page(tmp_path):
  run, target = make(tmp_path / "run"), tmp_path / "kept" / "one"
  done = run_script(f"--workdir={run}", f"--export={target}",
                    f"--gallery={tmp_path}/kept")  # fmt: skip
  assert (done.returncode, done.stderr) == (0, "")
  assert f"exported: {target}" in done.stdout
  assert f"gallery: {tmp_path}/kept/README.md, experiments: 1" in done.stdout
  assert json.loads((target / "metrics.json").read_text())["grids"] == []


def test_rules_are_given_a_config_of_an_earlier_version_whole(tmp_path):
  run, file = make(tmp_path / "run"), tmp_path / "rules.py"
  file.write_text(
    "from bnjax.lab.results import Rules\n\n\ndef get_rules(config):\n"
    "  return Rules(title=f'{config.probe_split}, {config.dataset.center}')\n"
  )
  done = run_script(f"--workdir={run}", f"--config={file}",
                    f"--export={tmp_path}/kept")  # fmt: skip
  assert (done.returncode, done.stderr) == (0, "")
  rules = results.read_rules(tmp_path / "kept").rules
  assert rules.title == "train, True"


def test_the_script_says_in_one_line_what_is_missing(tmp_path):
  done = run_script(f"--export={tmp_path}")
  assert done.returncode == 1
  assert done.stderr == "error: --workdir: the report of which run?\n"
  done = run_script(f"--export={tmp_path}", f"--gallery={tmp_path}")
  assert done.stderr == "error: --export: of which run? Give its --workdir\n"
