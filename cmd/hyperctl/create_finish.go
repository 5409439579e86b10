package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard"
	"hyper2kvm/tui/wizard/answers"
)

// saveManifest writes a manifest. A file that is there is fs.ErrExist unless it may be replaced.
func saveManifest(path string, content []byte, replace bool) error {
	if replace {
		return atomicfile.Write(path, content, 0o644)
	}
	return atomicfile.Publish(filepath.Dir(path), filepath.Base(path), content, filepath.Dir(path), 0o644)
}

// ending tells how a manifest came about.
type ending struct {
	asked bool // questions were answered, so that the flags for the same are worth telling
	saved bool // it is written already
	draft bool // the draft is of these answers
}

// finishCreate does what was chosen at the end. The draft of these answers goes when they are somewhere else.
func (c *console) finishCreate(ctx context.Context, o *createOptions, r wizard.Result, how ending) error {
	switch r.Action {
	case wizard.Left:
		if !r.Form.Empty() && c.draftFile() != "" {
			c.note("nothing was written. The answers are kept; go on with: hyperctl manifest create")
		}
		return nil
	case wizard.Discarded:
		return c.dropDraft()
	}
	content, err := c.contentOf(r)
	if err != nil {
		return err
	}
	if r.Action == wizard.Print || o.print {
		if _, err := c.out.Write(content); err != nil {
			return err
		}
	}
	if (r.Action == wizard.Save || r.Action == wizard.SaveAndSubmit) && !how.saved {
		if err := saveManifest(r.File, content, o.replace); errors.Is(err, fs.ErrExist) {
			f := targetExists(r.File, err).(*failure) //nolint:errorlint // targetExists makes one
			f.why, f.try = "it is replaced only with --replace", "choose another name, or add --replace"
			return f
		} else if err != nil {
			return outputFailure(r.File, err)
		}
	}
	if r.File != "" && !c.opts.output.machine() && !c.opts.quiet && r.Action != wizard.Submit && r.Action != wizard.Print {
		line := clean(r.File) + ": saved"
		if r.Action == wizard.Save {
			line += ". Next: " + clean(submitLine(r.File, content, o.near(r.File)...))
		}
		fmt.Fprintln(c.out, line)
	}
	if how.asked && !c.opts.quiet && !c.opts.output.machine() {
		words := wizard.Command(r)
		fmt.Fprintf(c.err, "The same in one line:\n  %s\n", cleanLine(strings.Join(words, " ")))
	}
	if r.Action == wizard.Submit || r.Action == wizard.SaveAndSubmit {
		if err := c.submitForm(ctx, o, r); err != nil {
			return err
		}
	}
	if !how.draft {
		return nil
	}
	return c.dropDraft()
}

// contentOf writes the manifest and looks that it is right.
func (c *console) contentOf(r wizard.Result) ([]byte, error) {
	write, name := r.Form.YAML, "manifest.yaml"
	if strings.EqualFold(filepath.Ext(r.File), ".json") || r.File == "" && r.JSON {
		write, name = r.Form.JSON, "manifest.json"
	}
	content, err := write()
	if err != nil {
		return nil, &failure{exit: exitManifest, what: "the manifest cannot be written", why: err.Error(), err: err}
	}
	_, problems := manifest.Load(name, content)
	d := document{path: "-", name: "the new manifest", content: content, problems: problems}
	if f := invalid([]document{d}); f != nil {
		if !c.opts.output.machine() {
			if err := problems.Write(c.err, content); err != nil {
				return nil, err
			}
		}
		return nil, f
	}
	for _, p := range problems {
		c.note("%s", p.String())
	}
	return content, nil
}

// near are the directories where the files of a manifest are looked for.
func (o *createOptions) near(file string) []string {
	at := []string{filepath.Dir(file), "."}
	if o.from != "" {
		at = append(at, filepath.Dir(o.from))
	}
	return at
}

// submitForm hands in the manifest, as manifest submit does, and the files that go with it.
func (c *console) submitForm(ctx context.Context, o *createOptions, r wizard.Result) error {
	form := r.Form.Clone()
	files, elsewhere, err := filesOf(form, o.near(r.File), r.Copy)
	if err != nil {
		return err
	}
	c.warnRoots(elsewhere)
	sending := o.sending
	if len(form.VMs) == 1 || len(files) == 0 {
		sending.name = entryNameFor(form, r.File)
		if sending.name == "" {
			sending.name = stampName(c.now())
		}
	}
	content, err := form.YAML()
	if err != nil {
		return err
	}
	with := *c
	with.in = bytes.NewReader(content)
	return runSubmit(ctx, &with, append([]string{"-"}, files...), sending)
}

// filesOf lists the files that go with a manifest: those that it names by a plain name and that are in one of the directories, and
// with all also the others, which the form then names by their plain names. elsewhere are those that are read where they are.
func filesOf(form answers.Form, at []string, all bool) (files, elsewhere []string, err error) {
	taken := map[string]string{}
	for _, vm := range form.VMs {
		for _, field := range besideFields {
			if vm[field] == "" {
				continue
			}
			paths := strings.Split(vm[field], "\n")
			for i, path := range paths {
				switch {
				case !filepath.IsAbs(path):
					if path = findBeside(path, at); path == "" {
						continue // the job waits until it comes
					}
				case all:
					paths[i] = filepath.Base(path)
				default:
					elsewhere = append(elsewhere, path)
					continue
				}
				switch other, is := taken[filepath.Base(path)]; {
				case is && other != path:
					return nil, nil, usagef("%s and %s have the same name: they cannot be handed in with one manifest", other, path)
				case !is:
					taken[filepath.Base(path)] = path
					files = append(files, path)
				}
			}
			vm.Set(field, strings.Join(paths, "\n"))
		}
	}
	return files, elsewhere, nil
}

// findBeside finds a file by its plain name in the first of the directories that has it; "" when none has.
func findBeside(name string, at []string) string {
	for _, dir := range at {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// entryNameFor is what the entry in the queue is called.
func entryNameFor(f answers.Form, file string) string {
	if file != "" {
		return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	if len(f.VMs) == 1 {
		return f.VMs[0].Name()
	}
	return ""
}

// warnRoots says when the daemon will probably not read files where they are: its configuration allows it to root only.
func (c *console) warnRoots(paths []string) {
	conf, there, err := readDaemonConfig(c.opts.daemonConfig)
	if os.Geteuid() == 0 || err != nil || !there {
		return
	}
	for _, path := range paths {
		if !slices.ContainsFunc(conf.ImportRoots, func(root string) bool {
			rel, err := filepath.Rel(root, path)
			return err == nil && filepath.IsLocal(rel)
		}) {
			c.note("%s is not below the daemon's import_roots: unless this is the daemon's user, the job will be refused. --copy hands the file in", path)
			return
		}
	}
}
