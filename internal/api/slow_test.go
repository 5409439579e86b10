package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestOnlyLivezWithoutToken: no spelling of a path is answered to somebody without a token, not even by leading him elsewhere.
func TestOnlyLivezWithoutToken(t *testing.T) {
	s := newSite(t)
	web := httptest.NewUnstartedServer(s.server)
	web.Config.DisableGeneralOptionsHandler = true // as hyperctl serve has it
	web.Start()
	t.Cleanup(web.Close)
	host := strings.TrimPrefix(web.URL, "http://")
	for target, want := range map[string]int{
		"GET /livez": 200, "GET /livez?x=1": 200, "GET //livez": 401, "GET /x/../livez": 401, "GET /livez/": 401, "GET /livez/.": 401, "GET /%6civez": 200,
		"GET /": 401, "GET //": 401, "GET /web/dashboard": 401, "GET /api//workflow/status": 401, "GET /api/workflow/./status": 401, "OPTIONS *": 401,
		"GET http://127.0.0.1/api//x": 401, "CONNECT 127.0.0.1:1": 401, "POST /livez": 401, "PUT /api/session": 401, "GET /..": 401, "GET /%2e%2e/x": 401,
		"POST /api//session": 401, "TRACE /api/workflow/status": 401,
	} {
		conn, err := net.Dial("tcp", host)
		must(t, err)
		_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", target)
		must(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		_ = resp.Body.Close() // it was only looked at
		conn.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", target, resp.StatusCode, want)
		}
	}
}

// TestSlowSendersAreCutOff: who promises a body and does not send it holds no connection, whatever he asked for and with which token.
func TestSlowSendersAreCutOff(t *testing.T) {
	s := newSite(t)
	s.server.patience = 200 * time.Millisecond
	web := httptest.NewServer(s.server)
	t.Cleanup(web.Close)
	host := strings.TrimPrefix(web.URL, "http://")
	running := "/api/workflow/jobs/" + s.ids["running.vmdk"]
	for name, head := range map[string]string{
		"wrong host":    "POST /api/workflow/manifest/submit HTTP/1.1\r\nHost: evil.example\r\n",
		"other origin":  "POST /api/workflow/manifest/submit HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n",
		"without token": "POST /api/workflow/manifest/submit HTTP/1.1\r\nHost: localhost\r\n",
		"login":         "POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
		"nothing there": "POST /nothing HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + fullToken + "\r\n",
		"submit":        "POST /api/workflow/manifest/submit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer " + fullToken + "\r\n",
		"livez":         "GET /livez HTTP/1.1\r\nHost: localhost\r\n",
		"two paths":     "GET //livez HTTP/1.1\r\nHost: localhost\r\n",
		"log":           "GET " + running + "/log HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + readToken + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", host)
			must(t, err)
			defer conn.Close()
			must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
			_, err = io.WriteString(conn, head+"Content-Length: 1000\r\n\r\n{")
			must(t, err)
			if _, err := io.Copy(io.Discard, conn); err != nil { // ends when the server closes the connection
				t.Errorf("the connection is still open: %v", err)
			}
		})
	}
}

// TestStreamsOutliveThePatience: what bounds a request does not end the streams that it opened.
func TestStreamsOutliveThePatience(t *testing.T) {
	s := newSite(t)
	s.server.patience = 300 * time.Millisecond
	web := httptest.NewServer(s.server)
	t.Cleanup(web.Close)
	events, _ := listen(t, web.URL, "")
	next(t, events, "status", "")
	r, err := http.NewRequestWithContext(t.Context(), "GET", web.URL+"/api/workflow/jobs/"+s.ids["running.vmdk"]+"/log?follow=1&tail=1", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+readToken)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	log := bufio.NewScanner(resp.Body)
	log.Scan()
	c := s.daemon.Live()[0]
	for begin := time.Now(); time.Since(begin) < 3*s.server.patience; { // each line takes the server half a second to see
		fmt.Fprintln(c.Log(), "more")
		if !log.Scan() || log.Text() != "more" {
			t.Fatalf("the followed log ended with %q: %v", log.Text(), log.Err())
		}
	}
	for range len(events) + 1 {
		select {
		case _, ok := <-events:
			if !ok {
				t.Fatal("the events ended")
			}
		default:
		}
	}
}

// TestSmallLogins: what anybody may send is small.
func TestSmallLogins(t *testing.T) {
	s := newSite(t)
	resp := s.call(t, "POST", "/api/session", "", `{"token": "`+strings.Repeat("x", maxLogin)+`"}`, "Content-Type", "application/json")
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a login of more than %d bytes: %d", maxLogin, resp.StatusCode)
	}
}
