// The keyboard: each key does what a visible button does. Off while somebody types or a dialog is open.
// In the queue a key means the row that has the focus, else the first one.
import { selectLine } from "./tokdash.js";

const one = (selector, within = document) => within.querySelector(selector);
const rows = () => [...document.querySelectorAll("[data-row]")];
const isTyping = (element) => element?.matches?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

function currentRow() {
  return document.activeElement?.closest?.("[data-row]") || rows()[0];
}

export function focusRow(row) {
  if (!row) return;
  one(".row-title", row).focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = rows();
  const here = document.activeElement?.closest?.("[data-row]");
  if (!all.length) return;
  focusRow(here ? all[Math.min(Math.max(all.indexOf(here) + step, 0), all.length - 1)] : all[0]);
}

const inQueue = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => (document.activeElement?.closest?.("[data-row]") ? move(1) : false),
  ArrowUp: () => (document.activeElement?.closest?.("[data-row]") ? move(-1) : false),
  x: () => { focusRow(currentRow()); one("[data-pick]", currentRow())?.click(); },
  f: () => { location.href = `${one(".row-title", currentRow()).href}#fix`; },
  u: () => { location.href = `${one(".row-title", currentRow()).href}#file`; },
  a: () => onRow("assign-dialog"),
  s: () => onRow("snooze-dialog"),
};

// The selection where there is one, else the row.
function onRow(dialog) {
  const bar = one("[data-picked]:not([hidden])");
  const row = currentRow();
  const button = bar ? one(`[data-open="${dialog}"]`, bar) : one(`[data-open="${dialog}"]`, row);
  if (!bar) focusRow(row);
  button?.click();
}

function press(key) {
  const target = one(`[data-key="${CSS.escape(key)}"]`);
  if (!target) return false;
  if (target.matches("input, textarea, [data-focus]")) {
    const panel = target.closest('[role="tabpanel"]');
    if (panel?.hidden) one(`[role="tab"][aria-controls="${panel.id}"]`).click();
    if (target.dataset.bad) selectLine(target, Number(target.dataset.bad));
    else target.focus();
    target.scrollIntoView({ block: "center" });
  } else target.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  // In a field of several lines Enter begins a new one.
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches?.("textarea")) {
    event.target.form?.requestSubmit();
    event.preventDefault();
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (one("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") {
      event.target.blur();
      event.preventDefault();
    }
    if (event.target.id === "search" && event.key === "ArrowDown") {
      one("#found a")?.focus();
      event.preventDefault();
    }
    return;
  }
  if (event.key === "?") {
    one("#help")?.showModal();
    event.preventDefault();
    return;
  }
  if (event.key === "/") {
    const box = one("#search");
    if (box) { box.focus(); box.select(); event.preventDefault(); }
    return;
  }
  const inFound = event.target.closest?.("#found");
  if (inFound && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const links = [...inFound.querySelectorAll("a")];
    const next = links[links.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
    (next || one("#search")).focus();
    event.preventDefault();
    return;
  }
  if (event.key === "Escape") {
    if (inFound) { one("#search").focus(); return; }
    if (!one("details.menu[open]")) one("[data-back]")?.click();
    return;
  }
  const done = rows().length && event.key in inQueue ? inQueue[event.key]() : press(event.key);
  if (done !== false) event.preventDefault();
});

// Dialogs: opened by buttons, for one row or as they are; closed by their own.
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const opener = target?.closest("[data-open]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.open);
    dialog.dispatchEvent(new CustomEvent("for", { detail: opener.dataset.for }));
    dialog.showModal();
  }
  const close = target?.closest("[data-close]");
  if (close) close.closest("dialog").close();
  if (target?.matches("dialog[open]")) target.close(); // beside it
  const found = one("#found");
  if (found && !target?.closest(".finder")) found.replaceChildren();
});

// `#fix` and `#file`: straight to the field.
function arrive() {
  const key = { "#fix": "f", "#file": "u" }[location.hash];
  if (key && press(key)) history.replaceState(null, "", location.pathname + location.search);
}
addEventListener("hashchange", arrive);
arrive();

// What was typed into the search box while the page was still loading is searched, too.
document.addEventListener("DOMContentLoaded", () => {
  const box = one("#search");
  if (box && box.value !== box.defaultValue) box.dispatchEvent(new Event("input", { bubbles: true }));
});
