// What a page without script cannot do: show a run while it happens, move the steps of a form, and say that a run begins.

/** Puts new content into a section; what a reader had opened stays open, and the focus stays where it was. */
function fill(section, html) {
  const open = new Map([...section.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));
  const focused = document.activeElement?.closest("details[id]");
  const back = focused && section.contains(focused) ? focused.id : null;
  section.innerHTML = html; // made by the server, which escapes all that it did not write itself
  for (const details of section.querySelectorAll("details[id]")) {
    if (open.has(details.id)) details.open = open.get(details.id);
  }
  if (back) document.getElementById(back)?.querySelector("summary")?.focus();
}

function watch(place) {
  const source = new EventSource(place);
  source.addEventListener("sections", (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) {
      const section = document.getElementById(id);
      if (section) fill(section, html);
      if (id === "questions") section.querySelectorAll("form.question").forEach(edit);
    }
  });
  source.addEventListener("news", (event) => {
    document.getElementById("news").textContent = JSON.parse(event.data);
  });
  source.addEventListener("end", () => source.close());
}

/** Buttons of a question's form: add, delete, and move a step. */
function edit(form) {
  const list = form.querySelector("ol.edit");
  const blank = form.querySelector("template");
  let made = 0;
  const prepare = () => {
    [...list.children].forEach((item, index) => {
      item.querySelector("legend").textContent = `Step ${index + 1}`;
      for (const button of item.querySelectorAll("[data-do]")) {
        button.hidden = false;
        button.setAttribute("aria-label", `${button.textContent}: step ${index + 1}`);
      }
    });
  };
  const act = {
    add() {
      const item = blank.content.firstElementChild.cloneNode(true);
      made += 1;
      for (const field of item.querySelectorAll("[name]")) {
        field.name = field.name.replace(/^new\./, `new${made}.`);
        if (field.name === "step") field.value = `new${made}`;
      }
      list.append(item);
      item.querySelector("textarea").focus();
    },
    delete(item) {
      const next = item.nextElementSibling || item.previousElementSibling;
      item.remove();
      (next?.querySelector("textarea") || form.querySelector("[data-do=add]")).focus();
    },
    up(item) {
      item.previousElementSibling?.before(item);
    },
    down(item) {
      item.nextElementSibling?.after(item);
    },
  };
  /** From now on the buttons that do not use the changes say so. */
  const changed = () => {
    if (form.elements.drop.value) return;
    form.elements.drop.value = "1";
    for (const button of form.querySelectorAll(".decide button")) {
      if (!["edit", "stop"].includes(button.value)) button.textContent += form.dataset.without;
    }
  };
  form.addEventListener("input", (event) => {
    if (event.target.closest("ol.edit")) changed();
  });
  let kept = false;
  form.addEventListener("submit", async (event) => { // the page is loaded anew: what was changed in other forms must not go
    const others = [...document.querySelectorAll("form.question")].filter((o) => o !== form && o.elements.drop.value);
    if (kept || !others.length) return;
    event.preventDefault();
    await Promise.all(
      others.map((o) => fetch(o.dataset.keep, { method: "POST", body: new URLSearchParams(new FormData(o)) })),
    );
    kept = true;
    form.requestSubmit(event.submitter);
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    act[button.dataset.do](button.closest("ol.edit > li"));
    prepare();
    changed();
    if (button.isConnected && button.dataset.do !== "add") button.focus(); // moving an element takes its focus
    const item = button.closest("ol.edit > li");
    const place = item?.isConnected ? `now step ${[...list.children].indexOf(item) + 1} of` : "the form has";
    document.getElementById("news").textContent = `${button.dataset.do}: ${place} ${list.children.length} steps`;
  });
  form.querySelector("[data-do=add]").hidden = false;
  prepare();
}

/** A new run answers once its model is loaded, and the first time that file is fetched: say that something happens. */
function begin(form) {
  const button = form.querySelector("button");
  const said = form.querySelector("[role=status]");
  form.addEventListener("submit", () => {
    button.disabled = true;
    said.textContent = "The run begins. Its model is loaded first, which takes a while the first time.";
  });
  addEventListener("pageshow", () => { // also when one comes back to this page
    button.disabled = false;
    said.textContent = "";
  });
}

/** The seconds of a run that is under way go on. */
setInterval(() => {
  for (const shown of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor(Date.now() / 1000 - shown.dataset.since));
    const [hours, minutes, rest] = [seconds / 3600, (seconds % 3600) / 60, seconds % 60].map(Math.floor);
    const two = (number) => String(number).padStart(2, "0");
    shown.textContent = hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  }
}, 1000);

/** The list of runs, while some wait or are under way; not while one of its links or buttons has the focus. */
async function poll() {
  const list = document.querySelector("#list[data-poll]");
  if (!list) return;
  if (!list.contains(document.activeElement)) {
    const answer = await fetch(location.href).catch(() => null);
    const fresh = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("list");
    if (fresh) list.replaceWith(fresh);
  }
  setTimeout(poll, 3000);
}
setTimeout(poll, 3000);

document.addEventListener("keydown", (event) => {
  const form = event.target.form;
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.target.tagName !== "TEXTAREA" || !form) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector("button[type=submit]"));
});

document.querySelectorAll("form.new").forEach(begin);
const live = document.querySelector("[data-events]");
if (live) watch(live.dataset.events);
document.querySelectorAll("form.question").forEach(edit);
