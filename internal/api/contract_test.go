package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// contractFile is openapi.yaml, ready to hold answers against.
type contractFile struct {
	doc     map[string]any
	schemas *jsonschema.Compiler
}

const contractURL = "file:///openapi.json"

func readContract(tb testing.TB) contractFile {
	tb.Helper()
	var doc map[string]any
	must(tb, yaml.Unmarshal(contract, &doc))
	b, err := json.Marshal(doc) // as JSON has it: numbers and keys
	must(tb, err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	must(tb, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	must(tb, c.AddResource(contractURL, parsed))
	return contractFile{parsed.(map[string]any), c}
}

// at walks into the document, through references.
func (c contractFile) at(keys ...string) (any, string) {
	var v any = c.doc
	path := "#"
	for _, key := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, ""
		}
		if ref, ok := m["$ref"].(string); ok {
			path = ref
			var into []string
			for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
				into = append(into, unescapePointer(part))
			}
			v, _ = c.at(into...)
			m, _ = v.(map[string]any)
		}
		if v, ok = m[key]; !ok {
			return nil, ""
		}
		path += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
	}
	return v, path
}

func unescapePointer(s string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(s) }

// pathOf is the path of the contract for a pattern of the list.
func pathOf(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return strings.ToLower(method), strings.NewReplacer("{$}", "", "...}", "}").Replace(path)
}

