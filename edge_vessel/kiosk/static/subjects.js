// Who is enrolled, and the deletion of one.
import { byId, currentView, show } from "./view.js";
import { WORDS } from "./words.js";

/** Shows the list, and loads it; what goes wrong is given to `failed`. */
export async function showSubjects(service, failed, said = "") {
  byId("subjects").replaceChildren();
  byId("subjects-said").textContent = said;
  show("subjects");
  try {
    const { subjects } = await service.subjects();
    const rows = subjects.map((one) => row(one, () => remove(service, failed, one.subject)));
    byId("subjects").replaceChildren(...rows);
    if (!rows.length) byId("subjects-said").textContent = `${said} ${WORDS.subjects.none}`;
  } catch (error) {
    if (currentView() === "subjects") failed(error);
  }
}

function row({ subject, enrolled_at: enrolledAt }, remove) {
  const item = document.createElement("li");
  const name = document.createElement("p");
  const when = document.createElement("span");
  const button = document.createElement("button");
  when.className = "quiet";
  const form = new Intl.DateTimeFormat(WORDS.lang, { dateStyle: "medium", timeStyle: "short" });
  when.textContent = WORDS.subjects.enrolledAt(form.format(new Date(enrolledAt)));
  name.append(subject, when);
  Object.assign(button, { type: "button", className: "danger" });
  button.textContent = WORDS.subjects.remove;
  button.setAttribute("aria-label", WORDS.subjects.removeNamed(subject));
  button.addEventListener("click", remove);
  item.append(name, button);
  return item;
}

function remove(service, failed, subject) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = WORDS.subjects.confirm(subject);
  dialog.returnValue = "keep";
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "remove") return;
    try {
      await service.remove(subject);
    } catch (error) {
      failed(error);
      return;
    }
    showSubjects(service, failed, WORDS.subjects.removed(subject));
  }, { once: true });
  dialog.showModal();
}
