// The page of `carabin serve`. Texts are put into the page as text nodes only, kept in variables only, and sent to
// this service only.
import { EXAMPLE, NAMES, explain, number, plural, score } from "./words.js";

const LONGEST_LIST = 500;
const HUES = 16;
const PATIENCE = 5000; // milliseconds beyond the service's own limit

const element = (id) => document.getElementById(id);

let token = "";
let model = null; // what /model says
let answer = null; // the annotated document on show
let points = []; // its code points, which the offsets count
let labels = []; // those of the model, in its order
let asked = null; // the request under way
const unchecked = new Set(); // types that the reader has put out of sight

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// ---- talking to the service ----

async function ask(address, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  // Relative, so that the page also works below another address.
  const response = await fetch(address, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw { status: response.status, code: problem.code, retryAfter: response.headers.get("Retry-After") };
}

async function loadModel() {
  try {
    model = await ask("model");
  } catch (problem) {
    if (problem.code === "token") askForToken(false);
    else showError(explain(problem, model));
    return false;
  }
  element("token-form").hidden = true;
  element("model").textContent = `Modèle ${model.model}`;
  element("model").hidden = false;
  element("calibrated-line").hidden = !Object.keys(model.calibrated).length;
  return true;
}

async function analyse() {
  const text = element("text").value;
  if (!text.trim()) {
    element("text").focus();
    showError("Collez ou saisissez d’abord un texte.");
    return;
  }
  if (model && text.length > model.limits.characters && Array.from(text).length > model.limits.characters) {
    showError(explain({ code: "text-too-long" }, model));
    return;
  }
  asked?.abort();
  const request = (asked = new AbortController());
  const patience = setTimeout(() => request.abort("patience"), (model?.limits.seconds ?? 30) * 1000 + PATIENCE);
  showError("");
  element("result").setAttribute("aria-busy", "true");
  element("status").textContent = "Analyse en cours…";
  let found;
  try {
    const headers = { "Content-Type": "application/json" };
    found = await ask("annotate", { method: "POST", headers, body: JSON.stringify({ text }), signal: request.signal });
  } catch (problem) {
    if (request !== asked) return; // a newer request has taken its place
    element("status").textContent = "L’analyse n’a pas abouti.";
    showError(explain(request.signal.aborted ? { code: "timeout" } : problem, model));
    if (problem.code === "token") askForToken(true);
    return;
  } finally {
    clearTimeout(patience);
    if (request === asked) element("result").removeAttribute("aria-busy");
  }
  if (request === asked) showAnswer(found);
}

function askForToken(takeFocus) {
  element("token-form").hidden = false;
  if (takeFocus) element("token").focus();
}

// ---- showing ----

function showError(message) {
  element("error").textContent = message;
  element("error").hidden = !message;
  if (message) element("error").scrollIntoView({ block: "nearest" });
}

function showAnswer(found) {
  answer = found;
  points = Array.from(found.text);
  labels = [...new Set([...(model?.labels ?? []), ...found.entities.map((entity) => entity.label)])];
  element("result").hidden = false;
  element("copied").textContent = "";
  showLabels();
  showEntities();
  // On a narrow screen the result stands below the text.
  const title = element("result-title");
  if (title.getBoundingClientRect().top > innerHeight) title.scrollIntoView();
}

function hueOf(label) {
  return `hue-${labels.indexOf(label) % HUES}`;
}

function showLabels() {
  const list = element("labels");
  const counts = new Map();
  for (const { label } of answer.entities) counts.set(label, (counts.get(label) ?? 0) + 1);
  list.replaceChildren(...labels.map((label) => {
    const box = make("input");
    box.type = "checkbox";
    box.value = label;
    box.checked = !unchecked.has(label);
    box.addEventListener("change", () => {
      if (box.checked) unchecked.delete(label);
      else unchecked.add(label);
      showEntities();
    });
    const line = make("label", counts.has(label) ? "" : "absent");
    line.append(box, make("span", `code tint ${hueOf(label)}`, label));
    line.append(`${NAMES[label] ?? ""} (${counts.get(label) ?? 0})`);
    const item = make("li");
    item.append(line);
    return item;
  }));
}

function checkAll(wanted) {
  for (const box of element("labels").querySelectorAll("input")) {
    box.checked = wanted;
    if (wanted) unchecked.delete(box.value);
    else unchecked.add(box.value);
  }
  showEntities();
}

function shownEntities() {
  const least = Number(element("threshold").value);
  const fitted = element("calibrated").checked ? model.calibrated : {};
  const wanted = ({ label, score }) => score >= least && score >= (fitted[label] ?? 0) && !unchecked.has(label);
  return answer.entities.filter(wanted);
}

function showEntities() {
  const shown = shownEntities();
  const least = score.format(Number(element("threshold").value));
  element("threshold-value").textContent = least;
  element("threshold").setAttribute("aria-valuetext", least);
  const all = answer.entities.length;
  let message = `${plural(all, "entité", "trouvée")}.`;
  if (!all) message = "Aucune entité trouvée dans ce texte.";
  else if (shown.length < all) message = `${plural(shown.length, "entité", "affichée")} sur ${plural(all, "trouvée")}.`;
  element("status").textContent = message;
  showMarks(shown);
  showRows(shown);
}

function showMarks(shown) {
  const pieces = document.createDocumentFragment();
  let at = 0;
  shown.forEach((entity, rank) => {
    pieces.append(points.slice(at, entity.start).join(""));
    const mark = make("mark", `tint ${hueOf(entity.label)}`, points.slice(entity.start, entity.end).join(""));
    mark.append(make("span", "tag", entity.label));
    mark.title = `${NAMES[entity.label] ?? entity.label}, score ${score.format(entity.score)}`;
    mark.tabIndex = -1;
    mark.dataset.rank = rank;
    pieces.append(mark);
    at = entity.end;
  });
  pieces.append(points.slice(at).join(""));
  element("marked").replaceChildren(pieces);
}

function showRows(shown) {
  element("rows").replaceChildren(...shown.slice(0, LONGEST_LIST).map((entity, rank) => {
    const jump = make("button", "", entity.text);
    jump.type = "button";
    jump.title = "Montrer dans le texte";
    jump.addEventListener("click", () => {
      const mark = element("marked").querySelector(`[data-rank="${rank}"]`);
      mark.scrollIntoView({ block: "center" });
      mark.focus({ preventScroll: true });
    });
    const place = make("td");
    place.append(jump);
    const type = make("td");
    type.append(make("span", `code tint ${hueOf(entity.label)}`, entity.label), " ", make("span", "name", NAMES[entity.label] ?? ""));
    const row = make("tr");
    row.append(place, type, make("td", "number", score.format(entity.score)));
    row.append(make("td", "number place", `${number.format(entity.start)}–${number.format(entity.end)}`));
    return row;
  }));
  const rest = shown.length - LONGEST_LIST;
  element("more").hidden = rest <= 0;
  element("more").textContent = `La liste s’arrête aux ${LONGEST_LIST} premières ; les ${number.format(Math.max(rest, 0))} suivantes sont dans le texte et dans le JSON.`;
}

async function copyJson() {
  const record = JSON.stringify({ ...answer, entities: shownEntities() }, null, 2);
  let done;
  try {
    await navigator.clipboard.writeText(record);
    done = true;
  } catch {
    done = copyBySelection(record); // browsers give the clipboard to https and this machine only
  }
  element("copied").textContent = done
    ? `${plural(shownEntities().length, "entité", "copiée")}.`
    : "Le navigateur refuse l’accès au presse-papiers.";
}

function copyBySelection(text) {
  const field = make("textarea");
  field.value = text;
  field.setAttribute("aria-hidden", "true");
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  element("copy").focus();
  return done;
}

function showCount() {
  const text = element("text").value;
  element("count").textContent = plural(text.length, "caractère");
  if (answer && text !== answer.text) element("status").textContent = "Le texte a changé depuis cette analyse.";
}

// ---- what the reader does ----

element("text-form").addEventListener("submit", (event) => {
  event.preventDefault();
  analyse();
});

element("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    analyse();
  }
});

element("text").addEventListener("input", showCount);

element("example").addEventListener("click", () => {
  const field = element("text");
  if (field.value.trim() && field.value !== EXAMPLE && !confirm("Remplacer le texte par l’exemple ?")) return;
  field.value = EXAMPLE;
  showCount();
  analyse();
});

element("clear").addEventListener("click", () => {
  asked?.abort();
  asked = answer = null;
  points = [];
  element("text").value = "";
  for (const id of ["marked", "rows", "labels"]) element(id).replaceChildren();
  element("result").hidden = true;
  showError("");
  showCount();
  element("status").textContent = "Texte et résultat effacés.";
  element("text").focus();
});

element("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = element("token").value.trim();
  element("token").value = "";
  showError("");
  if (await loadModel()) element("text").focus();
  else showError(explain({ code: "token" }, model));
});

element("threshold").addEventListener("input", showEntities);
element("calibrated").addEventListener("change", showEntities);
element("check-all").addEventListener("click", () => checkAll(true));
element("check-none").addEventListener("click", () => checkAll(false));
element("copy").addEventListener("click", copyJson);
element("marked").addEventListener("click", (event) => event.target.closest("mark")?.focus());

showCount();
loadModel();
