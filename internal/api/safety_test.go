package api

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/queue"
)

// TestNobodyGetsIn: without a token every route but the two that the contract names answers 401 and says which header is missing;
// with the read-only one none that writes does its work.
func TestNobodyGetsIn(t *testing.T) {
	s := newSite(t)
	before := s.tree(t)
	for _, rt := range s.server.list() {
		method, path := pathOf(rt.pattern)
		method = strings.ToUpper(method)
		path = strings.NewReplacer("{id}", s.ids["failed.vmdk"], "{name}", "x.json", "{path}", "index.html").Replace(path)
		if rt.role > nobody {
			resp := s.call(t, method, path, "", "")
			p := decode[problem](t, resp)
			if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(p.Detail, "Authorization: Bearer") || resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s without a token: %d %q", rt.pattern, resp.StatusCode, p.Detail)
			}
			for _, wrong := range []string{"x", fullToken + "x", strings.ToUpper(fullToken), fullToken[:20], ""} {
				if resp := s.call(t, method, path, "", "", "Authorization", "Bearer "+wrong); resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s with the token %q: %d", rt.pattern, wrong, resp.StatusCode)
				}
			}
			if resp := s.call(t, method, path, "", "", "Authorization", "Basic "+fullToken); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with Basic: %d", rt.pattern, resp.StatusCode)
			}
		}
		if rt.role > reader {
			resp := s.call(t, method, path, readToken, goodManifest, "Content-Type", "application/json")
			if p := decode[problem](t, resp); resp.StatusCode != http.StatusForbidden || p.Code != "H2K-API-002" {
				t.Errorf("%s with the read-only token: %d %s", rt.pattern, resp.StatusCode, p.Code)
			}
		}
	}
	if resp := s.call(t, "GET", "/livez", "", ""); resp.StatusCode != http.StatusOK || text(t, resp) != "ok\n" {
		t.Error("livez does not answer without a token")
	}
	if after := s.tree(t); !maps.Equal(before, after) {
		t.Error("something was changed without the right to")
	}
}

func TestOneLinkIsOneSession(t *testing.T) {
	now := time.Now()
	s := newSite(t, func(o *Options) { o.Now = func() time.Time { return now } })
	login := func(body string) *got {
		return s.call(t, "POST", "/api/session", "", body, "Content-Type", "application/json")
	}
	late := s.server.LoginCode()
	now = now.Add(LoginTime)
	if resp := login(`{"code": "` + late + `"}`); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a code that is too old: %d", resp.StatusCode)
	}
	code := s.server.LoginCode()
	resp := login(`{"code": "` + code + `"}`)
	if doc := decode[sessionDoc](t, resp); resp.StatusCode != http.StatusOK || doc.Role != "full" {
		t.Fatalf("the code of the link: %d %+v", resp.StatusCode, doc)
	}
	c := resp.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure {
		t.Errorf("the cookie is %+v", c)
	}
	if resp := login(`{"code": "` + code + `"}`); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the code a second time: %d", resp.StatusCode)
	}
	cookie := c.Name + "=" + c.Value
	status := func() int {
		return s.call(t, "POST", "/api/workflow/queue/resume", "", "", "Cookie", cookie).StatusCode
	}
	if got := status(); got != http.StatusOK {
		t.Errorf("with the session: %d", got)
	}
	if got := s.call(t, "POST", "/api/workflow/queue/resume", "", "", "Cookie", cookie, "Sec-Fetch-Site", "same-site").StatusCode; got != http.StatusForbidden {
		t.Errorf("from another site's page with the session: %d", got)
	}
	if got := s.call(t, "POST", "/api/workflow/queue/resume", "wrong", "", "Cookie", cookie).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("a wrong token beside the session: %d", got)
	}
	now = now.Add(sessionTime)
	if got := status(); got != http.StatusUnauthorized {
		t.Errorf("with an old session: %d", got)
	}
	// A token may be turned into a session, which can do no more than the token.
	resp = login(`{"token": "` + readToken + `"}`)
	cookie = resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value
	if got := status(); got != http.StatusForbidden {
		t.Errorf("writing with a session of the read-only token: %d", got)
	}
	if got := s.call(t, "DELETE", "/api/session", "", "", "Cookie", cookie).StatusCode; got != http.StatusNoContent {
		t.Errorf("logging out: %d", got)
	}
	if got := s.call(t, "GET", "/api/workflow/status", "", "", "Cookie", cookie).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("after logging out: %d", got)
	}
}

