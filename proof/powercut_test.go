package proof_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/proof/cutdisk"
)

// The short form, for every run of the tests; scripts/proof asks for more.
const (
	shortStates = 100 // crash states on each file system
	splitShare  = 5   // a so-many-th of more than that where the output has a disk of its own
	perLife     = 250 // states of one recording at most; then another one is made
	nestedEvery = 8   // of so many recoveries one is cut itself
	cutWorkers  = 6   // much of a recovery is waiting for a flush
)

func contentOf(f file) sum { return sha256.Sum256(f.content) }

// TestPowerCuts runs the real daemon on disks that record every write, and lets it recover from what power cuts leave of them.
func TestPowerCuts(t *testing.T) {
	onlyInProof(t)
	srv := server(t)
	states, seed := setting(t, "PROOF_STATES", shortStates), uint64(setting(t, "PROOF_SEED", 1))
	for _, f := range fileSystems {
		t.Run(f.name, func(t *testing.T) {
			states := states
			if f.split {
				states = min(states, max(shortStates, states/splitShare))
			}
			found := cutPower(t, srv, f, states, seed, "")
			for _, v := range found.violations {
				t.Error(v)
			}
			report(t, finding{Fault: "power cut, " + f.name, States: found.states, Violations: len(found.violations), Note: found.note()})
		})
	}
}

// cuts is what came of trying states.
type cuts struct {
	mu         sync.Mutex
	states     int
	nested     int
	lives      int
	fates      [cutdisk.Fates]int
	violations []string
	limit      int // of violations; then it stops
}

func (c *cuts) note() string {
	return fmt.Sprintf("%d recordings, %v kept/dropped/reordered/torn, %d recoveries cut", c.lives, c.fates, c.nested)
}

func (c *cuts) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.violations) >= c.limit
}

func (c *cuts) violation(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations = append(c.violations, text)
}

// cutPower tries so many states of a file system. A mistake is made by the daemon that is recorded and by the one that recovers.
func cutPower(t *testing.T, srv *cutdisk.Server, f fileSystem, states int, seed uint64, mistake string) *cuts {
	t.Helper()
	found := &cuts{limit: 5}
	if mistake != "" {
		found.limit = 1
	}
	workers := newRigs(t, srv, f, cutWorkers)
	for found.states < states && !found.full() {
		life, err := record1(workers[0], rand.New(rand.NewPCG(seed, uint64(found.lives))), mistake)
		if err != nil {
			if mistake == "" {
				t.Fatalf("record a life (seed %d, %d): %v", seed, found.lives, err)
			}
			found.violation(err.Error())
			break
		}
		found.lives++
		life.tryStates(workers, min(states-found.states, perLife), rand.New(rand.NewPCG(seed, uint64(found.lives)<<32)), mistake, found)
	}
	return found
}

// life is one recorded run of the daemon, from the mount of the disks to its end.
type life struct {
	work *workload
	base []*cutdisk.Image
	ops  []cutdisk.Op
	from int // the first cut: the disks are mounted and the queue is there
}

// record1 runs the daemon through a workload.
func record1(r *rig, rnd *rand.Rand, mistake string) (*life, error) {
	work, err := newWorkload(rnd)
	if err != nil {
		return nil, err
	}
	if err := r.format(); err != nil {
		return nil, err
	}
	if err := r.mount(); err != nil {
		return nil, err
	}
	_, err = once(r, "")
	err = errors.Join(err, os.Mkdir(filepath.Join(r.dirs[0], "stage"), 0o755))
	if err := errors.Join(err, r.unmount()); err != nil {
		return nil, err
	}
	l, journal := &life{work: work, base: r.images()}, &cutdisk.Journal{}
	if err := r.load(l.images(), journal); err != nil {
		return nil, err
	}
	if err := r.mount(); err != nil {
		return nil, err
	}
	l.from = journal.Len()
	err = l.live(r, rnd, journal, mistake)
	l.ops = journal.Ops()
	return l, errors.Join(err, r.unmount())
}

func (l *life) images() []*cutdisk.Image {
	var all []*cutdisk.Image
	for _, m := range l.base {
		all = append(all, m.Clone())
	}
	return all
}

// lifeLimit ends a run in which a job is stuck, which a mistake may be meant to do.
const (
	lifeLimit        = 60 * time.Second
	mistakeLifeLimit = 15 * time.Second
)

// live drops the jobs one after the other while the daemon works, and waits for their ends. Now and then everything is written back,
// as a kernel may at any time.
func (l *life) live(r *rig, rnd *rand.Rand, j *cutdisk.Journal, mistake string) error {
	var log bytes.Buffer
	d := exec.Command(program("hyper2kvmd"), "--config", r.conf)
	d.Env, d.Stdout, d.Stderr = daemonEnv(mistake), &log, &log
	if err := d.Start(); err != nil {
		return err
	}
	stop, watched, submitted := make(chan struct{}), make(chan error, 1), make(chan error, 1)
	left := 0
	go func() {
		var err error
		left, err = l.work.watchEnds(r.w(), j, stop)
		watched <- err
	}()
	pauses := make([]time.Duration, len(l.work.drops))
	for i := range pauses {
		pauses[i] = time.Duration(rnd.IntN(60)) * time.Millisecond
	}
	writeBack := rnd.IntN(2) == 0
	go func() {
		var err error
		for i, drop := range l.work.drops {
			time.Sleep(pauses[i])
			if writeBack && i%2 == 0 {
				syncAll(r)
			}
			if err = drop.submit(filepath.Join(r.w(), "to_be_processed"), filepath.Join(r.dirs[0], "stage"), j); err != nil {
				break
			}
		}
		submitted <- err
	}()
	err := <-submitted
	limit := lifeLimit
	if mistake != "" {
		limit = mistakeLifeLimit
	}
	timeout := time.AfterFunc(limit, func() { close(stop) })
	if err != nil && timeout.Stop() {
		close(stop)
	}
	err = errors.Join(err, <-watched)
	timeout.Stop()
	_ = d.Process.Signal(syscall.SIGTERM)
	err = errors.Join(err, d.Wait())
	if left > 0 {
		err = errors.Join(err, fmt.Errorf("%d files did not reach their end", left))
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, log.String())
	}
	return nil
}

