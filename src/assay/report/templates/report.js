"use strict";
(function () {
  var root = document.documentElement;
  var by = function (id) { return document.getElementById(id); };

  // Light and dark: the system's choice until the reader makes one.
  var toggle = by("theme");
  var isDark = function () {
    return root.dataset.theme ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
  };
  var name = function () { toggle.textContent = isDark() ? "Light" : "Dark"; };
  toggle.hidden = false;
  toggle.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();

  // On paper nothing can be unfolded; on a phone the contents start folded.
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (one) { one.open = true; });
  });
  var contents = document.querySelector("nav details");
  if (window.matchMedia("(max-width: 67.99rem)").matches) contents.open = false;

  // A table that fits needs no stop of the keyboard.
  document.querySelectorAll(".scroll[tabindex]").forEach(function (one) {
    if (one.scrollWidth <= one.clientWidth) one.removeAttribute("tabindex");
  });

  // The contents tell where the reader is.
  var links = {};
  document.querySelectorAll("nav a").forEach(function (link) {
    links[link.getAttribute("href").slice(1)] = link;
  });
  if ("IntersectionObserver" in window) {
    var watch = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting || !links[entry.target.id]) return;
        Object.keys(links).forEach(function (id) { links[id].removeAttribute("aria-current"); });
        links[entry.target.id].setAttribute("aria-current", "true");
      });
    }, { rootMargin: "-10% 0px -75% 0px" });
    document.querySelectorAll("main section[id]").forEach(function (one) { watch.observe(one); });
  }

  // The threshold: everything follows from four counts; report/threshold.py does the same sums.
  var range = by("threshold-range");
  if (!range) return;
  var table = JSON.parse(by("report-data").textContent).threshold;
  var own = table.weights[0], other = table.weights[1];  // what a row of each class counts
  var ratio = function (top, bottom) { return bottom ? top / bottom : null; };
  var cost = function (idx) {
    return own * table.fn[idx] * number("cost-miss") + other * table.fp[idx] * number("cost-alarm");
  };
  var number = function (id) {
    var value = parseFloat(by(id).value);
    return isFinite(value) ? value : 0;
  };
  var text = function (value, decimals) {
    if (value === null) return "–";
    return value.toLocaleString("en-US", {
      minimumFractionDigits: decimals, maximumFractionDigits: decimals
    }).replace("-", "−");
  };
  var show = function (id, value) { by("live-" + id).textContent = value; };

  var update = function () {
    var idx = +range.value;
    var tp = table.tp[idx], fp = table.fp[idx], fn = table.fn[idx], tn = table.tn[idx];
    var found = own * tp, missed = own * fn, alarms = other * fp, passed = other * tn;
    var rows = found + missed + alarms + passed;
    var at = text(table.threshold[idx], table.n_decimals);
    var figures = {
      precision: ratio(found, found + alarms), recall: ratio(found, found + missed),
      f1: ratio(2 * found, 2 * found + alarms + missed), accuracy: ratio(found + passed, rows)
    };
    Object.keys(figures).forEach(function (key) { show(key, text(figures[key], 3)); });
    show("cost", text(ratio(1000 * cost(idx), rows), 1));
    show("tp", text(tp, 0)); show("fp", text(fp, 0));
    show("fn", text(fn, 0)); show("tn", text(tn, 0));
    by("threshold-value").textContent = at;
    range.setAttribute("aria-valuetext", "threshold " + at);
    var marker = by("threshold-marker");
    var x = +marker.dataset.left + table.threshold[idx] * marker.dataset.width;
    marker.setAttribute("transform", "translate(" + x.toFixed(1) + " 0)");
    by("threshold-said").textContent = "At " + at + ": precision " + text(figures.precision, 2) +
      ", recall " + text(figures.recall, 2) + ", F1 " + text(figures.f1, 2) + ", accuracy " +
      text(figures.accuracy, 2) + ", cost per 1,000 rows " +
      text(ratio(1000 * cost(idx), rows), 1) + ".";
  };
  by("cheapest").addEventListener("click", function () {
    var best = 0;
    for (var idx = 1; idx < table.threshold.length; idx += 1) {
      if (cost(idx) < cost(best)) best = idx;
    }
    range.value = best;
    update();
  });
  ["threshold-range", "cost-miss", "cost-alarm"].forEach(function (id) {
    by(id).addEventListener("input", update);
  });
  update();
})();
