"""The page in a browser: headless Chromium, driven by Playwright."""

import csv
import itertools
import pathlib
import re
import shutil

import numpy as np
import pytest

from bnjax.lab import report, results
from bnjax.lab.experiment.predictions import sprite

sync_api = pytest.importorskip("playwright.sync_api")
NASTY = "=1<script>alert(1)</script>"
ARMS = ("batch_norm", NASTY)
NUMBER = results.PublishedNumber(
  arm="batch_norm", metric="test_accuracy", mean=0.6, std=0.1, seeds=5,
  step=20, source="a post", dataset="mnist",
)  # fmt: skip
RULES = results.Rules(
  title="A test of <b>",
  published=(NUMBER,),
  claims={"c": results.greater("It is better", "batch_norm", NASTY)},
  figures={
    "accuracy": results.Curves(metrics=("test_accuracy",)),
    "loss": results.Curves(metrics=("loss",)),
    "activations": results.Histograms(probe="activations"),
  },
)
CONFIG = {
  "dataset": {"name": "mnist"}, "steps": 20,
  "seeds": 2, "batch_size": 50, "norm": {"name": "batch_norm"},
  "arms": {"batch_norm": {}, NASTY: {"norm": {"name": "none"}}},
  "probes": {"activations": {"measure": "histogram"},
             "gradients": {"measure": "log10_histogram"},
             "size": {"measure": "variance"},
             "middle": {"measure": "percentiles", "q": [15, 50, 85]}},
}  # fmt: skip
ENVIRONMENT = {"command": "python scripts/train.py --config=x",
               "datasets": [{"name": "mnist", "train": 100}]}  # fmt: skip
SCALE, RATE = "model.init_scale", "optimizer.learning_rate"
TIMEOUT = 30_000  # milliseconds: against hanging, not a measurement
# Everything has been drawn or answers.
COMPLETE = "performance.getEntriesByName('bnjax:complete').length"


def start(folder, config, rules):
  results.write_rules(folder, rules)
  results.write_json(folder / "config.json", {"config": config})
  results.write_json(folder / "environment.json", ENVIRONMENT)
  return folder


def make_run(folder):
  start(folder, CONFIG, RULES)
  runs = [
    {"arm": arm, "seed": seed, "step": step}
    for arm, seed, step in itertools.product(ARMS, (0, 1), (0, 10, 20))
  ]
  results.append_rows(folder / "metrics.jsonl", [
    run | {"test_accuracy": 0.2 + run["seed"] / 10 + run["step"] / 100,
           "loss": 10.0 ** (-run["step"] / 10), "diverged_step": None}
    for run in runs])  # fmt: skip
  edges = [0.0, 1.0, 2.0]
  probes = lambda step: {
    "activations": {"values": [1 + step, 3], "edges": edges},
    "gradients": {"values": [3, 1 + step], "edges": edges},
    "size": {"values": 4.0}, "middle": {"values": [-1.0, 0.0, 1.0]},
  }  # fmt: skip
  results.append_rows(folder / "probes.jsonl", [
    run | {"probe": name, "layer": f"layer_{i}"} | own
    for run in runs for name, own in probes(run["step"]).items()
    for i in (1, 2)])  # fmt: skip
  # Of 60 images the first arm errs in 10, the second in 5 of these and in
  # 10 others.
  wrong = {ARMS[0]: range(10), ARMS[1]: range(5, 20)}
  places = sprite(folder / "predictions.png", np.full((60, 4, 4, 1), 9,
                  np.uint8), np.arange(60))  # fmt: skip
  results.append_rows(folder / "predictions.jsonl", [
    {"index": i, "label": 3, "disagreement": i / 60, "image": places[i],
     "arms": {arm: {"prediction": 4 if i in wrong[arm] else 3,
                    "confidence": 0.4 if i < 7 else 0.95, "right": 0.5}
              for arm in ARMS}} for i in range(60)])  # fmt: skip
  results.write_summary(folder)


