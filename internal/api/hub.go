package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

// Times and limits of events.
const (
	beatRest   = 250 * time.Millisecond // between two looks: progress is published twice a second
	linger     = time.Minute            // how long the directory is watched after the last client, so that it can come back
	ringSize   = 1024                   // events that are kept for clients that come back
	clientSize = 128                    // events that a client may be behind before it is cut off
	maxClients = 512
)

// frame is one event as it goes to every client: made once, never changed.
type frame struct {
	seq  uint64
	text []byte
}

// hub looks at the directory for all clients at once and tells them what changed. A client that does not keep up is cut off and
// comes back with the id of its last event, from which it goes on.
type hub struct {
	dir    *jobs.Dir
	now    func() time.Time
	closed chan struct{}

	mu      sync.Mutex
	epoch   string // of the ids: another one after a time in which nobody looked
	seq     uint64
	ring    []frame
	clients map[*client]bool
	left    time.Time // when the last client went
	wake    chan struct{}
	state   beatState
}

// client is one event stream.
type client struct {
	frames chan frame // closed when the client is cut off
}

// beatState is what was told last.
type beatState struct {
	mark    int64
	change  uint64
	status  string                // as it is compared
	told    string                // as it was told
	running map[string]runningJob // by id
	known   bool
}

// runningJob is what was told of a job, and what changes when there is something new to tell.
type runningJob struct{ stamp, text string }

func newHub(dir *jobs.Dir, now func() time.Time) *hub {
	return &hub{
		dir: dir, now: now, closed: make(chan struct{}), clients: map[*client]bool{}, wake: make(chan struct{}, 1),
		epoch: strconv.FormatInt(now().UnixNano(), 36),
	}
}

// run watches until the context ends.
func (h *hub) run(ctx context.Context) {
	defer h.shut()
	wake := h.dir.Wake(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-h.wake:
		}
		if h.idle() {
			continue
		}
		h.beat(ctx)
		rest := time.NewTimer(beatRest)
		select {
		case <-ctx.Done():
			rest.Stop()
			return
		case <-rest.C:
		}
	}
}

// idle says whether nobody listens and nobody will come back. What was told then is no longer the truth.
func (h *hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) > 0 || h.now().Sub(h.left) < linger {
		return false
	}
	if h.state.known {
		h.state, h.ring = beatState{}, nil
		h.epoch = strconv.FormatInt(h.now().UnixNano(), 36)
	}
	return true
}

func (h *hub) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.closed)
	for c := range h.clients {
		close(c.frames)
	}
	clear(h.clients)
}

// beat looks once and tells what is new.
func (h *hub) beat(ctx context.Context) {
	h.mu.Lock()
	was := h.state
	h.mu.Unlock()
	mark := was.mark
	if !was.known {
		mark = h.now().UnixNano()
	}
	b, mark, err := h.dir.Beat(ctx, mark)
	if err != nil {
		return // the next look may do better; clients see no heartbeat of the daemon meanwhile
	}
	is := beatState{mark: mark, change: b.Change, running: map[string]runningJob{}, known: true}
	h.mu.Lock()
	defer h.mu.Unlock()
	doc := eventStatus(h.dir.Root(), b, h.now())
	is.status, is.told = encode(stable(doc)), was.told
	if is.status != was.status {
		is.told = encode(doc)
		h.send("status", is.told)
	}
	for _, j := range b.Running {
		now := runningJob{stampOf(j), encode(newJobDoc(j, h.now()))}
		is.running[j.ID] = now
		if was.running[j.ID].stamp != now.stamp {
			h.send("job", now.text)
		}
	}
	for _, j := range b.Ended {
		h.send("job", encode(newJobDoc(j, h.now())))
	}
	if was.known && is.change != was.change || b.More {
		h.send("jobs", encode(map[string]any{"counts": b.Tabs}))
	}
	h.state = is
}

// eventStatus is the status as events carry it.
func eventStatus(dir string, b jobs.Beat, now time.Time) statusDoc {
	d := newStatusDoc(dir, b.Status, b.Live, now)
	d.Rate = b.Rate
	return d
}

// stable is a status without what changes all the time, so that nothing is told when nothing happens.
func stable(d statusDoc) statusDoc {
	d.UptimeSeconds, d.HeartbeatAge = 0, nil
	space := make([]queue.Space, len(d.Space))
	for i, sp := range d.Space {
		sp.Free >>= 24 // 16 MiB
		space[i] = sp
	}
	d.Space = space
	return d
}

// stampOf changes whenever something about a running job does.
func stampOf(j queue.Job) string {
	if j.Progress == nil {
		return "started"
	}
	return j.Progress.At.Format(time.RFC3339Nano) + j.Progress.Stage
}

func encode(doc any) string {
	b, err := json.Marshal(doc)
	if err != nil {
		return "{}" // documents hold nothing that cannot be written as JSON
	}
	return string(b)
}

// send puts an event into the ring and hands it to every client. The caller holds mu.
func (h *hub) send(kind, data string) {
	h.seq++
	f := frame{h.seq, h.format(kind, h.seq, data)}
	if len(h.ring) >= ringSize {
		h.ring = h.ring[1:]
	}
	h.ring = append(h.ring, f)
	for c := range h.clients {
		select {
		case c.frames <- f:
		default:
			close(c.frames)
			delete(h.clients, c)
		}
	}
}

func (h *hub) format(kind string, seq uint64, data string) []byte {
	return fmt.Appendf(nil, "id: %s-%d\nevent: %s\ndata: %s\n\n", h.epoch, seq, kind, data)
}

// join adds a client that saw the event with the id last. It returns what the client missed, or, when that is not known any more, a
// reset: then the client reads everything anew.
func (h *hub) join(last string) (*client, []frame, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
		return nil, nil, false
	default:
	}
	if len(h.clients) >= maxClients {
		return nil, nil, false
	}
	c := &client{frames: make(chan frame, clientSize)}
	h.clients[c] = true
	select {
	case h.wake <- struct{}{}:
	default:
	}
	epoch, text, _ := strings.Cut(last, "-")
	seq, err := strconv.ParseUint(text, 10, 64)
	if last == "" {
		return c, h.first(), true
	}
	if err != nil || epoch != h.epoch || seq > h.seq || len(h.ring) > 0 && seq+1 < h.ring[0].seq || len(h.ring) == 0 && seq != h.seq {
		return c, append([]frame{{h.seq, h.format("reset", h.seq, "{}")}}, h.first()...), true
	}
	var missed []frame
	for _, f := range h.ring {
		if f.seq > seq {
			missed = append(missed, f)
		}
	}
	return c, missed, true
}

// first is what a new client gets at once: the last status, if there is one, and what runs.
func (h *hub) first() []frame {
	if h.state.told == "" {
		return nil // the next look tells it
	}
	frames := []frame{{h.seq, h.format("status", h.seq, h.state.told)}}
	for _, j := range h.state.running {
		frames = append(frames, frame{h.seq, h.format("job", h.seq, j.text)})
	}
	return frames
}

func (h *hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
	h.left = h.now()
}

// count is how many clients listen.
func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}
