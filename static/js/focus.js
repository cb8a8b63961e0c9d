// A swap by HTMX removes the control that has the focus, and the keyboard would start again at the top of the page.
// The focus goes back to the same control if it is still there, else to what comes next.
// The queue's list is not our business: queue.js keeps the place in it.
const gone = new WeakMap(); // request → what had the focus in its target
let last = null; // also of a button that was disabled while its request is on its way, which loses the focus

document.addEventListener("focusin", (event) => { last = event.target; });
document.addEventListener("pointerdown", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target?.closest("a[href], button, input, select, textarea, summary, label, [tabindex]")) last = null;
});

const isLost = () => !document.activeElement || document.activeElement === document.body;

function describe(element) {
  return {
    id: element.id,
    key: element.dataset.key,
    name: element.getAttribute("name"),
    value: element.getAttribute("value"),
    label: element.getAttribute("aria-label") || element.textContent.trim(),
    tag: element.tagName,
  };
}

const controlsOf = (root) => [...root.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
  .filter((element) => !element.disabled && element.getClientRects().length);

function sameIn(root, was) {
  const controls = controlsOf(root).filter((element) => element.tagName === was.tag);
  const fits = (test) => controls.find(test);
  return (was.id && fits((one) => one.id === was.id))
    || (was.key && fits((one) => one.dataset.key === was.key))
    || (was.name && fits((one) => one.getAttribute("name") === was.name && one.getAttribute("value") === was.value))
    || (was.label && fits((one) => (one.getAttribute("aria-label") || one.textContent.trim()) === was.label));
}

document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (!target?.id || target.id === "issue-list") return;
  const active = isLost() ? last : document.activeElement;
  if (active?.isConnected && target.contains(active)) gone.set(xhr, { id: target.id, was: describe(active) });
});

document.body.addEventListener("htmx:afterSettle", (event) => {
  const lost = gone.get(event.detail.xhr);
  if (!lost) return;
  gone.delete(event.detail.xhr);
  const root = document.getElementById(lost.id);
  if (!root || !isLost()) return;
  const controls = controlsOf(root);
  const next = sameIn(root, lost.was) || root.querySelector("[data-focus-next]") || root.querySelector("[data-outcome]")
    || (controls.length === 1 && controls[0]);
  if (next) { next.focus(); return; }
  root.tabIndex = -1;
  root.focus({ preventScroll: true });
});