def make_grid(folder):
  config = {"steps": 20, "arms": {"a": {}, "b": {}},
            "grid": {RATE: (0.1, 1.0), SCALE: (0.5, 1.0)}}  # fmt: skip
  start(folder, config, results.Rules(title="A grid",
        grid_metric="test_accuracy"))  # fmt: skip
  results.append_rows(folder / "metrics.jsonl", [
    {"arm": arm, "seed": 0, "step": step, "point": {RATE: rate, SCALE: scale},
     "test_accuracy": rate * step / 20, "loss": 3.0, "diverged_step": None}
    for arm, rate, scale, step in itertools.product(
      "ab", (0.1, 1.0), (0.5, 1.0), (0, 20))])  # fmt: skip
  results.write_summary(folder)


@pytest.fixture(scope="module")
def browser():
  path = shutil.which("chromium") or shutil.which("google-chrome")
  if path is None:
    pytest.skip("no Chromium is installed")
  with sync_api.sync_playwright() as playwright:
    found = playwright.chromium.launch(
      executable_path=path, args=["--no-sandbox"], timeout=TIMEOUT
    )
    yield found
    found.close()


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
  """The page of both experiments, open, and what it complained about."""
  folder = tmp_path_factory.mktemp("runs")
  for name, make in (("1-run", make_run), ("2-grid", make_grid)):
    (folder / name).mkdir()
    make(folder / name)
  made = report.write_page([folder], folder / "page.html")
  page = browser.new_page(
    viewport={"width": 1100, "height": 900}, color_scheme="light"
  )
  page.set_default_timeout(TIMEOUT)
  page.set_default_navigation_timeout(TIMEOUT)
  said = []
  page.on("console", lambda message: said.append(message.text))
  page.on("pageerror", lambda error: said.append(str(error)))
  page.on("dialog", lambda dialog: (said.append("alert"), dialog.dismiss()))
  requests = []
  page.on("request", lambda request: requests.append(request.url))
  page.goto(pathlib.Path(made.page).as_uri())
  while not page.evaluate(COMPLETE):
    page.wait_for_timeout(100)
  yield page
  assert said == []
  web = [url for url in requests if not url.startswith(("file:", "data:"))]
  assert [url for url in web if not url.startswith("blob:")] == []


def chart(page, name, experiment=1):
  """A chart of the page, in view and drawn."""
  found = page.locator(f"#experiment-{experiment} [data-part='{name}'] .chart")
  found.scroll_into_view_if_needed()
  sync_api.expect(found.locator(".main-svg").first).to_be_attached(
    timeout=TIMEOUT
  )
  return found


def settle(page):
  """Waits until what was asked for has been drawn."""
  page.evaluate("new Promise(f => requestAnimationFrame(() =>"
                " setTimeout(f, 400)))")  # fmt: skip


def traces(found):
  """What Plotly shows: traces that are neither hidden nor transparent."""
  settle(found.page)
  return found.evaluate(
    """(node) => node._fullData
      .filter((x) => x.visible === true && x.opacity > 0.2)
      .map((x) => ({name: x.name, y: x.y && [...x.y], x: x.x && [...x.x],
                    z: x.z?.map((row) => [...row]), text: x.customdata}))"""
  )


def press(found, role, name, key="Enter"):
  """Presses a key on one of Plotly's controls."""
  control = found.get_by_role(role, name=name, exact=True).first
  control.focus()
  found.page.keyboard.press(key)
  settle(found.page)


def axis(found, name):
  return found.evaluate("(x, name) => x._fullLayout[name].type", name)


def test_names_are_text(shown):
  assert shown.locator("h1").inner_text() == "Results"
  found = chart(shown, "accuracy", 2)
  assert found.locator(".legendtext").all_text_contents() == list(ARMS)
  ticks = chart(shown, "values 20", 2).locator(".ytick")
  assert ticks.all_text_contents() == ["batch_norm", cut(NASTY)]
  assert shown.locator("main script").count() == 0


def cut(text, room=40):
  return text if len(text) <= room else f"{text[: room - 1]}…"


def test_verdicts_are_beside_the_main_chart_on_the_first_screen(shown):
  section = shown.locator("#experiment-2")
  verdict = section.locator(".claims li").first
  assert verdict.inner_text().startswith("does not hold It is better\n")
  assert verdict.bounding_box()["x"] < 550
  box = section.locator(".first .chart").bounding_box()
  assert box["x"] > 400
  assert abs(box["y"] - verdict.bounding_box()["y"]) < 200
  text = section.inner_text()
  for words in ("0.6000 ± 0.1000", "norm.name", "train.py --config=x"):
    assert words in text
  overview = shown.locator("nav table tbody tr").nth(1)
  assert overview.inner_text().split("\t") == [
    "A test of <b>", "0 of 1 hold, 1 undecided", "0 of 1 hold",
  ]  # fmt: skip


