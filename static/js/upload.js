// Files: chosen, dropped or pasted → announced to our server → PUT straight to TokPortal's store → the fix is sent.
// Where the browser's own PUT is refused (CORS, network) the same bytes go through our server instead.
import { toast } from "./tokdash.js";

const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
const HEAD_BYTES = 64;

class Refused extends Error {}
class Cancelled extends Error {}

async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer.message || "The server did not accept this. Reload the page and try again.");
  return answer;
}

async function headOf(file) {
  const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1000 && unit < 3) { bytes /= 1000; unit += 1; }
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

class Upload {
  constructor(root) {
    this.root = root;
    this.files = [];
    this.input = root.querySelector("input[type=file]");
    this.list = root.querySelector("[data-files]");
    this.status = root.querySelector("[data-status]");
    this.meter = root.querySelector("progress");
    this.send = root.querySelector("[data-send]");
    this.stop = root.querySelector("[data-stop]");
    this.error = root.querySelector("[data-error]");
    this.several = this.input.multiple;
    this.busy = false;
    this.request = null;
    this.listen();
  }

  listen() {
    const drop = this.root.querySelector(".drop");
    this.input.addEventListener("change", () => { this.add([...this.input.files]); this.input.value = ""; });
    drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.add([...event.dataTransfer.files]);
    });
    this.root.addEventListener("paste", (event) => this.add([...event.clipboardData.files]));
    this.send.addEventListener("click", () => this.run());
    this.stop.addEventListener("click", () => this.cancel());
    window.addEventListener("beforeunload", (event) => { if (this.busy) event.preventDefault(); });
  }

  add(files) {
    if (this.busy || !files.length) return;
    this.files = this.several ? [...this.files, ...files] : files.slice(0, 1);
    this.say("");
    this.draw();
  }

  draw() {
    this.list.replaceChildren(...this.files.map((file, index) => this.row(file, index)));
    this.send.disabled = !this.files.length || this.busy;
    this.list.hidden = !this.files.length;
  }

  row(file, index) {
    const row = document.getElementById("file-row").content.firstElementChild.cloneNode(true);
    row.querySelector(".name").textContent = file.name;
    row.querySelector(".sub").textContent = this.several ? `Image ${index + 1} · ${size(file.size)}` : size(file.size);
    if (file.type.startsWith("image/")) {
      const picture = document.createElement("img");
      picture.alt = "";
      picture.src = URL.createObjectURL(file);
      picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
      row.querySelector(".thumb").replaceWith(picture);
    }
    for (const button of row.querySelectorAll("button")) {
      button.disabled = this.busy;
      button.setAttribute("aria-label", `${button.getAttribute("aria-label")} ${file.name}`);
      const step = { up: -1, down: 1 }[button.dataset.do];
      button.hidden = Boolean(step) && (!this.several || !this.files[index + step]);
      button.addEventListener("click", () => {
        if (step) [this.files[index], this.files[index + step]] = [this.files[index + step], this.files[index]];
        else this.files.splice(index, 1);
        this.draw();
      });
    }
    return row;
  }

  say(text) {
    this.error.textContent = text;
    this.error.hidden = !text;
  }

  working(busy) {
    this.busy = busy;
    this.meter.hidden = this.status.hidden = this.stop.hidden = !busy;
    this.send.hidden = busy;
    this.draw();
  }

  async run() {
    this.say("");
    this.cancelled = false;
    this.working(true);
    const total = this.files.reduce((sum, file) => sum + file.size, 0);
    this.started = performance.now();
    this.progress(0, total);
    let alive;
    try {
      const files = await Promise.all(this.files.map(async (file) => ({ name: file.name, size: file.size, head: await headOf(file) })));
      this.plan = await post(this.root.dataset.begin, { files });
      alive = setInterval(() => post(this.plan.alive).catch(() => {}), 30000);
      this.started = performance.now();
      let before = 0;
      for (const [index, file] of this.files.entries()) {
        await this.put(file, this.plan.files[index], (sent) => this.progress(before + sent, total));
        before += file.size;
        if (index === this.files.length - 1) this.status.textContent = "Uploaded. Handing it to TokPortal…";
        await post(this.plan.files[index].done);
      }
      this.busy = false;
      htmx.ajax("GET", this.root.dataset.panel, { target: "#fix-panel", swap: "outerHTML" });
    } catch (error) {
      if (this.plan && !(error instanceof Cancelled)) await post(this.plan.cancel).catch(() => {});
      this.working(false);
      this.say(error instanceof Cancelled ? "The upload was cancelled." : error instanceof Refused ? error.message
        : "The upload broke off. Check your connection and try again: your choice is kept.");
    } finally {
      clearInterval(alive);
      this.plan = null;
    }
  }

  // Straight to the store; refused there → a fresh place through our server; refused there too → the person is told.
  async put(file, steps, onProgress) {
    const place = await post(steps.presign);
    try {
      await this.send_bytes(place.upload_url, file, { "Content-Type": place.content_type }, onProgress);
    } catch (error) {
      if (error instanceof Cancelled) throw error;
      await this.send_bytes(steps.relay, file, { "Content-Type": "application/octet-stream", "X-CSRFToken": csrf() }, onProgress);
    }
  }

  send_bytes(url, file, headers, onProgress) {
    return new Promise((resolve, reject) => {
      if (this.cancelled) { reject(new Cancelled()); return; }
      const request = (this.request = new XMLHttpRequest());
      request.open("PUT", url);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.addEventListener("progress", (event) => onProgress(event.loaded));
      request.addEventListener("load", () => {
        if (request.status >= 200 && request.status < 300) { resolve(); return; }
        let message = "";
        try { message = JSON.parse(request.responseText).message; } catch { /* the store answers XML */ }
        reject(new Refused(message || "TokPortal's storage refused the file. Try again."));
      });
      request.addEventListener("error", () => reject(new Error("network")));
      request.addEventListener("abort", () => reject(new Cancelled()));
      request.send(file);
    });
  }

  progress(sent, total) {
    const share = total ? Math.min(sent / total, 1) : 0;
    this.meter.value = share;
    const seconds = (performance.now() - this.started) / 1000;
    const left = share > 0.02 && share < 1 && seconds > 1 ? ` · ${Math.ceil(seconds / share - seconds)} s left` : "";
    this.status.textContent = share >= 1 ? "Uploaded. Waiting for the store…"
      : `Uploading ${Math.round(share * 100)} % · ${size(sent)} of ${size(total)}${left}`;
  }

  async cancel() {
    this.cancelled = true;
    this.request?.abort();
    if (this.plan) await post(this.plan.cancel).catch(() => {});
  }
}

function start(within) {
  for (const root of within.querySelectorAll("[data-upload]:not([data-ready])")) {
    root.dataset.ready = "";
    new Upload(root);
  }
}

start(document);
document.body.addEventListener("htmx:afterSettle", () => start(document));
document.body.addEventListener("htmx:confirm", (event) => {
  // A refresh of the panel must not throw away a running upload.
  if (event.detail.elt.closest?.("[data-uploading]")) event.preventDefault();
});
export { toast };