// check holds an answer to a pattern against the contract. It returns the body.
func (c contractFile) check(tb testing.TB, pattern string, resp *got) string {
	tb.Helper()
	b, err := io.ReadAll(resp.Body)
	must(tb, err)
	method, path := pathOf(pattern)
	code := fmt.Sprint(resp.StatusCode)
	what := fmt.Sprintf("%s -> %s %.300q", pattern, code, b)
	if got, _ := c.at("paths", path, method, "responses", code); got == nil {
		tb.Errorf("%s: the contract does not know this status", what)
		return string(b)
	}
	content, where := c.at("paths", path, method, "responses", code, "content")
	if content == nil {
		if len(b) > 0 && resp.StatusCode != http.StatusSeeOther {
			tb.Errorf("%s: the contract knows of no body", what)
		}
		return string(b)
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	must(tb, err)
	media, ok := content.(map[string]any)[kind].(map[string]any)
	if !ok {
		tb.Errorf("%s: the contract does not know the type %s here", what, kind)
		return string(b)
	}
	if media["schema"] == nil || !strings.HasSuffix(kind, "json") {
		return string(b)
	}
	schema, err := c.schemas.Compile(contractURL + where + "/" + strings.ReplaceAll(kind, "/", "~1") + "/schema")
	must(tb, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		tb.Errorf("%s: %v", what, err)
		return string(b)
	}
	if err := schema.Validate(doc); err != nil {
		tb.Errorf("%s: %v", what, err)
	}
	return string(b)
}

// TestContractHasEveryRoute: the list and the contract name the same routes, with the same roles.
func TestContractHasEveryRoute(t *testing.T) {
	c := readContract(t)
	roles := map[role]string{nobody: "none", reader: "read", writer: "full"}
	s := newSite(t)
	known := map[string]bool{}
	for _, rt := range s.server.list() {
		method, path := pathOf(rt.pattern)
		known[method+" "+path] = true
		if got, _ := c.at("paths", path, method, "x-role"); got != roles[rt.role] {
			t.Errorf("%s: the contract says role %v, the list %q", rt.pattern, got, roles[rt.role])
		}
	}
	paths, _ := c.at("paths")
	for path, ops := range paths.(map[string]any) {
		for method := range ops.(map[string]any) {
			if !known[method+" "+path] {
				t.Errorf("the contract has %s %s, the list has not", method, path)
			}
		}
	}
}

// exchange is one request, and the status that it is answered with.
type exchange struct {
	pattern, path, body string
	status              int
	headers             []string
}

func (s *site) exchanges() []exchange {
	js := []string{"Content-Type", "application/json"}
	done, failed, running := s.ids["done.vmdk"], s.ids["failed.vmdk"], s.ids["running.vmdk"]
	get := func(pattern, path string, status int) exchange {
		return exchange{"GET " + pattern, path, "", status, nil}
	}
	one := "/api/workflow/jobs/{id}"
	post := func(pattern, path, body string, status int) exchange {
		return exchange{"POST " + pattern, path, body, status, js}
	}
	return []exchange{
		get("/livez", "/livez", 200), get("/readyz", "/readyz", 200), get("/metrics", "/metrics", 200), get("/metrics", "/metrics?x=1", 400),
		get("/api/session", "/api/session", 200), get("/api/openapi.yaml", "/api/openapi.yaml", 200), get("/api/schema/manifest", "/api/schema/manifest", 200),
		get("/api/codes", "/api/codes", 200), get("/api/doctor", "/api/doctor", 200),
		get("/api/workflow/status", "/api/workflow/status", 200), get("/api/workflow/status", "/api/workflow/status?verbose=1", 400),
		get("/api/workflow/history", "/api/workflow/history?hours=3", 200), get("/api/workflow/history", "/api/workflow/history?hours=999", 400),
		get("/api/workflow/failures", "/api/workflow/failures", 200),
		get("/api/workflow/jobs", "/api/workflow/jobs", 200), get("/api/workflow/jobs", "/api/workflow/jobs?status=pending,failed&sort=-name&limit=1", 200),
		get("/api/workflow/jobs", "/api/workflow/jobs?status=completed&date=today", 200), get("/api/workflow/jobs", "/api/workflow/jobs?status=sleeping", 400),
		get("/api/workflow/jobs", "/api/workflow/jobs?cursor=@", 400), get("/api/workflow/jobs", "/api/workflow/jobs?limit=0", 400),
		get("/api/workflow/jobs", "/api/workflow/jobs?sort=colour", 400), get("/api/workflow/jobs", "/api/workflow/jobs?date=someday", 400),
		get("/api/workflow/jobs/active", "/api/workflow/jobs/active", 200),
		get(one, "/api/workflow/jobs/"+done, 200), get(one, "/api/workflow/jobs/"+failed, 200), get(one, "/api/workflow/jobs/"+running, 200),
		get(one, "/api/workflow/jobs/waiting.vmdk", 200), get(one, "/api/workflow/jobs/nothing", 404), get(one, "/api/workflow/jobs/%2e%2e%2fetc%2fpasswd", 400),
		get(one+"/report", "/api/workflow/jobs/"+done+"/report", 200), get(one+"/report", "/api/workflow/jobs/"+failed+"/report", 404),
		get(one+"/log", "/api/workflow/jobs/"+done+"/log", 200), get(one+"/log", "/api/workflow/jobs/queued.vmdk/log", 404),
		get(one+"/log", "/api/workflow/jobs/"+done+"/log?tail=x", 400), get(one+"/log", "/api/workflow/jobs/"+done+"/log?follow=maybe", 400),
		get(one+"/plan", "/api/workflow/jobs/queued.vmdk/plan", 200), get(one+"/files/{name}", "/api/workflow/jobs/"+done+"/files/done.xml", 200),
		get(one+"/files/{name}", "/api/workflow/jobs/"+done+"/files/boot.png", 200), get(one+"/files/{name}", "/api/workflow/jobs/"+done+"/files/done.qcow2", 404),
		get(one+"/files/{name}", "/api/workflow/jobs/"+done+"/files/..%2fx.json", 404), get(one+"/files/{name}", "/api/workflow/jobs/"+done+"/files/no.json", 404),
		get(one+"/files/{name}", "/api/workflow/jobs/"+failed+"/files/x.json", 404),
		get("/web/dashboard/{path...}", "/web/dashboard/", 200), get("/web/dashboard/{path...}", "/web/dashboard/jobs/abc", 200),
		get("/web/dashboard/{path...}", "/web/dashboard/assets/app-abc.js", 200), get("/web/dashboard/{path...}", "/web/dashboard/assets/no.js", 404),
		get("/{$}", "/", 303), get("/web/dashboard", "/web/dashboard", 303),
		post("/api/workflow/manifest/validate", "/api/workflow/manifest/validate", goodManifest, 200),
		post("/api/workflow/manifest/validate", "/api/workflow/manifest/validate", `{"version": "1.0", "pipelin": {}}`, 200),
		post("/api/workflow/manifest/validate", "/api/workflow/manifest/validate", `not even {`, 200),
		{"POST /api/workflow/manifest/validate", "/api/workflow/manifest/validate", "input: web.vmdk\n", 200, []string{"Content-Type", "application/yaml; charset=utf-8"}},
		{"POST /api/workflow/manifest/validate", "/api/workflow/manifest/validate", "x", 415, []string{"Content-Type", "application/octet-stream"}},
		post("/api/workflow/manifest/validate", "/api/workflow/manifest/validate", strings.Repeat(" ", maxBody+1), 413),
		post("/api/workflow/manifest/plan", "/api/workflow/manifest/plan", goodManifest, 200),
		post("/api/workflow/manifest/plan", "/api/workflow/manifest/plan", strings.Replace(goodManifest, "web.vmdk", "absent.vmdk", 1), 422),
		post("/api/workflow/manifest/plan", "/api/workflow/manifest/plan", `{}`, 400),
		post("/api/workflow/manifest/submit", "/api/workflow/manifest/submit", goodManifest, 200),
		post("/api/workflow/manifest/submit", "/api/workflow/manifest/submit?name=..%2fx", goodManifest, 400),
		post("/api/workflow/manifest/submit", "/api/workflow/manifest/submit", `{"version": "1.0", "pipelin": {}}`, 400),
		{"POST /api/workflow/manifest/submit", "/api/workflow/manifest/submit", "x", 415, []string{"Content-Type", "multipart/form-data; boundary=x"}},
		{"POST /api/workflow/manifest/submit", "/api/workflow/manifest/submit", goodManifest, 415, nil},
		{"POST /api/workflow/manifest/submit", "/api/workflow/manifest/submit", goodManifest, 400, append(slices.Clone(js), "Idempotency-Key", "two words")},
		{"POST /api/workflow/manifest/submit", "/api/workflow/manifest/submit", goodManifest, 200, append(slices.Clone(js), "Idempotency-Key", "k1")},
		{"POST /api/workflow/manifest/submit", "/api/workflow/manifest/submit", goodManifest, 200, append(slices.Clone(js), "Idempotency-Key", "k1")},
		{"POST /api/workflow/manifest/submit", "/api/workflow/manifest/submit", strings.Replace(goodManifest, "web", "db", 1), 422, append(slices.Clone(js), "Idempotency-Key", "k1")},
		post(one+"/retry", "/api/workflow/jobs/"+done+"/retry", "", 409), post(one+"/retry", "/api/workflow/jobs/nothing/retry", "", 404),
		post(one+"/retry", "/api/workflow/jobs/"+failed+"/retry", "{}", 200), post(one+"/retry", "/api/workflow/jobs/"+done+"/retry", `{"now":true}`, 400),
		post(one+"/cancel", "/api/workflow/jobs/"+running+"/cancel", "", 200), post(one+"/cancel", "/api/workflow/jobs/"+done+"/cancel", "", 409),
		post(one+"/release", "/api/workflow/jobs/waiting.vmdk/release", "", 200), post(one+"/priority", "/api/workflow/jobs/waiting.vmdk/priority", `{"priority": 75}`, 200),
		post(one+"/priority", "/api/workflow/jobs/waiting.vmdk/priority", `{"priority": 101}`, 400), post(one+"/priority", "/api/workflow/jobs/nothing/priority", `{"priority": 75}`, 404),
		post("/api/workflow/queue/pause", "/api/workflow/queue/pause", `{"reason": "lunch"}`, 200), post("/api/workflow/queue/pause", "/api/workflow/queue/pause", "", 200),
		post("/api/workflow/queue/pause", "/api/workflow/queue/pause", `{"reason": "a\nb"}`, 400), post("/api/workflow/queue/resume", "/api/workflow/queue/resume", "", 200),
		post("/api/session", "/api/session", `{"token": "`+readToken+`"}`, 200), post("/api/session", "/api/session", `{"token": "no such token"}`, 401),
		post("/api/session", "/api/session", `{"code": "X"}`, 401), post("/api/session", "/api/session", `{"cod": "X"}`, 400), post("/api/session", "/api/session", `[]`, 400),
		{"DELETE /api/session", "/api/session", "", 204, nil},
	}
}

// TestAnswersKeepTheContract sends requests of every kind to every route, and holds each answer against openapi.yaml.
func TestAnswersKeepTheContract(t *testing.T) {
	c := readContract(t)
	s := newSite(t)
	seen := map[string]bool{"GET /api/workflow/events": true} // of TestEvents
	for _, e := range s.exchanges() {
		seen[e.pattern] = true
		method, _, _ := strings.Cut(e.pattern, " ")
		resp := s.call(t, method, e.path, fullToken, e.body, e.headers...)
		body := c.check(t, e.pattern, resp)
		if resp.StatusCode != e.status {
			t.Errorf("%s %s %.80s: %d, want %d: %.400s", method, e.path, e.body, resp.StatusCode, e.status, body)
		}
	}
	for _, rt := range s.server.list() {
		if !seen[rt.pattern] {
			t.Errorf("%s is not tried", rt.pattern)
		}
		method, path := pathOf(rt.pattern)
		path = strings.NewReplacer("{id}", "x", "{name}", "x.json", "{path}", "").Replace(path)
		if rt.role > nobody { // what every route answers in the same way
			resp := s.call(t, strings.ToUpper(method), path, "", "")
			c.check(t, rt.pattern, resp)
		}
		if rt.role > reader {
			resp := s.call(t, strings.ToUpper(method), path, readToken, "")
			c.check(t, rt.pattern, resp)
		}
		resp := s.call(t, strings.ToUpper(method), path, fullToken, "", "Sec-Fetch-Site", "cross-site")
		c.check(t, rt.pattern, resp)
	}
}
