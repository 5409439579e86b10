package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

// Limits of a support archive: it is sent by mail.
const (
	maxBundle     = 64 << 20 // of everything in it, before it is compressed
	maxBundleFile = 4 << 20  // of one file; of a longer log the end
	maxBundleJobs = 20       // that are taken when none is named
	maxBundleList = 1000     // jobs in the list of jobs
)

// bundleDoctor is how long the checks of the host may take; one of them starts a VM.
const bundleDoctor = time.Minute

func newBundle(con *console) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "bundle [JOB...]",
		Short: "Write a support archive: versions, settings, status, checks, and the records and logs of jobs",
		Long: `Write a support archive (tar.gz): the versions, the settings with where they come from, the daemon's heartbeat, what doctor finds,
a list of jobs, and of each named job its record, its log and its report; without names, of what runs and of the jobs that failed last.

It never has disks, manifests, keys, tokens or the environment in it; what looks like a password in a log or a setting is left out. Names
of files, VMs and users are in it. What was put into it is listed, so that it can be looked at before it is sent.`,
		Example: `  hyperctl bundle
  hyperctl bundle web01 --file web01-support.tar.gz
  hyperctl bundle web01 --file - | ssh support 'cat > web01.tar.gz'`,
		ValidArgsFunction: con.completeJobs(queue.Failed, queue.Running, queue.Done),
		RunE:              func(cmd *cobra.Command, args []string) error { return runBundle(cmd.Context(), con, args, out) },
	}
	cmd.Flags().StringVarP(&out, "file", "f", "", "the archive's `name`; - is standard output (default hyper2kvm-support-TIME.tar.gz)")
	return cmd
}

// bundleDoc is what a support archive has in it.
type bundleDoc struct {
	Path  string       `json:"path"`
	Bytes int64        `json:"bytes"` // of the archive
	Files []bundleFile `json:"files"`
}

type bundleFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

func runBundle(ctx context.Context, con *console, keys []string, out string) (err error) {
	now := con.now()
	name := "hyper2kvm-support-" + now.Format("20060102-150405")
	if out == "" {
		out = name + ".tar.gz"
	}
	b := &bundle{con: con, dir: name, now: now}
	if err := b.gather(ctx, keys); err != nil {
		return err
	}
	to := con.out
	if out != "-" {
		f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				_ = os.Remove(out)
			}
		}()
		defer func() { err = errors.Join(err, f.Close()) }()
		to = f
	} else if con.outTTY {
		return usagef("the archive would go to the terminal: name a file, or pipe it somewhere")
	}
	n, err := b.write(to)
	if err != nil {
		return err
	}
	if out == "-" {
		return nil
	}
	abs, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	doc := bundleDoc{Path: abs, Bytes: n, Files: b.listed()}
	return con.printOne(doc, abs, func(w io.Writer) {
		for _, f := range doc.Files {
			fmt.Fprintf(w, "%10s  %s\n", bytesText(f.Bytes), clean(f.Name))
		}
		fmt.Fprintf(w, "%s (%s): no disks, manifests, keys or passwords are in it; look at it before you send it\n", clean(abs), bytesText(n))
	})
}

// bundle is a support archive before it is written.
type bundle struct {
	con   *console
	dir   string // at the top of the archive
	now   time.Time
	files []bundleContent
	size  int64
}

type bundleContent struct {
	name    string
	content []byte
}

// add puts a file into the archive, without what looks like a secret, as long as it is not too large by then.
func (b *bundle) add(name string, content []byte) {
	content = withoutSecrets(content)
	if b.size+int64(len(content)) > maxBundle {
		content = []byte("left out: the archive would be too large\n")
	}
	b.size += int64(len(content))
	b.files = append(b.files, bundleContent{name, content})
}

// addDoc puts a document into the archive as JSON; an error stands in its place.
func (b *bundle) addDoc(name string, doc any, err error) {
	if err == nil {
		var text []byte
		if text, err = json.MarshalIndent(doc, "", "  "); err == nil {
			b.add(name, append(text, '\n'))
			return
		}
	}
	b.add(name, []byte(cleanLine(err.Error())+"\n"))
}

func (b *bundle) listed() []bundleFile {
	var all []bundleFile
	for _, f := range b.files {
		all = append(all, bundleFile{f.name, int64(len(f.content))})
	}
	return all
}

// write writes the archive and says how large it is.
func (b *bundle) write(w io.Writer) (int64, error) {
	counted := &countingWriter{w: w}
	zip := gzip.NewWriter(counted)
	archive := tar.NewWriter(zip)
	for _, f := range b.files {
		head := &tar.Header{Name: b.dir + "/" + f.name, Mode: 0o600, Size: int64(len(f.content)), ModTime: b.now, Format: tar.FormatPAX}
		if err := archive.WriteHeader(head); err != nil {
			return 0, err
		}
		if _, err := archive.Write(f.content); err != nil {
			return 0, err
		}
	}
	err := errors.Join(archive.Close(), zip.Close())
	return counted.n, err
}

type countingWriter struct {
	w io.Writer
	n int64
}

// Write passes bytes on and counts them.
func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
