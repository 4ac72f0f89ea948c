// The page for people. Links and requests are relative, so that it works below any prefix.
#include "scheduler/api/routes.h"

namespace kiln::scheduler {
namespace {

constexpr const char* kPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kiln</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin-bottom: 1rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd; }
th { font-size: .8rem; color: #666; }
td.number { font-variant-numeric: tabular-nums; }
p.note { color: #666; }
</style>
</head>
<body>
<h1>Kiln</h1>
<p id="health" class="note">connecting</p>
<form id="login" hidden><label>Token <input id="token" type="password" autocomplete="current-password"></label>
<button>Show</button></form>
<h2>Jobs</h2><table id="jobs"></table>
<h2>Waiting</h2><table id="why"></table>
<h2>Endpoints</h2><table id="endpoints"></table>
<h2>Models</h2><table id="models"></table>
<p class="note"><a href="v1/openapi.json">API</a> &middot; <a href="v1/schema/job">job schema</a>
&middot; <a href="v1/metrics/prometheus">metrics</a> &middot; <a href="v1/artifacts">artifacts</a></p>
<script>
"use strict";
// The token stays in this tab. Links carry none, so what they lead to is fetched.
const ask = path => {
  const token = sessionStorage.getItem("kiln-token");
  return fetch(path, token ? {headers: {Authorization: "Bearer " + token}} : {});
};
class TokenWanted extends Error {}
async function get(path) {
  const answer = await ask(path);
  if (answer.status === 401 && /^bearer/i.test(answer.headers.get("WWW-Authenticate") || ""))
    throw new TokenWanted();
  return answer.json();
}
const login = document.getElementById("login");
login.addEventListener("submit", event => {
  event.preventDefault();
  sessionStorage.setItem("kiln-token", document.getElementById("token").value.trim());
  login.hidden = true;
  show();
});
document.addEventListener("click", async event => {
  const anchor = event.target.closest("a");
  if (!anchor || !sessionStorage.getItem("kiln-token")) return;
  event.preventDefault();
  const text = await (await ask(anchor.href)).text();
  location.href = URL.createObjectURL(new Blob([text], {type: "text/plain"}));
});
function fill(id, heads, rows) {
  const table = document.getElementById(id);
  table.replaceChildren();
  if (!rows.length) { table.append("none"); return; }
  const line = (cells, kind) => {
    const row = table.insertRow();
    for (const cell of cells) {
      const box = document.createElement(kind);
      box.append(cell ?? "");
      row.append(box);
    }
  };
  line(heads, "th");
  rows.forEach(row => line(row, "td"));
}
function link(text, href) {
  const anchor = document.createElement("a");
  anchor.href = href;
  anchor.textContent = text;
  return anchor;
}
async function show() {
  try {
    const [health, jobs, endpoints, models] = await Promise.all(
      ["v1/health", "v1/jobs", "v1/endpoints", "v1/models"].map(get));
    document.getElementById("health").textContent =
      `${health.status}, master ${health.master || "none"}, framework ${health.framework_id || "none"}`;
    fill("jobs", ["NAME", "KIND", "PHASE", "RUNNING", "FINISHED", "MEMBERS", "DONE", "MESSAGE"],
      jobs.jobs.map(j => [link(j.name, "v1/jobs/" + encodeURIComponent(j.name)), j.kind, j.phase,
        j.running, j.finished, j.members, Math.floor(j.fraction * 100) + "%", j.message]));
    const live = jobs.jobs.filter(j => j.phase === "WAITING" || j.phase === "RUNNING");
    const whys = await Promise.all(live.map(j => get(`v1/jobs/${encodeURIComponent(j.name)}/why`)));
    fill("why", ["JOB", "GROUP", "MEMBERS", "BLOCKER", "REASON"], whys.flatMap(w => w.refusals.map(
      r => [r.job, r.group, r.members, r.blocker, r.reason])));
    fill("endpoints", ["JOB", "ADDRESS", "MODELS", "HEALTHY"], endpoints.endpoints.map(
      e => [e.job, e.address, e.models.join(", "), e.healthy === null ? "" : String(e.healthy)]));
    fill("models", ["NAME", "LATEST", "LABELS"], models.models.map(m => [
      link(m.name, "v1/models/" + encodeURIComponent(m.name)), m.latest,
      Object.entries(m.labels).map(([l, v]) => `${l}=${v}`).join(", ")]));
  } catch (error) {
    if (error instanceof TokenWanted) {
      document.getElementById("health").textContent = "a token is needed";
      login.hidden = false;
      return;
    }
    document.getElementById("health").textContent = "no answer: " + error;
  }
  setTimeout(show, 2000);
}
show();
</script>
</body>
</html>
)html";

}  // namespace

void AddPageRoutes(std::vector<Route>& routes, ApiContext&) {
  routes.push_back({"GET", "/", "a page with jobs, endpoints and models", [](const Call& call) {
                      call.exchange->Respond({200,
                                              {{"Content-Type", "text/html; charset=utf-8"},
                                               {"X-Content-Type-Options", "nosniff"}},
                                              kPage});
                    }});
}

}  // namespace kiln::scheduler
