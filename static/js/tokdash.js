// Small behaviour for every page: theme, menus, toasts, tabs. Uploads live in upload.js.
const toasts = () => document.getElementById("toasts");

export function toast(text, kind = "") {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.setAttribute("aria-label", "Dismiss");
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
    localStorage.setItem("theme", next);
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
  const fill = target.closest("[data-fill]");
  if (fill) {
    const field = document.getElementById(fill.dataset.into);
    const tabOf = document.querySelector(`[role="tab"][aria-controls="${field.closest('[role="tabpanel"]')?.id}"]`);
    if (tabOf) selectTab(tabOf);
    field.value = fill.dataset.fill;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }
});

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

// A select in a filter applies at once; without JavaScript the button does.
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-auto-submit]");
  if (form && event.target.matches("select, input[type=date]")) form.requestSubmit();
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset?.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

document.body.addEventListener("htmx:sendError", () => toast("The server cannot be reached. What you see may be old.", "error"));
document.body.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  const id = event.detail.xhr.getResponseHeader("X-Request-ID") || "";
  const words = {
    403: "Your role does not allow this.",
    404: "This is not there any more.",
  }[status];
  toast(words || `Something broke on our side (request ${id}). Nothing that you saved is lost.`, "error");
});

// The queue's selection: kept by the issues' numbers, so that a refresh of the list does not lose it.
const picked = new Set();
const pickedForm = () => document.querySelector("[data-picked]");

function showPicked() {
  const form = pickedForm();
  if (!form) return;
  for (const box of document.querySelectorAll("[data-pick]")) box.checked = picked.has(box.value);
  const boxes = [...document.querySelectorAll("[data-pick]")];
  const every = document.querySelector("[data-pick-all]");
  if (every) every.checked = boxes.length > 0 && boxes.every((box) => box.checked);
  form.hidden = picked.size === 0;
  form.querySelector("[data-picked-count]").textContent = String(picked.size);
  form.querySelector("[data-picked-ids]").replaceChildren(...[...picked].map((key) => {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "issue", value: key });
    return field;
  }));
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches?.("[data-pick]")) {
    if (box.checked) picked.add(box.value);
    else picked.delete(box.value);
  } else if (box.matches?.("[data-pick-all]")) {
    for (const one of document.querySelectorAll("[data-pick]")) {
      if (box.checked) picked.add(one.value);
      else picked.delete(one.value);
    }
  } else return;
  showPicked();
});
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-picked-clear]")) { picked.clear(); showPicked(); }
});
document.body.addEventListener("htmx:afterSettle", showPicked);
