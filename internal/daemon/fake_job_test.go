package daemon

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
)

// fakeJob plays the child of a job. What it does is the first word of the job's name: ok-web.img goes well.
func fakeJob() {
	lines := bufio.NewReader(os.Stdin)
	first, _ := lines.ReadBytes('\n')
	m, err := parseMessage(first)
	if err != nil {
		os.Exit(3)
	}
	f := &fake{req: *m.Request, lines: lines, out: &sender{w: os.Stdout}}
	word, _, _ := strings.Cut(m.Request.Job.Name, "-")
	switch word {
	case "ok":
		f.finish()
	case "fail":
		f.end(&manifest.Failure{Code: manifest.CodeImageCorrupt, Stage: "load", Message: "it is broken", Hint: "mend it"})
	case "unbootable":
		_ = os.Mkdir(filepath.Join(f.req.Partial, "boot-test"), 0o750)
		_ = os.WriteFile(filepath.Join(f.req.Partial, "boot-test", "serial.log"), []byte("(initramfs)"), 0o600)
		_ = os.Symlink("/etc/hostname", filepath.Join(f.req.Partial, "boot-test", "screen.png")) // of a child that is not itself any more
		_ = f.out.send(message{
			Type: msgResult, Failure: &manifest.Failure{Code: manifest.CodeBootFailed, Stage: "validate", Message: "it did not boot"},
			Report: &manifest.Report{BootTest: &manifest.BootTest{SerialLog: "boot-test/serial.log", Screenshot: "boot-test/screen.png"}},
		})
	case "crash":
		_, _ = os.Stderr.WriteString("out of \x1b[31mcheese\n")
		os.Exit(7)
	case "garbage":
		_, _ = os.Stdout.WriteString("no json\n")
		_, _ = io.Copy(io.Discard, lines)
	case "long":
		_, _ = os.Stdout.Write(make([]byte, MaxMessage+1<<20))
		_, _ = io.Copy(io.Discard, lines)
	case "other": // another version of the program
		_, _ = os.Stdout.WriteString("{\"v\":99,\"type\":\"result\"}\n")
	case "stall":
		time.Sleep(time.Hour)
	case "leftover": // a program that left the group and keeps all pipes open
		cmd := exec.Command("sleep", "60")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		_ = cmd.Start()
		_ = os.WriteFile(os.Getenv("H2K_TEST_DIR")+"/leftover.pid", []byte(itoa(cmd.Process.Pid)), 0o600)
		f.finish()
	case "flood":
		for range 20_000 {
			_ = f.out.send(message{Type: msgLog, Stage: "fix", Text: strings.Repeat("\x1b[2J", 300)})
		}
		f.finish()
	case "space": // more than any file system has
		f.reserve(1 << 62)
		f.finish()
	case "fits":
		f.reserve(500)
		f.finish()
	case "liar":
		f.place("../../../evil")
		f.write()
		f.end(nil)
	case "vanish": // the output is gone when it is to be published
		f.place("")
		_ = os.RemoveAll(f.req.Partial)
		f.end(nil)
	case "gate": // says that it runs, then waits to go on
		_ = f.out.send(message{Type: msgStage, Stage: "load", Index: 1, Count: 5, Status: stageStart})
		_ = f.out.send(message{Type: msgStage, Stage: "load", Index: 1, Count: 5, Status: "done", Took: time.Second})
		_ = f.out.send(message{Type: msgStage, Stage: "inspect", Index: 2, Count: 5, Status: "skipped", Text: "it was not asked for"})
		_ = f.out.send(message{Type: msgStage, Stage: "convert", Index: 4, Count: 5, Status: stageStart})
		f.tell("started")
		f.hear("go")
		f.finish()
	}
}

type fake struct {
	req   convert.Request
	lines *bufio.Reader
	out   *sender
}

func (f *fake) ask(m message) message {
	_ = f.out.send(m)
	line, err := f.lines.ReadBytes('\n')
	if err != nil {
		os.Exit(4)
	}
	a, err := parseMessage(line)
	if err != nil {
		os.Exit(5)
	}
	if a.Type == msgDenied {
		f.end(a.Denied)
		os.Exit(0)
	}
	return a
}

func (f *fake) reserve(n int64) {
	f.ask(message{Type: msgReserve, Needs: []convert.SpaceNeed{{Dir: f.req.Partial, Bytes: n}}})
}

func (f *fake) place(name string) { f.ask(message{Type: msgPlace, Name: name}) }

func (f *fake) write() {
	_ = os.WriteFile(filepath.Join(f.req.Partial, "report.json"), []byte(`{"id":"`+f.req.ID+`"}`), 0o600)
}

func (f *fake) finish() {
	_ = f.out.send(message{Type: msgStage, Stage: "load", Index: 1, Count: 5, Status: stageStart})
	f.place(f.req.Job.Name)
	f.write()
	f.end(nil)
}

func (f *fake) end(failure *manifest.Failure) {
	_ = f.out.send(message{Type: msgResult, Report: &manifest.Report{Name: f.req.Job.Name}, Failure: failure})
}

// tell and hear meet the test at a named pipe: opening one waits for the other side.
func (f *fake) tell(word string) {
	p, err := os.OpenFile(filepath.Join(os.Getenv("H2K_TEST_DIR"), word), os.O_WRONLY, 0)
	if err == nil {
		_, _ = p.WriteString("x")
		p.Close()
	}
}

func (f *fake) hear(word string) {
	p, err := os.OpenFile(filepath.Join(os.Getenv("H2K_TEST_DIR"), word), os.O_RDONLY, 0)
	if err == nil {
		_, _ = p.Read(make([]byte, 1))
		p.Close()
	}
}
