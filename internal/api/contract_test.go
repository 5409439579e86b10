package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// contractFile is openapi.yaml, ready to hold answers against.
type contractFile struct {
	doc *openapi3.T
}

// readContract reads openapi.yaml, which must be right itself.
func readContract(tb testing.TB) contractFile {
	tb.Helper()
	l := openapi3.NewLoader()
	doc, err := l.LoadFromData(contract)
	must(tb, err)
	must(tb, doc.Validate(l.Context))
	return contractFile{doc}
}

// operation is what the contract says of a pattern of the list.
func (c contractFile) operation(pattern string) (*openapi3.PathItem, *openapi3.Operation) {
	method, path := pathOf(pattern)
	item := c.doc.Paths.Value(path)
	if item == nil {
		return nil, nil
	}
	return item, item.GetOperation(strings.ToUpper(method))
}

// pathOf is the path of the contract for a pattern of the list.
func pathOf(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return strings.ToLower(method), strings.NewReplacer("{$}", "", "...}", "}").Replace(path)
}

// check holds an answer to a pattern against the contract. It returns the body.
func (c contractFile) check(tb testing.TB, pattern string, resp *got) string {
	tb.Helper()
	body, err := c.wrong(pattern, resp)
	if err != nil {
		tb.Errorf("%s -> %d %.300q: %v", pattern, resp.StatusCode, body, err)
	}
	return body
}

// wrong says what of an answer is not in the contract.
func (c contractFile) wrong(pattern string, resp *got) (string, error) {
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	item, op := c.operation(pattern)
	if op == nil {
		return string(b), errors.New("the contract does not know the route")
	}
	method, path := pathOf(pattern)
	r, err := http.NewRequestWithContext(context.Background(), strings.ToUpper(method), "http://127.0.0.1/", nil)
	if err != nil {
		return string(b), err
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.EnableFormatValidation()}}
	status := op.Responses.Status(resp.StatusCode)
	if status != nil && len(status.Value.Content) == 0 && len(b) > 0 && resp.StatusCode != http.StatusSeeOther {
		return string(b), errors.New("the contract knows of no body")
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); status != nil && !strings.HasSuffix(kind, "json") {
		if len(status.Value.Content) > 0 && status.Value.Content.Get(kind) == nil {
			return string(b), fmt.Errorf("the contract does not know the type %q here", kind)
		}
		options.ExcludeResponseBody = true // what is no JSON has no schema
	}
	return string(b), openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r, Route: &routers.Route{Spec: c.doc, Path: path, PathItem: item, Method: r.Method, Operation: op},
		},
		Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(b)), Options: options,
	})
}

// TestContractRefuses: an answer that is not in the contract is found.
func TestContractRefuses(t *testing.T) {
	c := readContract(t)
	s := newSite(t)
	good := text(t, s.call(t, "GET", "/api/workflow/status", readToken, ""))
	js := http.Header{"Content-Type": {"application/json"}}
	for name, tt := range map[string]struct {
		pattern string
		resp    got
		wrong   bool
	}{
		"the answer itself": {"GET /api/workflow/status", got{200, js, strings.NewReader(good)}, false},
		"a missing field":   {"GET /api/workflow/status", got{200, js, strings.NewReader(strings.Replace(good, `"mode"`, `"mood"`, 1))}, true},
		"another type":      {"GET /api/workflow/status", got{200, js, strings.NewReader(strings.Replace(good, `"mode":"disk"`, `"mode":7`, 1))}, true},
		"no time":           {"GET /api/workflow/status", got{200, js, strings.NewReader(regexp.MustCompile(`"started_at":"[^"]*"`).ReplaceAllString(good, `"started_at":"noon"`))}, true},
		"no JSON":           {"GET /api/workflow/status", got{200, js, strings.NewReader("ok")}, true},
		"another status":    {"GET /api/workflow/status", got{418, js, strings.NewReader(good)}, true},
		"a media type":      {"GET /api/workflow/status", got{200, http.Header{"Content-Type": {"text/html"}}, strings.NewReader(good)}, true},
		"a route":           {"GET /api/workflow/elsewhere", got{200, js, strings.NewReader(good)}, true},
		"a body":            {"DELETE /api/session", got{204, js, strings.NewReader("{}")}, true},
	} {
		if _, err := c.wrong(tt.pattern, &tt.resp); (err != nil) != tt.wrong {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestContractHasEveryRoute: the list and the contract name the same routes, with the same roles.
func TestContractHasEveryRoute(t *testing.T) {
	c := readContract(t)
	roles := map[role]string{nobody: "none", reader: "read", writer: "full"}
	s := newSite(t)
	known := map[string]bool{}
	for _, rt := range s.server.list() {
		method, path := pathOf(rt.pattern)
		known[strings.ToUpper(method)+" "+path] = true
		if _, op := c.operation(rt.pattern); op == nil || op.Extensions["x-role"] != roles[rt.role] {
			t.Errorf("%s: the contract does not say that the role is %q: %+v", rt.pattern, roles[rt.role], op)
		}
	}
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
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
