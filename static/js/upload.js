// Files: chosen, dropped or pasted → announced to our server → PUT straight to TokPortal's store → the fix is sent.
// Uppy carries the bytes. Where the browser's own PUT is refused (CORS, network) it sends them through our server.
import { say } from "./tokdash.js";
import { Sortable } from "../vendor/sortable/sortable.min.js";
import { Uppy, XHRUpload } from "../vendor/uppy/uppy.min.js";

const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
// The same numbers as in issues/media/reading.py. An announcement holds at most 1 MiB, of up to 20 images.
const VIDEO_HEAD_BYTES = 64 * 1024;
const IMAGE_HEAD_BYTES = 8 * 1024;
const TAIL_BYTES = 16 * 1024;
const INDEX_BYTES = 256 * 1024;
const MAX_BOXES = 1000;

class Refused extends Error {
  constructor(message, code, answer = {}) { super(message); this.code = code; this.answer = answer; }
}

async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer.message || say("refused"), answer.code, answer);
  return answer;
}

async function piece(file, at, count) {
  const bytes = new Uint8Array(await file.slice(at, at + count).arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return { at, bytes: btoa(text), raw: new DataView(bytes.buffer), length: bytes.length };
}

// What our server needs to see of a file: its beginning, its end, and of an MP4 or MOV (and of a HEIC or AVIF image) the
// heads of its boxes and its index.
async function piecesOf(file, isImage) {
  const head = await piece(file, 0, isImage ? IMAGE_HEAD_BYTES : VIDEO_HEAD_BYTES);
  const tailAt = Math.max(file.size - TAIL_BYTES, 0);
  const found = head.length < file.size ? [head, await piece(file, tailAt, TAIL_BYTES)] : [head];
  const name = (view, at) => String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
  const isBoxes = head.length >= 16 && ["ftyp", "styp", "moov", "moof", "mdat", "wide", "free", "skip", "pnot", "sidx"].includes(name(head.raw, 4));
  for (let at = 0, count = 0; isBoxes && at + 8 <= file.size && count < MAX_BOXES; count += 1) {
    const box = await piece(file, at, 16);
    const short = box.raw.getUint32(0);
    const size = short === 1 && box.length === 16 ? Number(box.raw.getBigUint64(8)) : short || file.size - at;
    const isIndex = ["moov", "sidx"].includes(name(box.raw, 4));
    if (at + (isIndex ? size : 16) > head.length) found.push(isIndex ? await piece(file, at, Math.min(size, INDEX_BYTES)) : box);
    if (size < 8) break;
    at += size;
  }
  return found.map(({ at, bytes }) => ({ at, bytes }));
}

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1000 && unit < 3) { bytes /= 1000; unit += 1; }
  const digits = unit && bytes < 100 ? 1 : 0;
  const number = bytes.toLocaleString(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${number} ${units[unit]}`;
}

function timeLeft(seconds) {
  return seconds < 90 ? say("secondsLeft", { seconds: Math.ceil(seconds) }) : say("minutesLeft", { minutes: Math.ceil(seconds / 60) });
}

class Upload {
  constructor(root) {
    this.root = root;
    this.entries = []; // File objects, and for a carousel {link, label} for images that stay as they are
    this.input = root.querySelector("input[type=file]");
    this.list = root.querySelector("[data-files]");
    this.status = root.querySelector("[data-status]");
    this.meter = root.querySelector("progress");
    this.send = root.querySelector("[data-send]");
    this.anyway = root.querySelector("[data-anyway]");
    this.stop = root.querySelector("[data-stop]");
    this.keep = root.querySelector("[data-keep]");
    this.error = root.querySelector("[data-error]");
    this.several = this.input.multiple;
    this.busy = false;
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
    this.onPaste = (event) => {
      if (!this.root.isConnected) { document.removeEventListener("paste", this.onPaste); return; }
      if (this.root.closest("[hidden]") || !event.clipboardData.files.length) return;
      event.preventDefault();
      this.add([...event.clipboardData.files]);
    };
    document.addEventListener("paste", this.onPaste);
    this.send.addEventListener("click", () => this.run());
    this.anyway.addEventListener("click", () => this.run(this.agreed));
    this.stop.addEventListener("click", () => this.cancel());
    this.keep?.addEventListener("click", () => {
      const links = JSON.parse(this.keep.dataset.keep);
      this.add(links.map((link, index) => ({ link, label: say("kept", { number: index + 1 }) })));
      this.keep.hidden = true;
    });
    window.addEventListener("beforeunload", (event) => { if (this.busy) event.preventDefault(); });
    if (this.several) {
      Sortable.create(this.list, {
        animation: 120,
        handle: ".thumb, img, .name",
        onEnd: ({ oldIndex, newIndex }) => {
          this.entries.splice(newIndex, 0, ...this.entries.splice(oldIndex, 1));
          this.draw();
        },
      });
    }
  }

  add(entries) {
    if (this.busy || !entries.length) return;
    this.entries = this.several ? [...this.entries, ...entries] : entries.slice(0, 1);
    this.say("");
    this.draw();
  }

  draw() {
    this.list.replaceChildren(...this.entries.map((entry, index) => this.row(entry, index)));
    this.send.disabled = !this.entries.some((entry) => entry instanceof File) || this.busy;
    this.list.hidden = !this.entries.length;
  }

  row(entry, index) {
    const row = document.getElementById("file-row").content.firstElementChild.cloneNode(true);
    const name = entry instanceof File ? entry.name : entry.label;
    const about = entry instanceof File ? size(entry.size) : say("stays");
    row.querySelector(".name").textContent = name;
    row.querySelector(".sub").textContent = this.several ? `${say("image", { number: index + 1 })} · ${about}` : about;
    if (entry instanceof File && entry.type.startsWith("image/")) {
      const picture = document.createElement("img");
      picture.alt = "";
      picture.src = URL.createObjectURL(entry);
      picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
      row.querySelector(".thumb").replaceWith(picture);
    }
    for (const button of row.querySelectorAll("button")) {
      button.disabled = this.busy;
      button.setAttribute("aria-label", `${button.getAttribute("aria-label")} ${name}`);
      const step = { up: -1, down: 1 }[button.dataset.do];
      button.hidden = Boolean(step) && (!this.several || !this.entries[index + step]);
      button.addEventListener("click", () => {
        if (step) [this.entries[index], this.entries[index + step]] = [this.entries[index + step], this.entries[index]];
        else this.entries.splice(index, 1);
        this.draw();
      });
    }
    return row;
  }

  say(text, anyway = "") {
    this.error.textContent = text;
    this.error.hidden = !text;
    this.anyway.hidden = !anyway;
    if (anyway) this.anyway.querySelector("span").textContent = anyway;
  }

  // A refusal that the person can overrule: what they agree to with the second button, beside what they agreed to before.
  ask(refusal, agreed) {
    const { before, after } = refusal.answer;
    const asks = { FILE_DOUBTFUL: [{ insist: true }, say("anyway")], FEWER_IMAGES: [{ fewer: before }, say("fewer", { before, after })] };
    const link = refusal.answer.can_insist ? [{ unchecked: true }, say("anyway")] : [{}, ""]; // one of the kept images
    const [added, button] = asks[refusal.code] ?? link;
    this.agreed = { ...agreed, ...added };
    this.say(refusal.message, button);
  }

  working(busy) {
    this.busy = busy;
    this.meter.hidden = this.status.hidden = this.stop.hidden = !busy;
    this.send.hidden = busy;
    this.draw();
  }

  async run(agreed = {}) {
    this.say("");
    this.cancelled = false;
    this.working(true);
    const files = this.entries.filter((entry) => entry instanceof File);
    this.progress(0, files.reduce((sum, file) => sum + file.size, 0));
    let alive;
    try {
      const facts = await Promise.all(this.entries.map(async (entry) => entry instanceof File
        ? { name: entry.name, size: entry.size, pieces: await piecesOf(entry, this.several) } : { link: entry.link }));
      const keep = document.getElementById("keep-dates"); // only where the fix would post earlier
      const wish = keep ? { keep_dates: keep.checked } : {};
      this.plan = await post(this.root.dataset.begin, { files: facts, ...wish, ...agreed });
      alive = setInterval(() => post(this.plan.alive).catch(() => {}), 30000);
      await this.carry(this.plan.files);
      this.busy = false;
      htmx.ajax("GET", this.root.dataset.panel, { target: "#fix-panel", swap: "outerHTML" });
    } catch (error) {
      if (this.plan) await post(this.plan.cancel).catch(() => {});
      this.working(false);
      if (this.cancelled) this.say(say("cancelled"));
      else if (error instanceof Refused) this.ask(error, agreed);
      else this.say(say("lost"));
    } finally {
      clearInterval(alive);
      this.plan = this.uppy = null;
    }
  }

  // Straight to the store; refused there → through our server; refused there too → the person is told. What TokPortal
  // has to convert (`direct`) goes through our server at once.
  async carry(steps) {
    const uppy = (this.uppy = new Uppy({ autoProceed: false, logger: { debug() {}, warn() {}, error() {} } }));
    uppy.use(XHRUpload, {
      method: "PUT",
      formData: false,
      limit: 2,
      timeout: 120000,
      endpoint: async (file) => {
        if (file.meta.relayed) return file.meta.steps.relay;
        const place = await post(file.meta.steps.presign); // a fresh one for each try
        return place.upload_url;
      },
      headers: (file) => file.meta.relayed
        ? { "Content-Type": "application/octet-stream", "X-CSRFToken": csrf() }
        : { "Content-Type": file.meta.steps.content_type },
      shouldRetry: () => false,
      getResponseData: () => ({}),
    });
    this.entries.forEach((entry, index) => {
      if (!(entry instanceof File)) return;
      // `relativePath` tells two files of one name apart.
      uppy.addFile({ name: entry.name, type: entry.type, data: entry, meta: { steps: steps[index], relayed: steps[index].direct, relativePath: String(index) } });
    });
    this.started = performance.now();
    uppy.on("upload-progress", () => {
      const all = uppy.getFiles();
      this.progress(all.reduce((sum, file) => sum + (file.progress.bytesUploaded || 0), 0), all.reduce((sum, file) => sum + file.size, 0));
    });
    let result = await uppy.upload();
    const refused = result?.failed ?? [];
    if (refused.length && !this.cancelled) {
      for (const file of refused) uppy.setFileMeta(file.id, { relayed: true });
      this.started = performance.now();
      result = await uppy.retryAll();
    }
    if (this.cancelled) throw new Error("cancelled");
    const lost = uppy.getFiles().find((file) => file.error || !file.progress.uploadComplete);
    if (lost) throw this.refusalOf(lost);
    this.status.textContent = say("handing");
    for (const file of uppy.getFiles()) await post(file.meta.steps.done);
  }

  refusalOf(file) {
    try {
      const answer = JSON.parse(file.response?.body?.text ?? file.response?.text ?? "{}");
      if (answer.message) return new Refused(answer.message, answer.code);
    } catch { /* no words of ours */ }
    return new Error(file.error || "lost");
  }

  progress(sent, total) {
    const share = total ? Math.min(sent / total, 1) : 0;
    this.meter.value = share;
    const seconds = (performance.now() - (this.started ?? performance.now())) / 1000;
    const left = share > 0.02 && share < 1 && seconds > 1 ? ` · ${timeLeft(seconds / share - seconds)}` : "";
    this.status.textContent = share >= 1 ? say("waiting")
      : say("uploading", { percent: Math.round(share * 100), sent: size(sent), total: size(total) }) + left;
  }

  async cancel() {
    this.cancelled = true;
    this.uppy?.cancelAll();
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
