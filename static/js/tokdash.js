// Small behaviour for every page: theme, menus, toasts, tabs. Uploads live in upload.js.
const toasts = () => document.getElementById("toasts");

// What the server needs to know before the first paint, in cookies: a script that looked it up there would delay it.
function keep(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`tz=${zone}`)) keep("tz", zone);

// Words in the page's language: those of components/words.html, and where there is an upload those of issues/_upload.html.
export function say(key, values = {}) {
  const holder = [...document.querySelectorAll("#words, #upload-words")].find((one) => key in one.dataset);
  return holder.dataset[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function toast(text, kind = "") {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.setAttribute("aria-label", say("dismiss"));
  close.textContent = "✕";
  close.addEventListener("click", () => box.remove());
  box.append(words, close);
  toasts().append(box);
  if (kind !== "error") setTimeout(() => box.remove(), 7000);
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;
  if (target.closest("[data-theme-switch]")) {
    const now = document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    keep("theme", next);
  }
  const dismiss = target.closest(".toast button");
  if (dismiss) dismiss.closest(".toast").remove();
  // A menu closes when one clicks elsewhere.
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
  const tab = target.closest('[role="tab"]');
  if (tab) selectTab(tab);
  const question = target.closest("[data-confirm-click]");
  if (question && !window.confirm(question.dataset.confirmClick)) event.preventDefault();
  const show = target.closest("[data-show-tab]");
  if (show) {
    const tabOf = document.getElementById(show.dataset.showTab);
    selectTab(tabOf);
    tabOf.focus();
  }
  const line = target.closest("[data-select-line]");
  if (line) selectLine(document.getElementById(line.dataset.into), Number(line.dataset.selectLine));
  const call = target.closest("[data-call]");
  if (call) {
    const field = call.closest("form").querySelector("textarea");
    const begun = field.value.replace(/@[^\s@]*$/, "");
    field.value = `${begun}${begun && !/\s$/.test(begun) ? " " : ""}${call.dataset.call} `;
    field.focus();
  }
  const fill = target.closest("[data-fill]");
  if (fill) {
    const field = document.getElementById(fill.dataset.into);
    const tabOf = document.querySelector(`[role="tab"][aria-controls="${field.closest('[role="tabpanel"]')?.id}"]`);
    if (tabOf) selectTab(tabOf);
    field.value = fill.dataset.fillLine ? withLine(field.value, Number(fill.dataset.fillLine), fill.dataset.fill) : fill.dataset.fill;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }
});

// The text with its line of this number replaced; empty lines do not count.
function withLine(text, number, replacement) {
  let count = 0;
  return text
    .split("\n")
    .map((line) => (line.trim() && ++count === number ? replacement : line))
    .join("\n");
}

// Mark one line of a text, so that typing or pasting replaces it.
export function selectLine(field, number) {
  const lines = field.value.split("\n");
  const start = lines.slice(0, number - 1).reduce((sum, text) => sum + text.length + 1, 0);
  field.focus();
  field.setSelectionRange(start, start + (lines[number - 1] || "").length);
  field.scrollIntoView({ block: "center" });
}

function selectTab(tab) {
  for (const other of tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')) {
    const selected = other === tab;
    other.setAttribute("aria-selected", String(selected));
    other.tabIndex = selected ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !selected;
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
  const tab = event.target instanceof Element ? event.target.closest('[role="tab"]') : null;
  if (tab && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
    const next = tabs[(tabs.indexOf(tab) + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
    selectTab(next);
    next.focus();
  }
});

// Typing "@b" in a note offers those whose name has a "b" there; without it the first four.
document.addEventListener("input", (event) => {
  if (!event.target.matches?.("[data-note]")) return;
  const typed = /@([^\s@]*)$/.exec(event.target.value)?.[1].toLowerCase();
  let shown = 0;
  for (const button of event.target.form.querySelectorAll("[data-call]")) {
    const fits = !typed || `${button.dataset.call} ${button.title}`.toLowerCase().includes(typed);
    button.hidden = !fits || shown >= 4;
    if (!button.hidden) shown += 1;
  }
});

// A select in a filter applies at once; without JavaScript the button does.
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-auto-submit]");
  if (form && event.target.matches("select, input[type=date]")) form.requestSubmit();
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset?.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

document.body.addEventListener("htmx:sendError", () => toast(say("unreachable"), "error"));
document.body.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 422) return; // said beside the fragment
  const id = event.detail.xhr.getResponseHeader("X-Request-ID") || "";
  const key = { 403: "forbidden", 404: "missing" }[status] || "broken";
  toast(say(key, { id }), "error");
});

// What our server says beside a fragment.
document.body.addEventListener("refused", (event) => toast(event.detail.text, "error"));
