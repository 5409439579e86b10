package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/doctor"
	"hyper2kvm/internal/queue"
	"hyper2kvm/internal/version"
)

// gather reads what goes into the archive. What cannot be read says why in its place: an archive is asked for when something is wrong.
func (b *bundle) gather(ctx context.Context, keys []string) error {
	b.addDoc("version.json", struct {
		version.Info
		Kernel string `json:"kernel"`
		System string `json:"system"`
	}{version.Get(), kernelText(), systemText()}, nil)
	settings, err := b.con.daemonSettings()
	for i, s := range settings {
		if u, perr := url.Parse(s.Value); s.Key == "webhook_url" && s.Value != "" { // such addresses are secrets as a whole
			settings[i].Value = "(left out)"
			if perr == nil {
				settings[i].Value = u.Scheme + "://" + u.Host + "/(left out)"
			}
		}
	}
	b.addDoc("daemon-settings.json", settings, err)
	checks, cancel := context.WithTimeout(ctx, bundleDoctor)
	defer cancel()
	b.addDoc("doctor.json", doctor.Run(checks, b.con.doctorOptions()), nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	sp, err := b.con.openSpool()
	if err != nil {
		if len(keys) > 0 {
			return err
		}
		b.add("workflow.txt", []byte(cleanLine(err.Error())+"\n"))
		return nil
	}
	st, live, err := daemonStatus(sp)
	b.addDoc("status.json", statusDoc{WorkflowDir: sp.Dir(), Liveness: live, Running: live == queue.LiveRunning, Status: st}, err)
	if err := b.addJobs(ctx, sp, keys); err != nil {
		return err
	}
	return ctx.Err()
}

// addJobs adds the list of jobs, and all that is known of those that are named.
func (b *bundle) addJobs(ctx context.Context, sp *queue.Spool, keys []string) error {
	var jobs []queue.Job
	for _, key := range keys {
		j, err := findJob(ctx, sp, key)
		if err != nil {
			return jobFailure(key, err)
		}
		jobs = append(jobs, j)
	}
	list := []jobDoc{}
	var lerr error
	for j, err := range sp.Jobs(ctx, queue.Filter{All: true, Limit: maxBundleList}) {
		if lerr = err; err != nil {
			break
		}
		list = append(list, newJobDoc(j, b.now))
	}
	b.addDoc("jobs.json", list, lerr)
	if len(keys) == 0 {
		for j, err := range sp.Jobs(ctx, queue.Filter{All: true, States: []queue.State{queue.Running, queue.Failed}, Limit: maxBundleJobs}) {
			if err != nil {
				break
			}
			if full, err := sp.Find(ctx, jobKey(j)); err == nil {
				j = full
			}
			jobs = append(jobs, j)
		}
	}
	for _, j := range jobs {
		b.addJob(j)
	}
	return nil
}

// addJob adds what is known of one job: what it says of itself, its log, its report.
func (b *bundle) addJob(j queue.Job) {
	dir := "jobs/" + safeDir(jobKey(j))
	b.addDoc(dir+"/job.json", newJobDoc(j, b.now), nil)
	if j.State == queue.Running && j.LogPath != "" {
		b.addFile(dir+"/record.json", filepath.Join(filepath.Dir(j.LogPath), "record.json"))
	}
	if j.LogPath != "" {
		b.addFile(dir+"/job.log", j.LogPath)
	}
	if j.OutputDir != "" {
		b.addFile(dir+"/report.json", filepath.Join(j.OutputDir, "report.json"))
	}
}

// addFile adds a file that a job left, of a long one the end. One that is not there is left out.
func (b *bundle) addFile(name, path string) {
	content, err := endOf(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		b.add(name, []byte(cleanLine(err.Error())+"\n"))
	default:
		b.add(name, content)
	}
}

// endOf reads the last maxBundleFile bytes of a regular file, which no link leads to.
func endOf(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, queue.ErrNotRegular)
	}
	at := max(st.Size()-maxBundleFile, 0)
	return io.ReadAll(io.NewSectionReader(f, at, maxBundleFile))
}

// safeDir is a job's name as that of a directory in the archive.
func safeDir(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, strings.TrimLeft(name, "."))
}

// The places where secrets stand in text: behind a word that says so, and in the address of a service: before its host, and behind the
// question mark.
var (
	secretWord = regexp.MustCompile(`(?i)((?:password|passwd|passphrase|secret|token|credential|authorization|api[_-]?key)s?["']?\s*[:=]\s*)("[^"]*"|'[^']*'|(?:bearer |basic )?[^\s",;}]+)`)
	secretUser = regexp.MustCompile(`(://)[^/\s"'@]+@`)
	secretArgs = regexp.MustCompile(`(https?://[^\s"'?]+\?)[^\s"']+`)
	secretKey  = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`)
)

// withoutSecrets leaves out of a text what looks like a secret.
func withoutSecrets(b []byte) []byte {
	b = secretKey.ReplaceAll(b, []byte("(left out)"))
	b = secretWord.ReplaceAll(b, []byte(`${1}"(left out)"`))
	b = secretUser.ReplaceAll(b, []byte("${1}(left out)@"))
	return secretArgs.ReplaceAll(b, []byte("${1}(left out)"))
}

// kernelText is the kernel's release.
func kernelText() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return clean(unix.ByteSliceToString(u.Release[:]))
}

// systemText is the name of the distribution.
func systemText() string {
	b, err := endOf("/etc/os-release")
	if err != nil {
		if b, err = endOf("/usr/lib/os-release"); err != nil { // the one in /etc is a link to it
			return ""
		}
	}
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return clean(strings.Trim(strings.TrimSpace(name), `"`))
		}
	}
	return ""
}
