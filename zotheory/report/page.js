// Filters, links into folded details, copying, and printing. The page can be read without it.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const form = document.getElementById("filters");
const unfold = document.getElementById("unfold");
const claims = all("article.claim").map((element) => ({
  element,
  details: element.querySelector("details"),
  folds: all("details", element),
  words: [element, ...all("math", element)]
    .map((part) => part.getAttribute("alttext") ?? part.textContent)
    .join("\n")
    .toLowerCase(),
}));

function apply() {
  const asked = new FormData(form);
  const words = asked.get("words").toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ element, words: text }) =>
    ["verdict", "kind", "paper"].every((name) => {
      const chosen = asked.getAll(name);
      return !chosen.length || element.dataset[name].split(" ").some((v) => chosen.includes(v));
    }) && words.every((word) => text.includes(word));
  let shown = 0;
  for (const claim of claims) {
    claim.element.hidden = !fits(claim);
    shown += !claim.element.hidden;
  }
  for (const paper of all("section.paper")) {
    paper.hidden = !paper.querySelector("article.claim:not([hidden])");
  }
  document.getElementById("nothing").hidden = shown > 0;
  document.getElementById("found").value = `${shown} of ${claims.length} claims shown`;
}

function clear() {
  form.reset();
  apply();
}

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const claim = claims.find(({ element }) => element === target);
  if (target && target.closest("[hidden]")) clear();
  if (claim) {
    claim.details.open = true;
    claim.element.scrollIntoView();
  }
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  let told = "Copied";
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code); // the browser forbids it: leave it to the reader's keys
    told = "Selected; copy it with your keyboard";
  }
  const name = button.firstChild;
  name.data = told;
  document.getElementById("told").textContent = told;
  setTimeout(() => {
    name.data = "Copy";
    document.getElementById("told").textContent = "";
  }, 3000);
}

// What scrolls sideways can be reached and scrolled with the keyboard.
const sized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    target.toggleAttribute("tabindex", scrolls);
    if (scrolls) target.tabIndex = 0;
  }
});
for (const box of all(".formula, .wide, pre")) sized.observe(box);

form.hidden = false;
if (innerWidth < 1024) document.getElementById("choices").open = false; // leave room for the claims
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("clear").addEventListener("click", clear);
for (const button of all("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
unfold.addEventListener("click", () => {
  const open = unfold.getAttribute("aria-pressed") === "false";
  unfold.setAttribute("aria-pressed", open);
  for (const { folds } of claims) for (const fold of folds) fold.open = open;
});

let folded = [];
addEventListener("beforeprint", () => {
  folded = all("details:not([open])");
  for (const details of folded) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
});
addEventListener("hashchange", reveal);
apply();
reveal();