func TestSecureCookies(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Secure = true })
	resp := s.call(t, "POST", "/api/session", "", `{"code": "`+s.server.LoginCode()+`"}`, "Content-Type", "application/json")
	if c := resp.Cookies()[0]; !c.Secure || !strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("over TLS the cookie is %+v", c)
	}
	for host, want := range map[string]bool{"kvm1.example.org": true, "kvm1.example.org:8443": false, "localhost": false, "localhost:8443": false} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "/livez", nil)
		must(t, err)
		r.Host = host
		w := &answer{h: http.Header{}}
		s.server.ServeHTTP(w, r)
		if got := w.h.Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("all ports of %s are told to speak TLS: %v", host, got)
		}
	}
}

func TestHosts(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Hosts = []string{"kvm1.example.org", "192.0.2.7"} })
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8080": 200, "127.0.0.1:1": 200, "127.1.2.3": 200, "[::1]:8080": 200, "kvm1.example.org": 200, "KVM1.example.org.:8443": 200, "192.0.2.7:1": 200,
		"example.org": 421, "192.0.2.8": 421, "localhost.example.org": 421, "127.0.0.1.example.org": 421, "": 421, "[::2]": 421, "localhost:8080:8080": 421, "evil\x00": 421, "0.0.0.0": 421,
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "/livez", nil)
		must(t, err)
		r.Host = host
		w := &answer{h: http.Header{}}
		s.server.ServeHTTP(w, r)
		if w.status != want {
			t.Errorf("Host %q: %d, want %d", host, w.status, want)
		}
	}
}

// answer is a response writer that keeps the status only.
type answer struct {
	h      http.Header
	status int
}

func (a *answer) Header() http.Header { return a.h }
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}
func (a *answer) Write(b []byte) (int, error) { a.WriteHeader(http.StatusOK); return len(b), nil }

// TestHeaders: whatever is answered, nothing in it may be loaded, framed or taken for something else.
func TestHeaders(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/livez", "/nothing", "/api/workflow/status", "/web/dashboard/", "/web/dashboard/assets/app-abc.js"} {
		for _, token := range []string{"", fullToken} {
			h := s.call(t, "GET", path, token, "", "Accept", "text/html").Header
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
				!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || strings.Contains(h.Get("Content-Security-Policy"), "unsafe") || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s with token %q: %v", path, token, h)
			}
		}
	}
}

// TestFiles: what a person looks at is served, and nothing that is a link, a disk, or elsewhere.
func TestFiles(t *testing.T) {
	s := newSite(t)
	done, failed := "/api/workflow/jobs/"+s.ids["done.vmdk"]+"/files/", "/api/workflow/jobs/"+s.ids["failed.vmdk"]+"/files/"
	for path, want := range map[string]string{
		done + "done.xml": "<domain/>", done + "boot-test%2Fscreen.png": "\x89PNG", failed + "serial.log": "(initramfs)",
		done + "out.log": "", done + "in.xml": "", done + "boot-test%2Fup.log": "", done + "pipe.log": "", done + "done.qcow2": "", done + "dir%2Fsecret.log": "",
		done + "..%2Fsecret.log": "", done + "boot-test%2F..%2F..%2Fsecret.log": "", done + "%2Fetc%2Fhosts.txt": "", done + "boot-test": "", done + "serial.log": "",
		done + "boot-test%2Fa%2Fb.log": "", failed + "screen.png": "", failed + "done.xml": "", failed + "..%2Fserial.log": "", done + ".%2Fdone.xml": "", done + "a%00.log": "",
	} {
		resp := s.call(t, "GET", path, readToken, "")
		if got := text(t, resp); want != "" && (resp.StatusCode != http.StatusOK || got != want) || want == "" && resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %q, want %q", path, resp.StatusCode, got, want)
		}
	}
	if d := decode[detailDoc](t, s.call(t, "GET", strings.TrimSuffix(failed, "/files/"), readToken, "")); !slices.Equal(d.Left, []string{queue.EvidenceSerial}) {
		t.Errorf("the failed job left %v", d.Left)
	}
}

