package proof_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The soak's measure: how many jobs, and how many of a hundred are bad.
const (
	soakJobs     = 1000
	soakBad      = 5
	soakAhead    = 25 // jobs that stand in the queue at most
	fdSlack      = 16 // descriptors that a daemon may have more of at the end than in its first minute
	memorySlack  = 64 << 20
	soakEndLimit = 5 * time.Minute
)

// TestSoak keeps a daemon busy while it and its children are killed every few seconds, and accounts for every job at the end. In its
// first half everything is killed, in its second only children, so that one daemon lives long enough to show growth.
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("PROOF_SOAK"))
	if err != nil {
		t.Skip("SKIPPED: the soak takes as long as it is told to; scripts/soak and PROOF_SOAK=20m run it")
	}
	binDir(t)
	s := newSoak(t)
	s.start()
	began := time.Now()
	ended, half := began.Add(duration), began.Add(duration/2)
	submitted, kills, daemons := 0, 0, 1
	nextKill, nextLook := time.Now().Add(3*time.Second), time.Now()
	var early, late []usage
	var jobs = setting(t, "PROOF_SOAK_JOBS", soakJobs)
	for time.Now().Before(ended) {
		due := min(jobs, soakAhead+int(int64(jobs)*int64(time.Since(began))/int64(duration))) // spread, so that it is busy to the end
		waits := submitted >= due || s.queued() >= soakAhead
		if !waits {
			s.submit(submitted)
			submitted++
		}
		if now := time.Now(); now.After(nextKill) && len(s.names("processing")) > 0 {
			killed := true
			if now.Before(half) && s.rnd.IntN(2) == 0 {
				s.kill()
				s.start()
				daemons++
			} else {
				killed = s.killChild()
			}
			if killed {
				nextKill = now.Add(time.Duration(2000+s.rnd.IntN(3000)) * time.Millisecond)
				kills++
			}
		}
		if now := time.Now(); now.After(half) && now.After(nextLook) {
			nextLook = now.Add(time.Second)
			if u, ok := s.usage(); ok && now.Before(half.Add(duration/8)) {
				early = append(early, u)
			} else if ok && now.After(ended.Add(-duration/8)) {
				late = append(late, u)
			}
		}
		if waits {
			time.Sleep(10 * time.Millisecond)
		}
	}
	for ; submitted < jobs; submitted++ { // what a slow machine did not get to
		s.submit(submitted)
	}
	for limit := time.Now().Add(soakEndLimit); s.unfinished() > 0; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Errorf("%d entries are not done %s after the last kill", s.unfinished(), soakEndLimit)
			break
		}
	}
	faults := s.account(submitted)
	for _, f := range faults {
		t.Error(f)
	}
	before, after := median(early), median(late)
	t.Logf("descriptors %d, then %d; memory %d MiB, then %d MiB", before.fds, after.fds, before.rss>>20, after.rss>>20)
	if after.fds > before.fds+fdSlack || after.rss > before.rss*3/2+memorySlack {
		faults = append(faults, "growth")
		t.Errorf("the daemon grows: %+v, then %+v", before, after)
	}
	report(t, finding{
		Fault: "soak, " + duration.String(), States: submitted, Violations: len(faults),
		Note: fmt.Sprintf("%d kills, %d daemons, %s, descriptors %d then %d, memory %d then %d MiB", kills, daemons, s.ends(), before.fds, after.fds, before.rss>>20, after.rss>>20),
	})
}

type usage struct {
	fds int
	rss int64 // bytes
}

func median(all []usage) usage {
	if len(all) == 0 {
		return usage{}
	}
	var u usage
	slices.SortFunc(all, func(a, b usage) int { return a.fds - b.fds })
	u.fds = all[len(all)/2].fds
	slices.SortFunc(all, func(a, b usage) int { return int(a.rss - b.rss) })
	u.rss = all[len(all)/2].rss
	return u
}

