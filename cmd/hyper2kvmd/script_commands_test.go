package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// awaitLimit is how long a script waits for anything: far above what it takes, so that it only ends a broken run.
const awaitLimit = 60 * time.Second

// mistakeLimit is how long a script waits when it looks for a seeded mistake: waiting in vain is how it finds one.
const mistakeLimit = 8 * time.Second

// until polls cond; a script waits for events, and a file that appears is one that every file system can tell.
func until(ts *testscript.TestScript, what string, cond func() bool) {
	limit := awaitLimit
	if os.Getenv("H2K_MISTAKE") != "" {
		limit = mistakeLimit
	}
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			ts.Fatalf("waited %s for %s\n%s", limit, what, tree(ts))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// tree lists the workflow directory and the daemon's log, for a failure's message.
func tree(ts *testscript.TestScript) string {
	out, _ := exec.Command("find", ts.MkAbs("w"), ts.MkAbs("out"), "-not", "-name", "*.tmp").CombinedOutput()
	log, _ := os.ReadFile(ts.MkAbs("daemon.log"))
	return string(out) + "\n" + string(log)
}

// await GLOB waits until a file matches; ! await GLOB until none does.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] await GLOB")
	}
	until(ts, args[0], func() bool {
		found, _ := filepath.Glob(ts.MkAbs(args[0]))
		return (len(found) > 0) != neg
	})
}

// awaitok COMMAND... waits until the command succeeds.
func awaitOK(ts *testscript.TestScript, neg bool, args []string) {
	until(ts, strings.Join(args, " "), func() bool { return (ts.Exec(args[0], args[1:]...) == nil) != neg })
}

// daemon [-uid N] [ARG...] starts hyper2kvmd on w and out in the background, as another user with -uid, and waits until it runs.
func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("daemon cannot be negated")
	}
	log, err := os.OpenFile(ts.MkAbs("daemon.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	var as *syscall.Credential
	if len(args) >= 2 && args[0] == "-uid" {
		uid, err := strconv.ParseUint(args[1], 10, 32)
		ts.Check(err)
		as, args = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), NoSetGroups: true}, args[2:]
	}
	cmd := exec.Command(filepath.Join(binDir, "hyper2kvmd"), append([]string{"--config", ts.MkAbs("daemon.yaml")}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "H2K_TEST_HOLD="+ts.Getenv("H2K_TEST_HOLD"), "HOME="+ts.Getenv("HOME"))
	cmd.Stdout, cmd.Stderr = log, log
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	}
	if _, err := os.Stat(ts.MkAbs("daemon.yaml")); err != nil {
		ts.Check(os.WriteFile(ts.MkAbs("daemon.yaml"), []byte(
			"workflow_dir: "+ts.MkAbs("w")+"\noutput_dir: "+ts.MkAbs("out")+"\nsettle: 0.1\nstop_timeout: 5\n"), 0o644))
	}
	ts.Check(cmd.Start())
	pid := cmd.Process.Pid
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	ts.Setenv("DAEMON", strconv.Itoa(pid))
	ts.Defer(func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		<-exited
	})
	until(ts, "the daemon to run", func() bool {
		select {
		case <-exited:
			b, _ := os.ReadFile(ts.MkAbs("daemon.log"))
			ts.Fatalf("the daemon ended:\n%s", b)
		default:
		}
		return ts.Exec("hyperctl", "workflow", "status", "-o", "json") == nil &&
			strings.Contains(ts.ReadFile("stdout"), strconv.Itoa(pid))
	})
}

