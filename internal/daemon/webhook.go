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
	"net/url"
	"slices"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// Webhook says who hears of jobs that end. It comes from the daemon's configuration and never from a manifest.
type Webhook struct {
	URL    string   // https, or http of this machine; "" = nobody
	Events []string // some of the Event constants; none = all
	Secret []byte   // signs the calls; none = they are not signed
}

// The events that a webhook hears of. A stalled job has failed too: who does not listen for stalls hears of a failure.
const (
	EventSuccess = "success"
	EventFailure = "failure"
	EventStall   = "stall"
)

// The headers of a call. The signature is sha256= and the HMAC of the body under the secret, in hexadecimal digits; the delivery
// is the same in every try of one call.
const (
	headerEvent     = "X-Hyper2kvm-Event"
	headerDelivery  = "X-Hyper2kvm-Delivery"
	headerSignature = "X-Hyper2kvm-Signature"
)

// Limits of a webhook.
const (
	webhookWaiting = 256              // calls that wait; beyond, the newest is dropped: the records are still on the disk
	webhookTries   = 8                // of one call, over some two minutes
	webhookFirst   = time.Second      // before the second try; doubled for each further one
	webhookTime    = 15 * time.Second // for one try
	webhookLast    = 5 * time.Second  // for all that waits when the daemon stops
	webhookBody    = 64 << 10         // bytes; a longer record is cut to what says how the job went
	webhookAnswer  = 4 << 10          // bytes that are read of an answer, to use the connection again
)

// webhook tells an address of jobs that ended, one call at a time and in order. No job ever waits for it.
type webhook struct {
	settings func() Webhook
	agent    string
	client   *http.Client
	log      *slog.Logger
	waiting  chan call
}

// call is what an address is told once.
type call struct {
	event, delivery string
	body            []byte
}

func newWebhook(settings func() Webhook, version string, transport http.RoundTripper, log *slog.Logger) *webhook {
	return &webhook{
		settings: settings, agent: "hyper2kvmd/" + version, log: log, waiting: make(chan call, webhookWaiting),
		client: &http.Client{
			Transport: transport, Timeout: webhookTime,
			// What is told goes where the configuration says and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ended hears of a job that ended and puts the call in line. It never waits.
func (w *webhook) ended(r queue.Record) {
	s := w.settings()
	if s.URL == "" || len(r.Final) == 0 || r.Terminal == queue.DirDone && r.Kind == kindBatch {
		return // a batch that was split is no job that went well: its parts are still to come
	}
	c, err := newCall(s, r)
	if err != nil {
		w.log.Error("a webhook call cannot be made", "job", r.ID, "error", err)
		return
	}
	if c.event == "" {
		return
	}
	select {
	case w.waiting <- c:
	default:
		w.log.Warn("a webhook call is dropped: too many wait", "job", r.ID, "event", c.event, "waiting", webhookWaiting)
	}
}

// kindBatch is the kind of an entry that was split into jobs.
const kindBatch = "batch"

// newCall makes the call for a record; its event is "" when nobody wants to hear of it.
func newCall(s Webhook, r queue.Record) (call, error) {
	wants := func(event string) bool { return len(s.Events) == 0 || slices.Contains(s.Events, event) }
	var body map[string]json.RawMessage
	if err := json.Unmarshal(r.Final, &body); err != nil {
		return call{}, fmt.Errorf("record of %s: %w", r.ID, err)
	}
	event := EventSuccess
	if r.Terminal == queue.DirFailed {
		event = EventFailure
		if string(body["code"]) == `"`+manifest.CodeJobStalled+`"` && wants(EventStall) {
			event = EventStall
		}
	}
	if !wants(event) {
		return call{}, nil
	}
	c := call{event: event, delivery: r.ID + "-" + event}
	if len(r.Final) > webhookBody {
		for key := range body {
			if !slices.Contains(essential, key) || len(body[key]) > webhookBody/len(essential) {
				delete(body, key)
			}
		}
	}
	body["event"], body["delivery"] = quoted(event), quoted(c.delivery)
	var err error
	c.body, err = json.Marshal(body)
	return c, err
}

// essential are the fields of a record that a call keeps however long the record is.
var essential = []string{
	"schema", "id", "job_id", "original_name", "kind", "status", "code", "stage", "error", "hint", "retryable", "completed_at", "failed_at", "queued_at",
	"started_at", "output_dir", "name", "seconds",
}

func quoted(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string always can be
	return b
}

// run makes the calls until ctx ends, then tries once more for each that is left, for a moment.
func (w *webhook) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			w.finish(nil)
			return
		case c := <-w.waiting:
			if !w.deliver(ctx, c) {
				w.finish(&c)
				return
			}
		}
	}
}

// finish makes the calls that are left, first the one that was under way. What does not get through is said and lost.
func (w *webhook) finish(first *call) {
	ctx, cancel := context.WithTimeout(context.Background(), webhookLast)
	defer cancel()
	lost := 0
	try := func(c call) {
		if err := w.try(ctx, c); err != nil {
			lost++
		}
	}
	if first != nil {
		try(*first)
	}
	for {
		select {
		case c := <-w.waiting:
			try(c)
		default:
			if lost > 0 {
				w.log.Warn("webhook calls are lost: the daemon stops", "calls", lost)
			}
			return
		}
	}
}

// deliver makes one call, again and again where that may help. It says false when ctx ended before it was done with.
func (w *webhook) deliver(ctx context.Context, c call) bool {
	wait := webhookFirst
	for n := 1; ; n++ {
		err := w.try(ctx, c)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case n == webhookTries || errors.Is(err, errFinal):
			w.log.Error("a webhook call is given up", "delivery", c.delivery, "tries", n, "error", err)
			return true
		}
		w.log.Warn("a webhook call did not get through", "delivery", c.delivery, "tries", n, "again_in", wait, "error", err)
		if !pause(ctx, wait) {
			return false
		}
		wait *= 2
	}
}

// errFinal says that trying again is of no use.
var errFinal = errors.New("the webhook refuses it")

// try makes one call. Its errors never hold the address, which may be a secret.
func (w *webhook) try(ctx context.Context, c call) error {
	s := w.settings()
	if s.URL == "" {
		return nil // a reload took it away
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(c.body))
	if err != nil {
		return fmt.Errorf("%w: the address cannot be used", errFinal)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", w.agent)
	req.Header.Set(headerEvent, c.event)
	req.Header.Set(headerDelivery, c.delivery)
	if len(s.Secret) > 0 {
		mac := hmac.New(sha256.New, s.Secret)
		mac.Write(c.body)
		req.Header.Set(headerSignature, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, webhookAnswer) // what it says beyond its status is of no interest
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return fmt.Errorf("it answers %d %s", code, http.StatusText(code))
	default:
		return fmt.Errorf("%w: it answers %d %s", errFinal, code, http.StatusText(code))
	}
}