type soak struct {
	t       *testing.T
	dir     string
	rnd     *rand.Rand
	daemon  *exec.Cmd
	exited  chan struct{}
	log     *os.File
	sources []source
	sums    map[string]sum // by name of what was dropped
	bad     map[string]bool
}

// source is a template of a job's disk.
type source struct {
	ext     string
	content []byte
	bad     bool
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{t: t, dir: t.TempDir(), rnd: rand.New(rand.NewPCG(7, 7)), sums: map[string]sum{}, bad: map[string]bool{}}
	log, err := os.Create(filepath.Join(s.dir, "daemon.log"))
	if err != nil {
		t.Fatal(err)
	}
	s.log = log
	raw := filepath.Join(s.dir, "template.raw")
	if err := os.WriteFile(raw, bytesOf(s.rnd, 2*mib), 0o644); err != nil {
		t.Fatal(err)
	}
	s.sources = []source{{ext: "raw"}, {ext: "qcow2"}, {ext: "vmdk"}, {ext: "vhd"}, {ext: "vhdx"}, {ext: "vdi"}}
	for i, src := range s.sources {
		path := raw
		if src.ext != "raw" {
			path = filepath.Join(s.dir, "template."+src.ext)
			if out, err := exec.Command(program("hyperctl"), "image", "convert", raw, path).CombinedOutput(); err != nil {
				t.Fatalf("make a %s: %v\n%s", src.ext, err, out)
			}
		}
		if s.sources[i].content, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	s.sources = append(s.sources,
		source{"yaml", []byte("input: [\n"), true},
		source{"vmdk", append([]byte("KDMV"), bytesOf(s.rnd, 64<<10)...), true},
		source{"qcow2", append([]byte("QFI\xfb\x00\x00\x00\x09"), bytesOf(s.rnd, 64<<10)...), true})
	conf := fmt.Sprintf("workflow_dir: %s/w\noutput_dir: %s/out\nsettle: 0.1\nmax_concurrent_jobs: 2\ntruncated_grace: 1s\n", s.dir, s.dir)
	if err := os.WriteFile(filepath.Join(s.dir, "daemon.yaml"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

func (s *soak) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// start starts the daemon and waits until it has its directory.
func (s *soak) start() {
	s.t.Helper()
	s.daemon = exec.Command(program("hyper2kvmd"), "--config", s.path("daemon.yaml"))
	s.daemon.Stderr = s.log
	if err := s.daemon.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan struct{})
	go func(d *exec.Cmd, done chan struct{}) { _ = d.Wait(); close(done) }(s.daemon, s.exited)
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		b, _ := os.ReadFile(s.path("w", ".hyper2kvm", "status.json"))
		if strings.Contains(string(b), strconv.Itoa(s.daemon.Process.Pid)) {
			return
		}
		if time.Now().After(limit) {
			s.t.Fatal("the daemon does not start")
		}
	}
}

func (s *soak) kill() {
	if s.daemon != nil {
		_ = s.daemon.Process.Kill()
		<-s.exited
	}
}

// killChild kills one process of a job, if there is one at this moment.
func (s *soak) killChild() bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.daemon.Process.Pid, s.daemon.Process.Pid))
	var pids []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.daemon.Process.Pid))
	for _, path := range tasks {
		more, _ := os.ReadFile(path)
		b = append(append(b, ' '), more...)
	}
	for text := range strings.FieldsSeq(string(b)) {
		if pid, err := strconv.Atoi(text); err == nil {
			pids = append(pids, pid)
		}
	}
	return len(pids) > 0 && syscall.Kill(pids[s.rnd.IntN(len(pids))], syscall.SIGKILL) == nil
}