// disk FILE SIZE SEED makes a raw disk with a partition table and scattered data that depends on the seed; a file ending in
// .vmdk becomes a streamOptimized VMDK with FILE.raw beside it.
func makeDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: disk FILE BYTES SEED")
	}
	path := ts.MkAbs(args[0])
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	seed, err := strconv.ParseUint(args[2], 10, 64)
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	raw := path
	if filepath.Ext(path) == ".vmdk" {
		raw = path + ".raw"
	}
	f, err := os.Create(raw)
	ts.Check(err)
	ts.Check(f.Truncate(size))
	r := rand.New(rand.NewPCG(seed, 1))
	mbr := make([]byte, 512)
	copy(mbr[446:], []byte{0x80, 0x20, 0x21, 0, 0x83, 0xfe, 0xff, 0xff, 0x08, 0, 0, 0})
	sectors := uint32(size/512) - 8
	copy(mbr[458:], []byte{byte(sectors), byte(sectors >> 8), byte(sectors >> 16), byte(sectors >> 24)})
	mbr[510], mbr[511] = 0x55, 0xaa
	_, err = f.WriteAt(mbr, 0)
	ts.Check(err)
	for range 20 {
		line := fmt.Appendf(nil, "line %d of a disk\n", r.Uint64())
		_, err = f.WriteAt(bytes.Repeat(line, 1+r.IntN(4000)), 4096+r.Int64N(max(size-4096-200_000, 1)))
		ts.Check(err)
	}
	ts.Check(f.Truncate(size))
	ts.Check(f.Close())
	if raw != path {
		ts.Check(ts.Exec("hyperctl", "-q", "image", "convert", raw, path, "--output-format", "vmdk"))
	}
}

// glob VAR PATTERN sets VAR to the one file that matches.
func glob(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: glob VAR PATTERN")
	}
	found, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s matches %d files, want one: %v\n%s", args[1], len(found), found, tree(ts))
	}
	ts.Setenv(args[0], found[0])
}

// hold STAGE stops every job before that stage; release STAGE lets it go on. hold -wait STAGE waits until a job stands there.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.Getenv("H2K_TEST_HOLD")
	switch {
	case !neg && len(args) == 1:
		ts.Check(os.WriteFile(filepath.Join(dir, args[0]), nil, 0o600))
	case !neg && len(args) == 2 && args[0] == "-wait":
		until(ts, "a job to stand before "+args[1], func() bool {
			_, err := os.Stat(filepath.Join(dir, args[1]+".held"))
			return err == nil
		})
	default:
		ts.Fatalf("usage: hold [-wait] STAGE")
	}
}

func release(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: release STAGE")
	}
	dir := ts.Getenv("H2K_TEST_HOLD")
	_ = os.Remove(filepath.Join(dir, args[0]))
	_ = os.Remove(filepath.Join(dir, args[0]+".held")) // of a job that was killed while it stood there
}

// killjob kills the process of the running job with SIGKILL.
func killJob(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: killjob")
	}
	out, err := exec.Command("pgrep", "-P", ts.Getenv("DAEMON")).Output()
	ts.Check(err)
	for pid := range strings.FieldsSeq(string(out)) {
		n, err := strconv.Atoi(pid)
		ts.Check(err)
		ts.Check(syscall.Kill(n, syscall.SIGKILL))
	}
}

type writersKey struct{}

// writer open NAME FILE keeps FILE open for writing; writer copy NAME SOURCE FROM TO writes a part of SOURCE to it, TO may be
// end; writer close NAME closes it.
func writer(ts *testscript.TestScript, neg bool, args []string) {
	files, _ := ts.Value(writersKey{}).(map[string]*os.File)
	if neg || len(args) < 2 || files == nil {
		ts.Fatalf("usage: writer open|copy|close NAME ...")
	}
	switch {
	case args[0] == "open" && len(args) == 3:
		f, err := os.OpenFile(ts.MkAbs(args[2]), os.O_WRONLY|os.O_CREATE, 0o600)
		ts.Check(err)
		files[args[1]] = f
	case args[0] == "copy" && len(args) == 5:
		b, err := os.ReadFile(ts.MkAbs(args[2]))
		ts.Check(err)
		from, err := strconv.Atoi(args[3])
		ts.Check(err)
		to := len(b)
		if args[4] != "end" {
			to, err = strconv.Atoi(args[4])
			ts.Check(err)
		}
		_, err = files[args[1]].WriteAt(b[from:to], int64(from))
		ts.Check(err)
	case args[0] == "close" && len(args) == 2:
		ts.Check(files[args[1]].Close())
		delete(files, args[1])
	default:
		ts.Fatalf("usage: writer open NAME FILE | writer copy NAME SOURCE FROM TO | writer close NAME")
	}
}