// syncAll is the kernel that writes back.
func syncAll(r *rig) {
	for _, dir := range r.dirs {
		if d, err := os.Open(dir); err == nil {
			_ = unix.Syncfs(int(d.Fd()))
			d.Close()
		}
	}
}

func daemonEnv(mistake string) []string { return append(os.Environ(), "H2K_MISTAKE="+mistake) }

// onceLimit ends a recovery that hangs.
const onceLimit = 60 * time.Second

// once lets the daemon recover and do all that it can. That a job failed is not an error.
func once(r *rig, mistake string) (said string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), onceLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program("hyper2kvmd"), "--config", r.conf, "--once")
	cmd.Env = daemonEnv(mistake)
	hung := ""
	cmd.Cancel = func() error {
		hung = standstill(cmd.Process.Pid)
		return cmd.Process.Signal(syscall.SIGQUIT) // then it says where it hangs itself
	}
	cmd.WaitDelay = onceLimit
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 6 {
		err = nil
	}
	if err != nil {
		return "", fmt.Errorf("the daemon does not recover: %w\n%s\n%s", err, out, hung)
	}
	return string(out), nil
}

// state is one thing that a power cut may leave.
type state struct {
	disks  []*cutdisk.Image
	marks  []any
	label  string
	nested bool
	seed   uint64
}

// tryStates samples cuts of a life and has them recovered.
func (l *life) tryStates(workers []*rig, n int, rnd *rand.Rand, mistake string, found *cuts) {
	cutsAt := make([]int, n)
	for i := range cutsAt {
		cutsAt[i] = l.from + rnd.IntN(len(l.ops)-l.from+1)
	}
	slices.Sort(cutsAt)
	todo := make(chan state)
	var wg sync.WaitGroup
	for _, r := range workers {
		wg.Go(func() {
			if err := ownMounts(r.srv); err != nil {
				found.violation(err.Error())
			}
			for st := range todo {
				if found.full() {
					continue
				}
				if err := l.try(r, st, mistake, found); err != nil {
					found.violation(st.label + ": " + err.Error())
				}
			}
		})
	}
	replay := cutdisk.NewReplay(l.base, l.ops, workers[0].fs.sector)
	for i, at := range cutsAt {
		if found.full() {
			break
		}
		fate := cutdisk.Fate(i % int(cutdisk.Fates))
		disks, marks, unflushed := replay.Cut(at, fate, rnd)
		label := fmt.Sprintf("recording %d, cut before %d of %d, %d unflushed writes %s", found.lives, at, len(l.ops), unflushed, fate)
		found.mu.Lock()
		found.states++
		found.fates[fate]++
		found.mu.Unlock()
		todo <- state{disks, marks, label, i%nestedEvery == nestedEvery-1, rnd.Uint64()}
	}
	close(todo)
	wg.Wait()
}

// try recovers one state. In a nested one the power goes again while the daemon recovers, and the second recovery counts.
func (l *life) try(r *rig, st state, mistake string, found *cuts) error {
	var journal *cutdisk.Journal
	base := st.disks
	if st.nested {
		journal = &cutdisk.Journal{}
		st.disks = nil
		for _, m := range base {
			st.disks = append(st.disks, m.Clone())
		}
	}
	if err := l.recoverOnce(r, st, journal, mistake); err != nil || !st.nested {
		return err
	}
	ops := journal.Ops()
	rnd := rand.New(rand.NewPCG(st.seed, 0))
	fate := cutdisk.Fate(rnd.IntN(int(cutdisk.Fates)))
	at := rnd.IntN(len(ops) + 1)
	disks, _, _ := cutdisk.NewReplay(base, ops, r.fs.sector).Cut(at, fate, rnd)
	found.mu.Lock()
	found.states++
	found.nested++
	found.mu.Unlock()
	if err := l.recoverOnce(r, state{disks: disks, marks: st.marks}, nil, mistake); err != nil {
		return fmt.Errorf("then before %d of %d of its recovery, %s: %w", at, len(ops), fate, err)
	}
	return nil
}

func (l *life) recoverOnce(r *rig, st state, j *cutdisk.Journal, mistake string) error {
	if err := r.load(st.disks, j); err != nil {
		return err
	}
	if err := r.mount(); err != nil {
		return err
	}
	err := l.work.checkCut(r, st.marks)
	if err == nil {
		var said string
		if said, err = once(r, mistake); err == nil {
			err = l.work.checkRecovered(r, st.marks)
		}
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, said)
		}
	}
	if err != nil {
		out, _ := exec.Command("find", append(slices.Clone(r.dirs), "-type", "f", "-printf", "%P %s %i\n")...).Output()
		err = fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(out)))
	}
	return errors.Join(err, r.unmount())
}