def test_arms_and_seeds_are_hidden_with_the_keyboard(shown):
  found, loss = chart(shown, "accuracy", 2), chart(shown, "loss", 2)
  assert len(traces(found)) == 3  # two means, a published mark
  press(found, "button", NASTY)
  assert {trace["name"] for trace in traces(found)} == {
    "batch_norm", "batch_norm, published",
  }  # fmt: skip
  assert [trace["name"] for trace in traces(loss)] == ["batch_norm"]
  part = shown.locator("#experiment-2 [data-part='accuracy']")
  part.locator("summary").press("Enter")
  each = part.get_by_label("a line each")
  each.press(" ")
  assert [t["y"] for t in traces(found)[:2]] == [
    [0.2, 0.3, 0.4], [0.3, 0.4, 0.5],
  ]  # fmt: skip
  part.get_by_label("0", exact=True).press(" ")
  assert part.locator("output").inner_text() == "1 of 2"
  assert traces(found)[0]["y"] == [0.3, 0.4, 0.5]
  each.press(" ")
  press(found, "button", NASTY)
  means = traces(found)
  assert [mean["y"] for mean in means[:2]] == [[0.3, 0.4, 0.5]] * 2
  assert means[0]["text"][1] == " (0.4 to 0.4)"
  part.get_by_role("button", name="All or none").press("Enter")
  means = traces(found)
  assert means[0]["y"] == pytest.approx([0.25, 0.35, 0.45])
  assert means[0]["text"][1] == " (0.3 to 0.4)"
  assert len(means) == 3


def test_axes_are_linear_or_logarithmic(shown):
  found = chart(shown, "accuracy", 2)
  types = lambda: [axis(found, name) for name in ("xaxis", "yaxis")]
  assert types() == ["linear", "linear"]
  press(found, "button", "log x")
  press(found, "button", "log y")
  assert types() == ["log", "log"]
  press(found, "button", "log x")
  assert types() == ["linear", "log"]
  press(found, "button", "log y")
  assert types() == ["linear", "linear"]


def test_a_slider_goes_through_the_steps(shown):
  found = chart(shown, "activations", 2)
  slider = found.get_by_role("slider")
  assert slider.get_attribute("aria-valuetext") == "step 20"
  assert traces(found)[0]["text"][1:] == pytest.approx(
    [42 / 48, 42 / 48, 6 / 48, 6 / 48, 0]
  )
  press(found, "slider", "Step", "Home")
  assert slider.get_attribute("aria-valuetext") == "step 0"
  assert traces(found)[0]["text"][1] == pytest.approx(2 / 8)
  press(found, "slider", "Step", "ArrowRight")
  assert slider.get_attribute("aria-valuetext") == "step 10"


def test_a_map_has_values_on_hover_and_steps(shown):
  found = chart(shown, "heat_map")
  first = traces(found)[0]
  assert first["z"] == [[0.1, 1], [0.1, 1]]
  assert first["text"][0][1] == (
    "learning rate: 1<br>init scale: 0.5<br>test accuracy: 1"
  )
  press(found, "slider", "Step", "ArrowLeft")
  assert traces(found)[0]["z"] == [[0, 0], [0, 0]]