func (s *soak) submit(n int) {
	s.t.Helper()
	good := len(s.sources) - 3
	src := s.sources[n%good]
	if n%(100/soakBad) == 7 {
		src = s.sources[good+n/20%3]
	}
	name := fmt.Sprintf("job-%04d.%s", n, src.ext)
	content := slices.Clone(src.content)
	if src.ext == "raw" || src.bad {
		content = append(content, fmt.Sprintf("# %0504d\n", n)...) // a content of its own
	}
	s.sums[name], s.bad[name] = sha256.Sum256(content), src.bad
	staged := s.path("w", name)
	if err := os.WriteFile(staged, content, 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(staged, s.path("w", "to_be_processed", name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *soak) names(dir string) []string {
	all, _ := os.ReadDir(s.path("w", dir))
	var names []string
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func (s *soak) queued() int     { return len(s.names("to_be_processed")) }
func (s *soak) unfinished() int { return s.queued() + len(s.names("processing")) }

func (s *soak) usage() (usage, bool) {
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.daemon.Process.Pid))
	if err != nil {
		return usage{}, false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.daemon.Process.Pid))
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 2 {
		return usage{}, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return usage{len(fds), pages * int64(os.Getpagesize())}, err == nil
}

// ends counts the jobs by how they ended.
func (s *soak) ends() string {
	done, _ := filepath.Glob(s.path("w", "processed", "*", "*.meta.json"))
	failed, _ := filepath.Glob(s.path("w", "failed", "*", "*.error.json"))
	return fmt.Sprintf("%d done, %d failed", len(done), len(failed))
}

// account looks for every job: its source is in exactly one place and has its bytes, a good one is done, unless it was killed three
// times, and a bad one has failed.
func (s *soak) account(submitted int) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	found := map[string][]string{}
	for _, pattern := range []string{"to_be_processed/*", "processing/*", "processed/*/*", "failed/*/*"} {
		paths, _ := filepath.Glob(s.path("w", pattern))
		for _, path := range paths {
			if _, ours := s.sums[filepath.Base(path)]; ours {
				found[filepath.Base(path)] = append(found[filepath.Base(path)], path)
			}
		}
	}
	if len(s.sums) != submitted {
		fault("%d names for %d jobs", len(s.sums), submitted)
	}
	for name, want := range s.sums {
		if len(found[name]) != 1 {
			fault("%s is in %d places: %v", name, len(found[name]), found[name])
			continue
		}
		path := found[name][0]
		b, err := os.ReadFile(path)
		if err != nil || sha256.Sum256(b) != want {
			fault("%s is not what was dropped: %v", path, err)
		}
		_, isDone := os.Stat(path + ".meta.json")
		failed, isFailed := os.ReadFile(path + ".error.json")
		switch {
		case isDone != nil && isFailed != nil:
			fault("%s has no record", path)
		case isDone == nil && s.bad[name]:
			fault("%s is bad and is done", path)
		case isFailed == nil && !s.bad[name] && !bytes.Contains(failed, []byte("H2K-JOB-004")):
			fault("%s failed: %s", path, failed)
		case isDone == nil:
			if err := outputStands(path + ".meta.json"); err != nil {
				fault("%s: %v", path, err)
			}
		}
	}
	for _, pattern := range []string{"w/processing/*", "out/.partial/*", "w/.hyper2kvm/jobs/*", "w/.hyper2kvm/tmp/*"} {
		if left, _ := filepath.Glob(s.path(pattern)); len(left) > 0 {
			fault("left behind: %v", left)
		}
	}
	metas, _ := filepath.Glob(s.path("w", "processed", "*", "*.meta.json"))
	if outputs, _ := filepath.Glob(s.path("out", "2*", "*")); len(outputs) != len(metas) {
		fault("%d outputs of %d jobs", len(outputs), len(metas))
	}
	return faults
}

// outputStands says whether the output of a finished job can be read.
func outputStands(meta string) error {
	b, err := os.ReadFile(meta)
	if err != nil {
		return err
	}
	var m struct {
		OutputDir string `json:"output_dir"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	images, _ := filepath.Glob(filepath.Join(m.OutputDir, "*.qcow2"))
	if len(images) != 1 {
		return fmt.Errorf("images %v in %q", images, m.OutputDir)
	}
	_, err = imageDigest(images[0])
	return err
}
