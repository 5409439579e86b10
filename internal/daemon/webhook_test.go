package daemon

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// post is a call as a server sees it.
type post struct {
	header http.Header
	body   []byte
}

// answers plays a server: it answers in turn with these codes, 0 being a connection that breaks, then 200.
type answers struct {
	codes []int

	mu  sync.Mutex
	got []post
	at  []time.Time
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got, a.at = append(a.got, post{r.Header, b}), append(a.at, time.Now())
	code := http.StatusOK
	if n := len(a.got) - 1; n < len(a.codes) {
		code = a.codes[n]
	}
	if code == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: code, Body: http.NoBody, Request: r}, nil
}

func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.got)
}

// endedRecord is the record of a job as the queue hands it over.
func endedRecord(terminal, final string) queue.Record {
	return queue.Record{ID: "01J", Kind: "disk", Terminal: terminal, Final: json.RawMessage(final)}
}

const doneRecord = `{"schema":1,"id":"01J","status":"success","output_dir":"/out/x"}`

func hook(s Webhook, transport http.RoundTripper, log io.Writer) *webhook {
	return newWebhook(func() Webhook { return s }, "1.2", transport, slog.New(slog.NewTextHandler(log, nil)))
}

func TestWebhookEvents(t *testing.T) {
	stalled := `{"code":"` + manifest.CodeJobStalled + `"}`
	tests := []struct {
		events []string
		record queue.Record
		want   string
	}{
		{nil, endedRecord(queue.DirDone, doneRecord), EventSuccess},
		{nil, endedRecord(queue.DirFailed, `{"code":"H2K-SRC-001"}`), EventFailure},
		{nil, endedRecord(queue.DirFailed, stalled), EventStall},
		{[]string{EventFailure}, endedRecord(queue.DirFailed, stalled), EventFailure},
		{[]string{EventStall}, endedRecord(queue.DirFailed, `{"code":"H2K-SRC-001"}`), ""},
		{[]string{EventStall, EventFailure}, endedRecord(queue.DirDone, doneRecord), ""},
		{[]string{EventSuccess}, endedRecord(queue.DirFailed, stalled), ""},
	}
	for _, tt := range tests {
		c, err := newCall(Webhook{Events: tt.events}, tt.record)
		if err != nil || c.event != tt.want {
			t.Errorf("%v, %s: %q, want %q (%v)", tt.events, tt.record.Final, c.event, tt.want, err)
		}
	}
	w := hook(Webhook{URL: "https://x"}, nil, io.Discard)
	batch := endedRecord(queue.DirDone, doneRecord)
	batch.Kind = kindBatch
	w.ended(batch)
	w.ended(endedRecord(queue.DirDone, ""))
	if len(w.waiting) != 0 {
		t.Error("a batch that was split, or a job without a record, is told as a success")
	}
}

// TestWebhookCall: what a server gets, over a real connection.
func TestWebhookCall(t *testing.T) {
	got := make(chan post, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- post{r.Header, b}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect) // is not followed
	}))
	defer server.Close()
	secret := []byte("a secret that is long enough")
	var log bytes.Buffer
	w := hook(Webhook{URL: server.URL + "/hook?key=s3cret", Secret: secret}, nil, &log)
	w.ended(endedRecord(queue.DirDone, doneRecord))
	if !w.deliver(t.Context(), <-w.waiting) {
		t.Fatal("not done with")
	}
	p := <-got
	var body map[string]any
	if err := json.Unmarshal(p.body, &body); err != nil {
		t.Fatal(err)
	}
	if body["event"] != "success" || body["delivery"] != "01J-success" || body["output_dir"] != "/out/x" || body["id"] != "01J" {
		t.Errorf("body %s", p.body)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(p.body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); p.header.Get("X-Hyper2kvm-Signature") != want {
		t.Errorf("signature %q, want %q", p.header.Get("X-Hyper2kvm-Signature"), want)
	}
	if p.header.Get("Content-Type") != "application/json" || p.header.Get("X-Hyper2kvm-Event") != "success" ||
		p.header.Get("X-Hyper2kvm-Delivery") != "01J-success" || p.header.Get("User-Agent") != "hyper2kvmd/1.2" {
		t.Errorf("headers %v", p.header)
	}
	if len(got) > 0 {
		t.Error("the redirect was followed")
	}
	if strings.Contains(log.String(), "s3cret") || strings.Contains(string(p.body), "s3cret") {
		t.Errorf("the address is told: %s", log.String())
	}
}

