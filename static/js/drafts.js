// What somebody typed and has not sent is still there when they come back to the page. It is kept for this tab and this
// user alone, since a link can be a secret, and removed once it is sent or the user logs out.
const PREFIX = "tokdash:draft:";
const user = document.body.dataset.user || "";
const place = (name) => `${PREFIX}${user}:${name}`;
// What the field holds if nobody types; after a refused attempt the page itself holds what was typed.
const baseOf = (field) => field.dataset.base ?? field.defaultValue;
const drafts = () => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));

function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(place(name)));
  } catch {
    return null;
  }
}

function keep(field) {
  const name = place(field.dataset.draft);
  if (field.value === baseOf(field)) sessionStorage.removeItem(name);
  else {
    try {
      sessionStorage.setItem(name, JSON.stringify({ text: field.value, base: baseOf(field) }));
    } catch { /* no room: the page works without it */ }
  }
}

const hintOf = (name) => document.querySelector(`[data-draft-hint="${CSS.escape(name)}"]`);

function restore(root) {
  for (const field of root.querySelectorAll("[data-draft]")) {
    const name = field.dataset.draft;
    const saved = read(name);
    if (!saved || saved.text === field.value) continue;
    // The slot has changed since: what was typed may no longer fit.
    if (saved.base !== baseOf(field) || field.value !== field.defaultValue) { sessionStorage.removeItem(place(name)); continue; }
    field.value = saved.text;
    const hint = hintOf(name);
    if (hint) hint.hidden = false;
    field.closest("details")?.setAttribute("open", "");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  for (const holder of document.querySelectorAll("[data-draft-of]")) {
    const name = holder.dataset.draftOf;
    if (!holder.querySelector(`[data-draft="${CSS.escape(name)}"]`)) sessionStorage.removeItem(place(name));
  }
}

// Another user of this tab must not find it.
if (user) for (const key of drafts()) if (!key.startsWith(`${PREFIX}${user}:`)) sessionStorage.removeItem(key);

document.addEventListener("input", (event) => {
  if (event.target.matches?.("[data-draft]")) keep(event.target);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-ends-session]")) for (const key of drafts()) sessionStorage.removeItem(key);
  // A fragment says by what it holds whether it was taken; a whole page leaves.
  if (!form.hasAttribute("hx-post")) for (const field of form.querySelectorAll("[data-draft]")) sessionStorage.removeItem(place(field.dataset.draft));
});

document.addEventListener("click", (event) => {
  const drop = event.target instanceof Element ? event.target.closest("[data-draft-drop]") : null;
  if (!drop) return;
  const name = drop.dataset.draftDrop;
  const field = document.querySelector(`[data-draft="${CSS.escape(name)}"]`);
  sessionStorage.removeItem(place(name));
  hintOf(name).hidden = true;
  field.value = baseOf(field);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});

document.body.addEventListener("htmx:afterSettle", (event) => {
  const root = event.detail.target?.id && document.getElementById(event.detail.target.id);
  if (root) restore(root);
});
restore(document);