func TestDashboardPages(t *testing.T) {
	s := newSite(t)
	resp := s.call(t, "GET", "/web/dashboard/jobs", fullToken, "")
	page := text(t, resp)
	_, rest, _ := strings.Cut(page, `nonce="`)
	nonce, _, _ := strings.Cut(rest, `"`)
	if len(nonce) < 20 || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "'nonce-"+nonce+"'") {
		t.Errorf("the page's nonce %q is not that of its policy", nonce)
	}
	if again := text(t, s.call(t, "GET", "/web/dashboard/jobs", fullToken, "")); again == page {
		t.Error("the nonce stays the same")
	}
	resp = s.call(t, "GET", "/web/dashboard/assets/app-abc.js", fullToken, "", "Accept-Encoding", "gzip, br")
	if text(t, resp) != "packed" || resp.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("a packed file: %v", resp.Header)
	}
	resp = s.call(t, "GET", "/web/dashboard/", "", "", "Accept", "text/html,*/*")
	login := text(t, resp)
	if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(login, "<form") {
		t.Errorf("a browser without a session gets %d %q", resp.StatusCode, login)
	}
	none := newSite(t, func(o *Options) { o.Dashboard = nil })
	resp = none.call(t, "GET", "/web/dashboard/", fullToken, "")
	if p := decode[problem](t, resp); resp.StatusCode != http.StatusNotFound || !strings.Contains(p.Detail, "without the dashboard") {
		t.Errorf("without a dashboard: %d %q", resp.StatusCode, p.Detail)
	}
}

func TestTokenFiles(t *testing.T) {
	sum := sha256.Sum256([]byte(fullToken))
	ts, err := ParseTokens(strings.NewReader("full sha256:" + hex.EncodeToString(sum[:]) + " me\nread " + readToken))
	must(t, err)
	if got, ok := ts.find(fullToken); !ok || !got.Full || got.Name != "me" {
		t.Errorf("a hashed token is %+v %v", got, ok)
	}
	if got, ok := ts.find(readToken); !ok || got.Full {
		t.Errorf("the read-only token is %+v %v", got, ok)
	}
	if _, ok := ts.find("sha256:" + hex.EncodeToString(sum[:])); ok {
		t.Error("the hash of a token works as a token")
	}
	for _, bad := range []string{"", "# nothing", "full short", "admin " + fullToken, "full", "full sha256:12", "full " + fullToken + " two words", strings.Repeat("x", maxTokenLine+1)} {
		if _, err := ParseTokens(strings.NewReader(bad)); err == nil || strings.Contains(err.Error(), fullToken) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

func TestAuditLog(t *testing.T) {
	s := newSite(t)
	s.call(t, "POST", "/api/workflow/manifest/submit?name=web01", fullToken, goodManifest, "Content-Type", "application/json")
	s.call(t, "POST", "/api/workflow/queue/pause", readToken, "")
	s.call(t, "POST", "/api/workflow/queue/pause", "", "", "Origin", "http://evil.example")
	s.call(t, "GET", "/api/workflow/status", fullToken, "")
	log := s.log.String()
	for _, want := range []string{"by=operator", "entry=web01.json", "status=200", `by="read token of line 4"`, "status=403", "code=H2K-API-003"} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log lacks %s:\n%s", want, log)
		}
	}
	if n := strings.Count(log, "msg=audit"); n != 3 {
		t.Errorf("%d audit lines, want 3:\n%s", n, log)
	}
	if strings.Contains(log, fullToken) || strings.Contains(log, readToken) {
		t.Error("a token stands in the log")
	}
}

// mayChange says whether a path may come or change by what a client with the full token does: entries of the drop zone, requests, and
// what the daemon does when it is asked.
func (s *site) mayChange(path string) bool {
	rel, err := filepath.Rel(s.daemon.Dir(), path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return false
	}
	first, rest, _ := strings.Cut(rel, "/")
	switch first {
	case queue.DirQueued:
		return !strings.Contains(rest, "/")
	case queue.DirFailed:
		return true // retry
	case queue.DirOwn:
		return strings.HasPrefix(rest, "control/") || strings.HasPrefix(rest, "replies/") || strings.HasPrefix(rest, "origins/")
	}
	return false
}

