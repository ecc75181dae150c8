// Keeps parts of a page up to date: asks for the same page again and takes over what is marked with data-live. What has the focus
// stays, and so do tables that were opened. Of what is marked with data-news, changes are told to screen readers. It can be turned off
// on the page.
"use strict";

const every = 15000, soon = 1500;
const box = document.getElementById("refresh");

async function refresh() {
  if (!box.checked || document.hidden) return;
  let answer;
  try {
    answer = await fetch(location.href);
  } catch {
    return; // the bridge is away; the next time shows it
  }
  if (answer.redirected) location.reload(); // the session has ended
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || part.contains(document.activeElement) || part.outerHTML === next.outerHTML) continue;
    for (const opened of part.querySelectorAll("details[open]")) {
      const same = next.querySelector(`[id="${opened.id}"]`);
      if (same) same.open = true;
    }
    tell(part, next);
    part.replaceWith(document.importNode(next, true));
  }
}

// tell says what is new. A part that is replaced cannot say so itself: screen readers listen to what was there before.
function tell(part, next) {
  const words = (of) => of.querySelector("[data-news]")?.textContent;
  if (words(next) && words(next) !== words(part)) document.getElementById("news").textContent = words(next);
}

// Where something is under way, the page is asked for more often.
function next() {
  setTimeout(async () => { await refresh(); next(); }, document.querySelector("[data-soon]") ? soon : every);
}

if (box) {
  box.closest("[hidden]").hidden = false;
  next();
}
