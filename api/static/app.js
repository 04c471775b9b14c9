// SPDX-License-Identifier: Apache-2.0
// Comforts only: every page does its work without this file.

const OFF = "putright-keys-off";
const byId = (id) => document.getElementById(id);

// An error summary is read first, wherever it came from.
const tellErrors = () => byId("errors")?.focus();

// A form is sent once: pressing twice would only ask the same thing twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
});
// Coming back by the browser's arrow finds the form ready again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// ---- keys: j k Enter in lists, [ ] between cases, / to search, ? for this list. They can be switched off (WCAG 2.1.4).
const rows = () => [...document.querySelectorAll("[data-row]")];

function step(by) {
  const all = rows();
  if (!all.length) return;
  const here = all.findIndex((row) => row.hasAttribute("data-here"));
  const next = all[Math.min(all.length - 1, Math.max(0, here + by))];
  all[here]?.removeAttribute("data-here");
  next.setAttribute("data-here", "");
  next.querySelector("a")?.focus();
}

function follow(id) {
  const link = byId(id);
  if (link) link.click();
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  "/": () => byId("find")?.focus(),
  "[": () => follow("previous-case"),
  "]": () => follow("next-case"),
  t: () => byId("take")?.click(),
  "?": () => byId("keys")?.showModal(),
};
const GO = { w: "go-work", q: "go-queue", d: "go-desk", s: "go-signals" };
let going = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey && event.key === "Enter") {
    event.target.closest("form")?.requestSubmit();
    return;
  }
  if (localStorage.getItem(OFF) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog")) return;
  if (going && GO[event.key]) {
    going = false;
    follow(GO[event.key]);
    return;
  }
  going = event.key === "g";
  if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

const off = byId("keys-off");
if (off) {
  off.checked = Boolean(localStorage.getItem(OFF));
  off.addEventListener("change", () => (off.checked ? localStorage.setItem(OFF, "yes") : localStorage.removeItem(OFF)));
}
byId("keys-close")?.addEventListener("click", () => byId("keys").close());
byId("keys-open")?.addEventListener("click", () => byId("keys").showModal());

tellErrors();
