package daemon

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
)

// conduct is how a simulated child behaves.
type conduct int

const (
	goesWell conduct = iota
	fails
	crashes      // ends without a result
	hangs        // says nothing more until it is ended
	hangsOn      // the same, and does not mind SIGTERM
	talksRubbish // something that is no message
	lingers      // gives its result and does not end
	conducts     // how many there are
)

// simChild plays the process of a job in the time of a bubble.
type simChild struct {
	m       *sim
	life    *lifetime // of the daemon that started it
	rnd     *rand.Rand
	how     conduct
	in, out *simPipe
	lines   *bufio.Reader
	tell    *sender
	lock    int
	req     convert.Request

	term, kill, left, done chan struct{}
	termOnce, killOnce     sync.Once
}

// play starts a child; it is the Spawner of the simulation.
func (l *lifetime) play(lock *os.File, _ string) (player, error) {
	if l.dead.Load() {
		return player{}, errCut
	}
	fd, err := syscall.Dup(int(lock.Fd()))
	if err != nil {
		return player{}, err
	}
	c := &simChild{
		m: l.m, life: l, in: newSimPipe(), out: newSimPipe(), lock: fd,
		term: make(chan struct{}), kill: make(chan struct{}), left: make(chan struct{}), done: make(chan struct{}),
	}
	c.lines, c.tell = bufio.NewReader(c.in), &sender{w: c.out}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.m.born++
	c.rnd = rand.New(rand.NewPCG(l.m.seed, l.m.born))
	if !l.m.tame && c.rnd.IntN(3) == 0 {
		c.how = conduct(c.rnd.IntN(int(conducts)))
	}
	l.children[c] = true
	go c.live()
	return player{process: c, stdin: c.in, stdout: c.out}, nil
}

// signal reaches a child as long as its daemon lives.
func (c *simChild) signal(sig syscall.Signal) {
	switch {
	case c.life.dead.Load():
	case sig == syscall.SIGKILL:
		c.end()
	case c.how != hangsOn:
		c.termOnce.Do(func() { close(c.term); _ = c.in.Close() })
	}
}

// end ends it by force: from here on it has nothing of what it had.
func (c *simChild) end() {
	c.killOnce.Do(func() {
		c.m.took(c, 0)
		c.m.reserved(c, 0)
		close(c.kill)
		_ = c.in.Close()
		_ = c.out.Close()
	})
}

// leave is what the death of the daemon does to it: both pipes have no other end any more.
func (c *simChild) leave() {
	close(c.left)
	_ = c.in.Close()
	_ = c.out.Close()
}

func (c *simChild) wait() error {
	select {
	case <-c.done:
	case <-c.left:
	}
	return nil
}

// nap lets time go by; it says false when the child is to end.
func (c *simChild) nap(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.kill:
		return false
	case <-c.in.closed:
	}
	if c.how == hangsOn { // deep in a system call; after the death of its daemon it comes back from there some time
		select {
		case <-t.C:
		case <-c.kill:
		case <-c.left:
			time.Sleep(time.Duration(c.rnd.Int64N(int64(time.Minute))))
		}
	}
	return false
}

func (c *simChild) live() {
	defer func() {
		c.m.exited(c)
		_ = c.out.Close()
		_ = c.in.Close()
		_ = syscall.Close(c.lock)
		close(c.done)
	}()
	line, err := c.lines.ReadBytes('\n')
	if err != nil {
		return
	}
	m, err := parseMessage(line)
	if err != nil || m.Request == nil {
		return
	}
	c.req = *m.Request
	c.m.runs(c)
	if failure := c.work(); failure != nil {
		if errors.Is(failure, errCut) {
			return
		}
		f := convert.Failure("convert", failure)
		c.result(&f)
	}
}

func (c *simChild) result(failure *manifest.Failure) {
	_ = c.tell.send(message{Type: msgResult, Report: &manifest.Report{Name: c.req.Job.Name}, Failure: failure})
}

// work does what a job does. errCut: it ends without a word.
func (c *simChild) work() error {
	at := c.rnd.IntN(5)
	for n, stage := range []string{"load", "inspect", "fix", "convert", "validate"} {
		_ = c.tell.send(message{Type: msgStage, Stage: stage, Index: n + 1, Count: 5, Status: stageStart})
		if n == at {
			switch c.how {
			case crashes:
				return errCut
			case hangs, hangsOn:
				c.nap(time.Hour)
				return errCut
			case talksRubbish:
				_, _ = c.out.Write([]byte("no message\n"))
				c.nap(time.Hour)
				return errCut
			case fails:
				return errors.New("the image is broken")
			}
		}
		if !c.nap(time.Duration(c.rnd.Int64N(int64(8 * time.Second)))) {
			return c.ended()
		}
		var err error
		switch stage {
		case "load":
			err = c.reserve()
		case "fix":
			err = c.appliance()
		case "convert":
			_ = c.tell.send(message{Type: msgProgress, Stage: stage, Done: 1, Total: 2})
			err = os.WriteFile(filepath.Join(c.req.Partial, "disk"), []byte("image "+c.req.ID), 0o600)
		case "validate":
			_, err = c.ask(message{Type: msgPlace, Name: c.req.Job.Name})
		}
		if err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(c.req.Partial, "report.json"), []byte(`{"id":"`+c.req.ID+`"}`), 0o600); err != nil {
		return err
	}
	c.result(nil)
	if c.how == lingers {
		c.nap(time.Hour)
	}
	return errCut // it has said all
}

// ended is what a job says that was told to end: one that was killed, or whose daemon is gone, nothing.
func (c *simChild) ended() error {
	select {
	case <-c.kill:
		return errCut
	case <-c.left:
		return errCut
	default:
		return &convert.CodedError{Code: manifest.CodeJobCancelled, Err: errors.New("told to end")}
	}
}

func (c *simChild) ask(m message) (message, error) {
	if err := c.tell.send(m); err != nil {
		return message{}, errCut
	}
	line, err := c.lines.ReadBytes('\n')
	if err != nil {
		return message{}, c.ended()
	}
	a, err := parseMessage(line)
	if err == nil && a.Type == msgDenied {
		err = &convert.CodedError{Code: a.Denied.Code, Err: errors.New(a.Denied.Message)}
	}
	return a, err
}

// reserve asks for space, mostly for little.
func (c *simChild) reserve() error {
	need := int64(50 + c.rnd.IntN(simFree/2))
	_, err := c.ask(message{Type: msgReserve, Needs: []convert.SpaceNeed{{Dir: c.req.Partial, Bytes: need}}})
	if err == nil {
		c.m.reserved(c, need)
	}
	return err
}

// appliance asks for memory and gives it back.
func (c *simChild) appliance() error {
	if c.rnd.IntN(2) == 0 {
		return nil
	}
	mib := 100 + c.rnd.Int64N(2*simMemory)
	if _, err := c.ask(message{Type: msgAdmit, MiB: mib}); err != nil {
		return err
	}
	c.m.took(c, min(mib, simMemory))
	if !c.nap(time.Duration(c.rnd.Int64N(int64(10 * time.Second)))) {
		return c.ended()
	}
	c.m.took(c, 0)
	return c.tell.send(message{Type: msgAdmit})
}

// The simulation's host: so much is there for all jobs together.
const (
	simMemory = 1000 // MiB
	simFree   = 1000 // bytes
)
