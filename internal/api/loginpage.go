package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// wantsPage says whether a person looks at the answer: a browser that opens a page.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") &&
		(r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/web/"))
}

// loginStyle and loginScript are in the page itself: nothing else is answered before the login.
const (
	loginStyle = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:10vh auto;padding:0 1rem}` +
		`label,input,button{display:block;font:inherit}input{width:100%;box-sizing:border-box;padding:.5rem;margin:.25rem 0 1rem}button{padding:.5rem 1.5rem}`
	loginScript = `"use strict";
const say = document.getElementById("say");
async function login(body) {
  const r = await fetch("/api/session", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
  if (r.ok) { location.replace(location.pathname === "/" ? "/web/dashboard/" : location.pathname + location.search); return; }
  say.textContent = "Not accepted: the link is used or too old, or the token is not known.";
}
document.getElementById("form").addEventListener("submit", (e) => {
  e.preventDefault();
  login({token: document.getElementById("token").value});
});
const code = new URLSearchParams(location.hash.slice(1)).get("code");
if (code) {
  history.replaceState(null, "", location.pathname + location.search);
  login({code});
}
`
)

const loginHead = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>hyper2kvm: log in</title><style>` + loginStyle + `</style></head>
<body><main><h1>hyper2kvm</h1>
<p>Open the link that <code>hyperctl serve</code> printed, or give a token of its token file.</p>
<form id="form"><label for="token">Token</label><input id="token" type="password" autocomplete="current-password" required>
<button>Log in</button></form><p id="say" role="status"></p></main>
<script>` + loginScript + `</script></body></html>
`

// loginPolicy lets exactly this style and this script be.
func loginPolicy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + hash(loginScript) + "; style-src " + hash(loginStyle) +
		"; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}

// loginPage is the body of the 401 that a browser gets.
func loginPage(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", loginPolicy())
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(loginHead)) // the client went away
}
