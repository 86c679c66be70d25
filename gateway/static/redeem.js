"use strict";

// What follows # never leaves the browser by itself: no server logs it and no other page learns it.
const token = location.hash.slice(1);
const form = document.querySelector("form");
const status = document.querySelector("[role=status]");
if (!token) status.textContent = "This address lacks its end, from # on: copy the whole link.";

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { username, new_password, repeated } = Object.fromEntries(new FormData(form));
  if (new_password !== repeated) {
    status.textContent = "The two passwords differ.";
    return;
  }
  const body = JSON.stringify({ token, new_password, ...(username && { username }) });
  try {
    const headers = { "content-type": "application/json" };
    const answer = await fetch("/api/auth/password/reset", { method: "POST", headers, body });
    const said = await answer.json();
    status.textContent = answer.ok ? said.detail : said.error;
    if (answer.ok) {
      form.hidden = true;
      history.replaceState(null, "", location.pathname);
    }
  } catch (error) {
    status.textContent = `The server does not answer: ${error.message}`;
  }
});
