// Gives the token of a link such as http://door.lan:8750/#token=... : a fragment is never sent, logged or referred to.

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (location.hash) history.replaceState(null, "", location.pathname + location.search);

if (given) {
  await fetch("login", { method: "POST", body: new URLSearchParams({ token: given }), redirect: "manual" });
}
if (given || !location.search) {
  // A link from another site comes without the cookie even where there is one; a request of our own has it.
  const answer = await fetch("api/cameras");
  if (answer.ok) location.replace(location.pathname);
}
addEventListener("hashchange", () => location.reload()); // a link that is opened while the form is shown
document.getElementById("wrong").hidden = !(given || location.search === "?wrong");