def test_points_are_chosen_by_settings_and_by_a_box(shown):
  found = shown.locator("#experiment-1 .sweep")
  parallel, curves = found.locator(".chart").all()
  curves.scroll_into_view_if_needed()
  status = found.get_by_role("status")
  assert status.inner_text() == "8 of 8 points"
  y = lambda node: [trace["y"] for trace in traces(node)]
  # Learning rate 1 ends at 1, .1 at .1: one trace an arm, nulls between lines.
  one_arm = [0, 0.1, None, 0, 0.1, None, 0, 1, None, 0, 1, None]
  assert y(curves) == [one_arm, one_arm]
  rate = found.get_by_label(re.compile("^learning rate"))
  rate.select_option(label="0.1")
  assert status.inner_text() == "4 of 8 points"
  assert y(curves) == [one_arm[:6]] * 2
  rate.select_option(label="any")
  found.get_by_label("Colour by").select_option(label="init scale")
  mean = found.get_by_label("mean and range of each colour")
  mean.check()
  assert y(curves) == [pytest.approx([0, 0.55])] * 2
  mean.uncheck()
  found.get_by_label("Colour by").select_option(label="arm")
  # A box around the upper end of the last axis, which is the metric.
  parallel.scroll_into_view_if_needed()
  box = parallel.bounding_box()
  x, high, low = parallel.evaluate(
    """({_fullLayout: {xaxis, yaxis}}) => [xaxis._offset + xaxis.c2p(3),
      yaxis._offset + yaxis.c2p(1.03), yaxis._offset + yaxis.c2p(0.6)]"""
  )
  shown.mouse.move(box["x"] + x - 30, box["y"] + high)
  shown.mouse.down()
  shown.mouse.move(box["x"] + x, box["y"] + (high + low) / 2, steps=3)
  shown.mouse.move(box["x"] + x + 30, box["y"] + low, steps=3)
  shown.mouse.up()
  settle(shown)
  assert status.inner_text() == "4 of 8 points"
  assert y(curves) == [one_arm[6:]] * 2
  with shown.expect_download() as download:
    found.get_by_role("button", name="Download 2-grid-points.csv").click()
  text = pathlib.Path(download.value.path()).read_text()
  rows = list(csv.reader(text.splitlines()))
  assert rows[0] == [
    "arm", "learning rate", "init scale", "Test accuracy", "Loss",
  ]  # fmt: skip
  assert rows[1:] == [
    [arm, "1", scale, "1", "3"] for arm in "ab" for scale in ("0.5", "1")
  ]


def test_everything_else_is_folded_away(shown):
  fold = shown.locator("#experiment-2 .more-charts")
  assert fold.locator(".main-svg").count() == 0
  fold.locator("summary").click()
  assert traces(chart(shown, "size", 2))[0]["y"] == pytest.approx([4, 4])
  lines = traces(chart(shown, "middle of layer_1", 2))
  assert {trace["name"] for trace in lines} == {"15%", "50%", "85%"}


def indices(found):
  images = found.locator("tbody .picture")
  return [int(images.nth(i).get_attribute("title").split()[-1])
          for i in range(images.count())]  # fmt: skip


def test_predictions_are_filtered_sorted_and_paged(shown):
  found = shown.locator(".predictions")
  status = found.get_by_role("status")
  assert status.inner_text() == "1 to 25 of 60 images"
  assert indices(found)[:2] == [59, 58]  # by disagreement
  found.get_by_role("button", name="Next").click()
  assert status.inner_text() == "26 to 50 of 60 images"
  found.get_by_label("Show").select_option(label="wrong in one arm only")
  assert status.inner_text() == "1 to 15 of 15 images"
  assert indices(found) == [*range(19, 9, -1), *range(4, -1, -1)]
  found.get_by_label("Show").select_option(label=f"wrong in {NASTY} only")
  assert sorted(indices(found)) == [*range(10, 20)]
  found.get_by_label("Show").select_option(label="all images")
  found.get_by_label("Least confidence").select_option(label="below 50%")
  assert status.inner_text() == "1 to 7 of 7 images"
  found.get_by_role("button", name="disagreement").click()
  assert indices(found) == [*range(7)]
  header = found.locator("th").last
  assert header.get_attribute("aria-sort") == "ascending"
  picture = found.locator(".picture").first
  source = picture.evaluate("x => getComputedStyle(x).backgroundImage")
  assert source.startswith('url("data:image/png')


def test_data_is_downloaded_as_csv(shown, tmp_path):
  with shown.expect_download() as download:
    shown.get_by_role("button", name="Download 1-run-accuracy.csv").click()
  download.value.save_as(tmp_path / "x.csv")
  with (tmp_path / "x.csv").open(newline="") as file:
    rows = list(csv.reader(file))
  assert rows[0] == [
    "step", "panel", "name", "of", "training step (minibatches)",
    "fraction correct", "",
  ]  # fmt: skip
  assert rows[1] == [
    "",
    "Test accuracy",
    "batch_norm",
    "seed 0",
    "0",
    "0.2",
    "",
  ]
  assert len(rows) == 1 + 2 * 2 * 3 + 1  # and what is published
  # No formula for a spreadsheet.
  assert {row[2] for row in rows[1:-1]} == {ARMS[0], f"'{NASTY}"}


