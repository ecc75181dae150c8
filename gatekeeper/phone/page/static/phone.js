// Keeps the page up to date. The server makes all HTML; this asks for the page again whenever something changed, and takes over
// what is different: in elements with data-part the whole, in those with data-list item by item. So what has the focus, what
// is being typed and what is open stay as they are.
"use strict";

const byId = (id) => document.getElementById(id);
// What the server sent last for each part and item: what people did to the page since then is not a difference.
const known = new Map();
let page = location.href;

function remember(from) {
  for (const part of from.querySelectorAll("[data-part]")) known.set(part.id, part.outerHTML);
  for (const item of from.querySelectorAll("[data-list] > [id]")) known.set(item.id, item.outerHTML);
}

function takePart(fresh) {
  const old = byId(fresh.id);
  if (!old || known.get(fresh.id) === fresh.outerHTML) return;
  known.set(fresh.id, fresh.outerHTML);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const draft = old.querySelector("textarea")?.value;
  const element = document.importNode(fresh, true);
  old.replaceWith(element);
  const text = element.querySelector("textarea");
  if (text && draft) text.value = draft;
  if (!focused) return;
  const same = focused.id ? byId(focused.id) : focused.href && element.querySelector(`a[href="${CSS.escape(focused.getAttribute("href"))}"]`);
  (same || text || byId("main")).focus({ preventScroll: true });
}

// Returns the items that were not there before.
function takeList(fresh) {
  const list = byId(fresh.id), added = [];
  if (!list) return added;
  const wanted = new Set();
  let before = null;
  for (const item of fresh.children) {
    wanted.add(item.id);
    let here = byId(item.id);
    if (!here || known.get(item.id) !== item.outerHTML) {
      known.set(item.id, item.outerHTML);
      const element = document.importNode(item, true);
      if (here) {
        const inside = here.contains(document.activeElement);
        here.replaceWith(element);
        if (inside) element.querySelector("summary")?.focus({ preventScroll: true });
      } else {
        element.classList.add("new");
        added.push(element);
      }
      here = element;
    }
    if (before ? before.nextElementSibling !== here : list.firstElementChild !== here) {
      before ? before.after(here) : list.prepend(here);
    }
    before = here;
  }
  for (const item of [...list.children]) if (!wanted.has(item.id)) { known.delete(item.id); item.remove(); }
  return added;
}

const scroller = () => document.querySelector(".scroll");
const atEnd = () => { const s = scroller(); return !s || s.scrollHeight - s.scrollTop - s.clientHeight < 120; };
const toEnd = () => { const s = scroller(); if (s) s.scrollTop = s.scrollHeight; };

function announce(text) { if (text) byId("announcer").textContent = text; }

function take(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  if (fresh.body.className !== document.body.className) { location.assign(page); return; }
  const follow = atEnd(), typed = document.querySelector("#head .line em");
  document.title = fresh.title;
  for (const part of fresh.querySelectorAll("[data-part]")) takePart(part);
  const added = [...fresh.querySelectorAll("[data-list]")].flatMap(takeList);
  if (added.length && (follow || added.some((item) => item.classList.contains("mine")))) toEnd();
  const heard = added.filter((item) => item.classList.contains("theirs")).map((item) => item.querySelector(".bubble").innerText);
  if (heard.length) announce(heard.join(" "));
  else if (!typed && document.querySelector("#head .line em")) announce(byId("foot").dataset.name + " is typing");
  seen();
}

// One request at a time, and one more if something changed meanwhile.
let asking = false, again = false;
async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    do {
      again = false;
      const asked = page;
      const answer = await fetch(asked, { headers: { Accept: "text/html" } });
      if (asked === page) take(await answer.text()); else again = true;
    } while (again);
  } catch { /* the sandbox is away; the next event comes when it is back */ }
  asking = false;
}

// Tells that everything was read, once somebody can see it.
function seen() {
  const foot = byId("foot");
  if (foot && foot.dataset.open === "true" && byId("head").dataset.unread !== "0" && document.visibilityState === "visible") {
    fetch(foot.dataset.chat + "/read", { method: "POST" }).catch(() => {});
  }
}

let typingUntil = 0, typingTimer;
function typing(on) {
  const foot = byId("foot");
  if (!foot || !foot.dataset.chat || (on && Date.now() < typingUntil) || (!on && !typingUntil)) return;
  typingUntil = on ? Date.now() + 8000 : 0;
  fetch(foot.dataset.chat + "/typing", { method: "POST", body: new URLSearchParams({ on: on ? "1" : "0" }) }).catch(() => {});
}

function picked() {
  const compose = byId("compose"), line = compose?.querySelector(".picked");
  if (!line) return;
  const file = compose.elements.file.files[0];
  line.hidden = !file;
  line.firstElementChild.textContent = file ? file.name : "";
}

addEventListener("input", (event) => {
  if (event.target.id !== "text") return;
  clearTimeout(typingTimer);
  typing(event.target.value !== "");
  typingTimer = setTimeout(typing, 5000, false);
});

addEventListener("change", (event) => { if (event.target.name === "file") { picked(); byId("text").focus(); } });

// Enter sends, and Shift-Enter begins a line. What an input method takes for itself is no keypress.
addEventListener("keypress", (event) => {
  if (event.target.id !== "text" || event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const open = document.querySelector(".more[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  }
});

addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".more[open]")) if (!menu.contains(event.target)) menu.open = false;
  if (event.target.closest(".picked button")) { byId("compose").elements.file.value = ""; picked(); byId("text").focus(); return; }
  const link = event.target.closest("a[data-live]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  page = link.href;
  history.replaceState(null, "", page);
  link.closest(".more")?.removeAttribute("open");
  refresh().then(() => byId("text")?.focus());
});

addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("live" in form.dataset)) return;
  event.preventDefault();
  const data = new FormData(form, event.submitter);
  const composing = form.id === "compose";
  if (composing) {
    if (!data.get("text").trim() && !data.get("file")?.size) return;
    form.reset();
    picked();
    typingUntil = 0;
  }
  form.closest(".more")?.removeAttribute("open");
  try {
    const answer = await fetch(form.action, { method: "POST", body: data });
    const html = await answer.text();
    if (composing && !answer.ok && byId("text")) byId("text").value = data.get("text");
    if (answer.ok) { page = answer.url; history.replaceState(null, "", page); }
    take(html);
  } catch {
    if (composing && byId("text")) byId("text").value = data.get("text");
    announce("The sandbox did not answer.");
  }
  if (composing) { toEnd(); byId("text")?.focus(); }
});

addEventListener("load", (event) => { if (event.target.tagName === "IMG" && atEnd()) toEnd(); }, true);

// Only while somebody can see the page: a browser has six connections to one server, for all its tabs together.
let stream;
function listen() {
  if (document.visibilityState !== "visible") {
    stream?.close();
    stream = null;
  } else if (!stream) {
    stream = new EventSource(document.body.dataset.events);
    stream.addEventListener("change", refresh);
  }
}

if (document.body.dataset.events) {
  remember(document);
  toEnd();
  seen();
  if (matchMedia("(hover: hover)").matches) byId("text")?.focus();
  listen();
  document.addEventListener("visibilitychange", () => { listen(); seen(); });
}
