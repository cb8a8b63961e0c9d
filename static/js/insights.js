// The charts of the insights, drawn by uPlot with the colours of the page; drawn anew when theme or width change.
import { uPlot } from "../vendor/uplot/uplot.min.js";

// Without anything to show, the page has no charts.
const holder = document.getElementById("plots");
const data = holder ? JSON.parse(holder.textContent) : {};
const boxes = [...document.querySelectorAll("[data-plot]")];
// English days are said as everywhere else on our pages: 1 Nov.
const language = { en: "en-GB" }[document.documentElement.lang] || document.documentElement.lang;
const days = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const drawn = [];

function colours() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const found = {};
  for (const name of ["accent", "good", "muted", "line", "accent-soft"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

const whole = (plot, values) => values.map((value) => (Number.isInteger(value) ? String(value) : ""));

function axes(c, bottom) {
  const base = { stroke: c.muted, font: "12px system-ui, sans-serif", grid: { stroke: c.line, width: 1 }, ticks: { show: false } };
  return [{ ...base, grid: { show: false }, ...bottom }, { ...base, size: 36, values: whole }];
}

function draw(box, c) {
  const chart = data[box.dataset.plot];
  const style = getComputedStyle(box);
  const width = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const size = { width, height: 190 };
  const common = { ...size, legend: { show: !chart.bars && chart.lines.length > 1, live: false }, cursor: { show: false }, padding: [10, 20, 0, 0] };
  const top = (values) => [0, Math.max(4, Math.ceil(Math.max(0, ...values.flat().map((value) => value ?? 0)) * 1.1))];
  if (chart.bars) {
    return new uPlot({
      ...common,
      scales: { x: { time: false, range: [-0.6, chart.bars.length - 0.4] }, y: { range: () => top([chart.bars]) } },
      axes: axes(c, { splits: () => chart.labels.map((_, place) => place), values: () => chart.labels, rotate: width < 420 ? -35 : 0, size: width < 420 ? 62 : 34 }),
      series: [{}, { label: "", stroke: c.accent, fill: c.accent, paths: uPlot.paths.bars({ size: [0.6, 70] }), points: { show: false } }],
    }, [chart.bars.map((_, place) => place), chart.bars], box);
  }
  const strokes = [c.accent, c.good];
  return new uPlot({
    ...common,
    scales: { y: { range: () => top(chart.lines.map(([, values]) => values)) } },
    axes: axes(c, { values: (plot, values) => values.map((value) => days.format(new Date(value * 1000))), space: 64, size: 28 }),
    series: [{}, ...chart.lines.map(([label], place) => ({
      label, stroke: strokes[place], width: 2, dash: place ? [6, 4] : undefined,
      fill: chart.lines.length === 1 ? c["accent-soft"] : undefined, points: { show: chart.x.length < 40, size: 5 },
    }))],
  }, [chart.x, ...chart.lines.map(([, values]) => values)], box);
}

function drawAll() {
  for (const plot of drawn.splice(0)) plot.destroy();
  const c = colours();
  for (const box of boxes) drawn.push(draw(box, c));
}

drawAll();
let waiting = 0;
const soon = () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 120); };
addEventListener("resize", soon);
new MutationObserver(soon).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
// Paper is white.
addEventListener("beforeprint", () => { document.documentElement.classList.add("printing"); drawAll(); });
addEventListener("afterprint", () => { document.documentElement.classList.remove("printing"); drawAll(); });
document.querySelector("[data-print]")?.addEventListener("click", () => print());
