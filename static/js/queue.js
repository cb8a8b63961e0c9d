// The queue: what is selected outlives a refresh of the list; so does the place of the keyboard.
import { focusRow } from "./keys.js";
import { say, toast } from "./tokdash.js";

const picked = new Set();
const form = document.querySelector("[data-picked]");
const one = (selector, within = document) => within.querySelector(selector);
const hidden = (name, value) => Object.assign(document.createElement("input"), { type: "hidden", name, value });

function showPicked() {
  const boxes = [...document.querySelectorAll("[data-pick]")];
  for (const box of boxes) {
    box.checked = picked.has(box.value);
    box.closest("tr").classList.toggle("is-picked", box.checked);
  }
  const every = one("[data-pick-all]");
  if (every) every.checked = boxes.length > 0 && boxes.every((box) => box.checked);
  if (!form) return;
  form.hidden = picked.size === 0;
  one("[data-picked-count]", form).textContent = String(picked.size);
  one("[data-picked-ids]", form).replaceChildren(...[...picked].map((key) => hidden("issue", key)));
}

const all = () => Boolean(one("[data-picked-all]")?.checked);

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches?.("[data-pick]")) {
    if (box.checked) picked.add(box.value);
    else picked.delete(box.value);
  } else if (box.matches?.("[data-pick-all]")) {
    for (const other of document.querySelectorAll("[data-pick]")) {
      if (box.checked) picked.add(other.value);
      else picked.delete(other.value);
    }
  } else return;
  showPicked();
});

function clear() {
  picked.clear();
  const whole = one("[data-picked-all]");
  if (whole) whole.checked = false;
  showPicked();
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-picked-clear]")) clear();
  const fix = target?.closest("[data-picked-fix]");
  if (fix) {
    const said = new URLSearchParams(new FormData(form));
    for (const name of ["to", "do"]) said.delete(name);
    if (all()) said.delete("issue");
    else for (const [name] of [...said]) if (name !== "issue") said.delete(name);
    location.href = `${fix.dataset.pickedFix}?${said}`;
  }
});

// A dialog is for the row that opened it, or for the selection.
for (const dialog of document.querySelectorAll("dialog.dialog")) {
  dialog.addEventListener("for", (event) => {
    const ids = one("[data-ids]", dialog);
    if (!ids) return;
    const keys = event.detail ? [event.detail] : [...picked];
    ids.replaceChildren(...keys.map((key) => hidden("issue", key)), ...(!event.detail && all() ? [hidden("all", "1")] : []));
  });
}

// What the list says of itself when it has changed by itself, for those who do not see it.
const current = () => one(".tabs [aria-current]");
let told = current()?.textContent;
function tellChange() {
  const tab = current();
  const status = one("[data-list-status]");
  if (!tab || !status || tab.textContent === told) return;
  told = tab.textContent;
  const count = one(".count", tab).textContent;
  status.textContent = say("listChanged", { tab: told.replace(count, "").trim(), count });
}

// Where the keyboard is: its row, and which control of it. Put back after the list was renewed.
let place = null;
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id !== "issue-list") return;
  const active = document.activeElement;
  const row = active?.closest?.("[data-row]") || (place && one("dialog[open]") ? place.row : null);
  if (!row) return;
  const rows = [...document.querySelectorAll("[data-row]")];
  place = { key: row.dataset.row, index: rows.indexOf(row), label: active?.getAttribute?.("aria-label"), row };
});
document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("[data-row]");
  if (row) place = { key: row.dataset.row, index: [...document.querySelectorAll("[data-row]")].indexOf(row), row };
});
document.body.addEventListener("htmx:afterSettle", (event) => {
  showPicked();
  tellChange();
  if (!place || event.detail.target?.id !== "issue-list" && event.detail.elt?.id !== "issue-list") return;
  if (document.activeElement && document.activeElement !== document.body) return;
  const rows = [...document.querySelectorAll("[data-row]")];
  const row = document.getElementById(`issue-${place.key}`) || rows[Math.min(place.index, rows.length - 1)];
  const same = place.label && row ? one(`[aria-label="${CSS.escape(place.label)}"]`, row) : null;
  if (same) same.focus();
  else focusRow(row);
});

document.body.addEventListener("acted", (event) => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  clear();
  toast(event.detail.text, "success");
});

showPicked();