func closeWriters(v any) {
	files, _ := v.(map[string]*os.File)
	for _, f := range files {
		f.Close()
	}
}

// same A B checks that two images hold the same content.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] same IMAGE IMAGE")
	}
	err := ts.Exec("hyperctl", "image", "compare", args[0], args[1])
	if (err == nil) == neg {
		ts.Fatalf("compare %s %s: %v", args[0], args[1], err)
	}
}

// tmpfs DIR SIZE mounts a small file system, for a full disk.
func tmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tmpfs DIR SIZE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+args[1]); err != nil {
		ts.Fatalf("mount a small tmpfs (needs root; run this script as root): %v", err)
	}
	ts.Defer(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// odd fifo|empty|long|control DIR makes what is no job by its kind or its name: a named pipe, an empty file, a name of 255 bytes, a
// name with a newline and an escape sequence in it.
func makeOdd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: odd fifo|empty|long|control DIR")
	}
	dir := ts.MkAbs(args[1])
	switch args[0] {
	case "fifo":
		ts.Check(syscall.Mkfifo(filepath.Join(dir, "pipe.vmdk"), 0o640))
	case "empty":
		ts.Check(os.WriteFile(filepath.Join(dir, "empty.vmdk"), nil, 0o640))
	case "long":
		ts.Check(os.WriteFile(filepath.Join(dir, strings.Repeat("n", 251)+".raw"), make([]byte, 1<<20), 0o640))
	case "control":
		ts.Check(os.WriteFile(filepath.Join(dir, "evil\n\x1b[31mred\x1b[0m.raw"), make([]byte, 1<<20), 0o640))
		ts.Check(os.WriteFile(filepath.Join(dir, "broken\xff\xfe.raw"), make([]byte, 1<<20), 0o640))
	default:
		ts.Fatalf("odd does not know %q", args[0])
	}
}

// printed COMMAND... runs a command and checks that what it prints holds nothing that a terminal obeys.
func printed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: printed COMMAND...")
	}
	_ = ts.Exec(args[0], args[1:]...) // some of them say by their code how things are
	for _, stream := range []string{"stdout", "stderr"} {
		text := ts.ReadFile(stream)
		if !utf8.ValidString(text) {
			ts.Fatalf("%v prints what is not UTF-8: %q", args, text)
		}
		if at := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r <= 0x9f) }); at >= 0 {
			ts.Fatalf("%v prints a raw control character: %q", args, text[max(0, at-40):min(len(text), at+40)])
		}
	}
}

// bind DIR makes a directory a mount of its own, on the same file system: a rename to it is refused all the same.
func bindMount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bind DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		ts.Fatalf("bind-mount a directory (needs root; run this script as root): %v", err)
	}
	ts.Defer(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// mounted DIR ARG... mounts with mount(8) and these arguments on DIR, which is made where it is missing; the script's end unmounts it.
func mounted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mounted DIR ARG...")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(ts.Exec("mount", append(args[1:], dir)...))
	ts.Defer(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// canMount says whether root may mount a file system of this kind here.
func canMount(kind string) bool {
	b, err := os.ReadFile("/proc/filesystems")
	return err == nil && os.Geteuid() == 0 && slices.Contains(strings.Fields(string(b)), kind)
}

// canHaveUserNamespace says whether a program may have a user namespace with limits of its own here.
func canHaveUserNamespace() bool {
	err := exec.Command("unshare", "--user", "--map-root-user", "sh", "-c", "echo 0 >/proc/sys/user/max_inotify_instances").Run()
	return err == nil
}