def test_the_theme_is_toggled_and_the_page_fits_a_phone(shown):
  color = lambda: shown.evaluate(
    "getComputedStyle(document.body).backgroundColor"
  )
  found = chart(shown, "accuracy", 2)
  ink = lambda: found.evaluate("x => x._fullLayout.font.color")
  assert (color(), ink()) == ("rgb(255, 255, 255)", "#1b1f24")
  shown.get_by_role("button", name="Dark").click()
  settle(shown)
  assert (color(), ink()) == ("rgb(22, 26, 32)", "#e6e9ed")
  shown.set_viewport_size({"width": 360, "height": 740})
  settle(shown)
  found.scroll_into_view_if_needed()
  width = lambda: shown.evaluate("document.documentElement.scrollWidth")
  for _ in range(40):  # all charts are drawn anew
    settle(shown)
    if width() <= 360:
      break
  assert width() <= 360
  assert found.locator(".legendtext").first.is_visible()
  assert found.evaluate("x => x._fullLayout.dragmode") is False
  shown.set_viewport_size({"width": 1100, "height": 900})
  shown.get_by_role("button", name="Dark").click()
  settle(shown)
  assert (color(), ink()) == ("rgb(255, 255, 255)", "#1b1f24")


def test_printing_shows_every_chart(shown):
  shown.evaluate("dispatchEvent(new Event('beforeprint'))")
  drawn = "document.querySelectorAll('.chart .main-svg').length > 0 &&"
  drawn += " [...document.querySelectorAll('.chart')].every((x) => x.drawn)"
  assert shown.evaluate(drawn)
  widest = "Math.max(...[...document.querySelectorAll('.chart .main-svg')]"
  widest += ".map((x) => x.getBoundingClientRect().width))"
  assert shown.evaluate(widest) == 680  # of a sheet of paper
  shown.evaluate("dispatchEvent(new Event('afterprint'))")
  assert shown.evaluate(widest) > 900


def test_without_plotly_tables_and_predictions_are_there(
  browser, tmp_path, monkeypatch
):
  monkeypatch.setattr("bnjax.lab.report.page.document.plotly", str)
  make_run(tmp_path)
  made = report.write_page([tmp_path], tmp_path / "page.html")
  page = browser.new_page()
  page.set_default_timeout(TIMEOUT)
  said = []
  page.on("console", lambda message: said.append(message.text))
  page.on("pageerror", lambda error: said.append(str(error)))
  page.goto(pathlib.Path(made.page).as_uri())
  while not page.evaluate(COMPLETE):
    page.wait_for_timeout(50)
  assert "plotly is not installed" in page.locator(".warning").inner_text()
  assert page.locator(".chart").count() == 0
  status = page.locator(".predictions").get_by_role("status")
  assert status.inner_text() == "1 to 25 of 60 images"
  assert said == []


def make_claims(folder):
  """Two runs: of 30 claims each holds every third one of the first 15."""
  for name, source in (("1-run", "A 2015"), ("2-run", f"B{NASTY}")):
    (folder / name).mkdir()
    make_run(folder / name)
    claims = {
      f"c{i}": results.greater(
        f"claim {i}", "batch_norm", 5 if i % 3 or i > 14 else -5,
        published=f"<b>{i}</b>", setting="late",
      )
      for i in range(30)
    }  # fmt: skip
    rules = results.Rules(
      title=f"Of {name}", claims=claims, claimed={source: ("c?",)},
      published=(NUMBER,),
    )  # fmt: skip
    results.write_rules(folder / name, rules)
    results.write_summary(folder / name)
  return report.write_page([folder], folder / "page.html").page.as_uri()


def claims_of(found):
  """The claims that are shown, by their second column."""
  return found.locator("tbody tr td:nth-child(2)").all_inner_texts()