// FuzzRoutes sends hostile requests to every route: nothing changes without the full token, with it only what may, and the answer is
// one that the contract knows.
func FuzzRoutes(f *testing.F) {
	hostile := []string{"", "..", "../../etc/passwd", "%2e%2e%2f", "a\x00b", "/", ".hyper2kvm", "web01\nx", strings.Repeat("a", 300), "01ARZ3NDEKTSV4RRFFQ69G5FAV", "done.vmdk", "\xff\xfe"}
	for i, word := range hostile {
		f.Add(uint8(i*3), word, "", "127.0.0.1", "", uint8(i))
		f.Add(uint8(i*5+1), "failed.vmdk", goodManifest, "localhost:8080", "http://"+word, uint8(i))
		f.Add(uint8(i), word, `{"version":"1.0","name":"`+word+`","pipeline":{"load":{"source_path":"`+word+`"}}}`, word, "null", uint8(i+1))
	}
	f.Add(uint8(28), "x", "input: ../../../etc/shadow\nname: ../x\n", "localhost", "", uint8(2))
	c := readContract(f)
	s := newSite(f)
	list := slices.DeleteFunc(s.server.list(), func(rt route) bool { return strings.HasSuffix(rt.pattern, "/events") })
	tokens := []string{"", readToken, fullToken, "x", "", readToken, fullToken, "Bearer"}
	kinds := []string{"application/json", "application/yaml", "multipart/form-data; boundary=x", "text/plain", "", "application/json; charset=\xff"}
	known := s.tree(f)
	f.Fuzz(func(t *testing.T, at uint8, word, body, host, origin string, how uint8) {
		rt := list[int(at)%len(list)]
		method, path := pathOf(rt.pattern)
		path = strings.NewReplacer("{id}", url.PathEscape(word), "{name}", url.PathEscape(word), "{path}", url.PathEscape(word)).Replace(path)
		if how%16 > 8 {
			path += "?" + url.Values{word: {body}}.Encode()
		}
		token := tokens[int(how)%len(tokens)]
		r, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(method), "http://127.0.0.1"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		r.Host = host
		r.RequestURI = path
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		r.Header.Set("Content-Type", kinds[int(how)%len(kinds)])
		r.Header.Set("Origin", origin)
		r.Header.Set("Idempotency-Key", word)
		w := &recorder{answer: answer{h: http.Header{}}}
		s.server.ServeHTTP(w, r)
		if path == r.RequestURI && w.status != http.StatusNotFound && w.status/100 != 3 && w.status != http.StatusMethodNotAllowed && !strings.HasSuffix(rt.pattern, "...}") {
			c.check(t, rt.pattern, w.result())
		}
		// Who fuzzes for longer than a heartbeat holds finds the daemon hung.
		if w.status >= 500 && w.status != http.StatusNotImplemented && w.status != http.StatusServiceUnavailable {
			t.Errorf("%s %q %q: %d %s", rt.pattern, path, body, w.status, w.body)
		}
		for name, value := range w.h {
			if strings.ContainsAny(strings.Join(value, ""), "\r\n") {
				t.Errorf("the header %s is %q", name, value)
			}
		}
		now := s.tree(t)
		for path, b := range now {
			if old, ok := known[path]; (!ok || old != b) && (token != fullToken || !s.mayChange(path)) {
				t.Errorf("%s %q with the token %q changed %s", rt.pattern, word, token, path)
			}
		}
		for path := range known {
			if _, ok := now[path]; !ok && (token != fullToken || !s.mayChange(path)) {
				t.Errorf("%s %q with the token %q removed %s", rt.pattern, word, token, path)
			}
		}
		known = now
	})
}

// recorder keeps a whole answer.
type recorder struct {
	answer
	body []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.body = append(r.body, b...)
	return len(b), nil
}

func (r *recorder) result() *got { return &got{r.status, r.h, strings.NewReader(string(r.body))} }