// TestWebhookRetries: what may pass is tried again, ever later; what never will is not.
func TestWebhookRetries(t *testing.T) {
	tests := []struct {
		codes []int
		tries int
	}{
		{nil, 1},
		{[]int{0, 503, 429}, 4},
		{[]int{404}, 1},
		{[]int{302}, 1},
		{[]int{500, 500, 500, 500, 500, 500, 500, 500, 500}, webhookTries},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.codes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{codes: tt.codes}
				w := hook(Webhook{URL: "https://x.invalid"}, a, io.Discard)
				ctx, cancel := context.WithCancel(t.Context())
				go w.run(ctx)
				w.ended(endedRecord(queue.DirDone, doneRecord))
				time.Sleep(10 * time.Minute) // of the bubble's clock
				if a.count() != tt.tries {
					t.Errorf("%d tries, want %d", a.count(), tt.tries)
				}
				for i := 2; i < len(a.at); i++ {
					if a.at[i].Sub(a.at[i-1]) <= a.at[i-1].Sub(a.at[i-2]) {
						t.Errorf("tries at %v: the waits do not grow", a.at)
					}
				}
				w.ended(endedRecord(queue.DirFailed, `{"code":"H2K-SRC-001"}`)) // the line goes on
				synctest.Wait()
				if a.count() != tt.tries+1 {
					t.Error("the next call does not get through")
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// TestWebhookNeverBlocks: with a server that never answers, jobs end as fast as ever, memory is bounded, and the daemon stops soon.
func TestWebhookNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := hook(Webhook{URL: "https://x.invalid"}, silent{}, &log)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.run(ctx); close(done) }()
		before := time.Now()
		for range 10 * webhookWaiting {
			w.ended(endedRecord(queue.DirDone, doneRecord))
		}
		if took := time.Since(before); took > 0 {
			t.Errorf("telling took %s", took)
		}
		if len(w.waiting) > webhookWaiting {
			t.Errorf("%d calls wait", len(w.waiting))
		}
		cancel()
		<-done
		if took := time.Since(before); took > 2*webhookLast {
			t.Errorf("the end took %s", took)
		}
		for _, want := range []string{"is dropped", "calls are lost"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q", want)
			}
		}
	})
}

// silent is a server that never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: r.Context().Err()}
}

// TestWebhookCutsLongRecords: how the job went is told whatever else is in the record.
func TestWebhookCutsLongRecords(t *testing.T) {
	long := `{"id":"01J","code":"H2K-SRC-001","error":"` + strings.Repeat("x", 100) + `","hint":"` + strings.Repeat("y", webhookBody) + `","stages":["` +
		strings.Repeat("z", webhookBody) + `"]}`
	c, err := newCall(Webhook{}, endedRecord(queue.DirFailed, long))
	if err != nil || len(c.body) > webhookBody || !bytes.Contains(c.body, []byte(`"code":"H2K-SRC-001"`)) || !bytes.Contains(c.body, []byte("xxx")) ||
		bytes.Contains(c.body, []byte("zzz")) || bytes.Contains(c.body, []byte("yyy")) {
		t.Errorf("%d bytes: %.300s (%v)", len(c.body), c.body, err)
	}
}

// TestJobsAreTold: the daemon tells of the jobs that it ran, stopped ones among them.
func TestJobsAreTold(t *testing.T) {
	w := newWorld(t)
	w.settings.Webhook = Webhook{URL: "https://x.invalid"}
	w.drop("ok-a.img", "a")
	w.drop("fail-b.img", "b")
	a := &answers{}
	d := w.daemon()
	d.webhook.client.Transport = a
	w.once(d)
	events := map[string]int{}
	for _, p := range a.got {
		events[p.header.Get(headerEvent)]++
	}
	if len(events) != 2 || events[EventSuccess] != 1 || events[EventFailure] != 1 {
		t.Errorf("told of %v", events)
	}
}