def test_every_claim_is_filtered_sorted_and_paged(
  browser, tmp_path, monkeypatch
):
  monkeypatch.setattr("bnjax.lab.report.page.document.plotly", str)
  uri = make_claims(tmp_path)
  page = browser.new_page(viewport={"width": 1100, "height": 900})
  page.set_default_timeout(TIMEOUT)
  said = []
  page.on("console", lambda message: said.append(message.text))
  page.on("pageerror", lambda error: said.append(str(error)))
  page.goto(uri)
  page.get_by_role("link", name="Every claim and published number").click()
  found = page.locator("#claims")
  status = found.get_by_role("status")
  of = "of 62 claims and numbers"
  assert status.inner_text() == f"1 to 25 {of}"
  assert claims_of(found)[:2] == ["claim 0 (late)", "claim 1 (late)"]
  first = found.locator("tbody tr").first.locator("td").all_inner_texts()
  assert [first[0], *first[2:5]] == [
    "A 2015", "+5.4500 [+4.8147, +6.0853]", "<b>0</b>", "> 0",
  ]  # fmt: skip
  assert first[5].split("\n") == ["1-run", "python scripts/train.py --config=x"]
  found.get_by_role("button", name="Next").press("Enter")
  assert status.inner_text() == f"26 to 50 {of}"
  found.get_by_label("Rows").select_option(label="all")
  assert len(claims_of(found)) == 62
  # The keyboard alone: the first of the sources, and back.
  found.get_by_label("Source").focus()
  page.keyboard.press("ArrowDown")
  assert status.inner_text() == "1 to 10 of 10 claims and numbers"
  assert claims_of(found) == [f"claim {i} (late)" for i in range(10)]
  found.get_by_label("Verdict").select_option(label="holds alone")
  assert claims_of(found) == [f"claim {i} (late)" for i in (0, 3, 6, 9)]
  found.get_by_label("Source").select_option(label="any")
  found.get_by_label("Experiment").select_option(label="2-run")
  assert claims_of(found) == [f"claim {i} (late)" for i in range(0, 15, 3)]
  found.get_by_label("Words").fill("CLAIM 9 2-run")
  assert status.inner_text() == "1 to 1 of 1 claim or number"
  found.get_by_label("Words").fill("nothing like it")
  assert status.inner_text() == "No claim or number is so."
  found.get_by_label("Words").fill("")
  found.get_by_label("Verdict").select_option(label="any")
  found.get_by_role("button", name="verdict").press("Enter")
  verdict = found.locator("th").last
  assert verdict.get_attribute("aria-sort") == "ascending"
  last = ["claim 12 (late)", "Test accuracy: batch_norm"]
  assert claims_of(found)[-2:] == last
  with page.expect_download() as download:
    found.get_by_role("button", name="Download claims.csv").click()
  text = pathlib.Path(download.value.path()).read_text()
  rows = list(csv.reader(text.splitlines()))
  assert rows[0] == [
    "whose", "claim", "measured [95% interval]", "published", "asked",
    "experiment", "verdict",
  ]  # fmt: skip
  assert len(rows) == 1 + 31
  assert {row[5] for row in rows[1:]} == {
    "2-run python scripts/train.py --config=x"
  }
  page.set_viewport_size({"width": 360, "height": 740})
  page.get_by_role("button", name="Dark").click()
  found.get_by_label("Words").scroll_into_view_if_needed()
  settle(page)
  box = found.get_by_label("Words").bounding_box()
  assert box["x"] >= 0
  assert box["x"] + box["width"] <= 360
  look = found.get_by_label("Words").evaluate(
    "x => [getComputedStyle(x).color, getComputedStyle(x).backgroundColor]"
  )
  assert look == ["rgb(230, 233, 237)", "rgb(31, 37, 45)"]
  cell = found.locator("tbody td.verdict").first.bounding_box()
  assert cell["x"] + cell["width"] <= 361  # it stays where the rest scrolls
  assert said == []
  page.close()


def test_without_javascript_every_claim_is_there(
  browser, tmp_path, monkeypatch
):
  monkeypatch.setattr("bnjax.lab.report.page.document.plotly", str)
  context = browser.new_context(java_script_enabled=False)
  page = context.new_page()
  page.goto(make_claims(tmp_path))
  found = page.locator("#claims")
  assert len(claims_of(found)) == 62
  assert found.locator("thead th").all_inner_texts()[0] == "whose"
  assert found.locator("select, input").count() == 0
  context.close()
