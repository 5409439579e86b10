package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// submitOptions say what happens after the files are in the queue.
type submitOptions struct {
	wait    bool
	timeout time.Duration
	dryRun  bool
	name    string

	priority string
}

func newSubmit(con *console) *cobra.Command {
	var o submitOptions
	var files []string
	cmd := &cobra.Command{
		Use:   "submit FILE...",
		Short: "Put manifests, disks, OVAs and folders into the queue",
		Long: `Put manifests, disks, OVAs and folders into the queue.

They are copied beside the queue and moved into it when they are complete, so that the daemon never sees half a file. A
manifest takes the disks that stand on the same command line with it: they become one job. Without a manifest each disk,
package or folder is a job of its own; several manifests are several jobs. Manifests are checked first, and nothing is
submitted when one of them is not valid.

--wait prints a line for each stage, and how far the conversion is every 10 seconds. The exit code is then 0 when all jobs are
done, 6 when one failed, 7 when the time ran out and 130 after ^C; the jobs go on in both of the last cases.`,
		Example: `  hyperctl manifest submit web01.vmdk
  hyperctl manifest submit -file manifest.json
  hyperctl manifest submit web01.yaml web01.vmdk --wait --timeout 2h
  hyperctl manifest submit /export/db01/ app.ova
  hyperctl manifest submit urgent.vmdk --priority high
  hyperctl manifest submit web01.yaml web01.vmdk --dry-run`,
		Args: needFiles(&files),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.timeout > 0 {
				o.wait = true
			}
			return runSubmit(cmd.Context(), con, slices.Concat(files, args), o)
		},
	}
	fileFlag(cmd, &files)
	f := cmd.Flags()
	f.BoolVar(&o.wait, "wait", false, "wait until the jobs have ended")
	timeoutFlag(f, &o.timeout, "wait for this `time` at most; implies --wait")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be done, and submit nothing")
	f.StringVar(&o.priority, "priority", "", "`when` they start: high, normal, low or a number from 1 (last) to 100 (first)")
	complete(cmd, "priority", priorityWords)
	f.StringVar(&o.name, "name", "", "`name` of the entry in the queue; only for a single job")
	return cmd
}

func runSubmit(ctx context.Context, con *console, args []string, o submitOptions) error {
	into := queue.SubmitOptions{Name: o.name}
	if o.priority != "" {
		var err error
		if into.Priority, err = readPriority(o.priority); err != nil {
			return err
		}
	}
	parcels, err := con.pack(ctx, args)
	if err != nil {
		return err
	}
	if f := invalid(documents(parcels)); f != nil {
		if !con.opts.output.machine() {
			for _, d := range documents(parcels) {
				if err := d.problems.Write(con.err, d.content); err != nil {
					return err
				}
			}
			f.why = "nothing was submitted"
		}
		return f
	}
	for _, p := range parcels { // before the first of them is copied
		if err := queue.CheckKey(p.entryName(o.name, con.now())); err != nil {
			return deliveryFailure(p, nil, err)
		}
	}
	if o.dryRun {
		return runPlan(ctx, con, parcels)
	}
	if o.name != "" && len(parcels) > 1 {
		return usagef("--name: %s are given, and each has a name of its own", count(len(parcels), "job", "jobs"))
	}
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	var sent []submitted
	for _, p := range parcels {
		s, err := con.deliver(ctx, sp, p, into)
		if err != nil {
			return deliveryFailure(p, sent, err)
		}
		sent = append(sent, s)
		if err := con.acknowledge(s); err != nil {
			return err
		}
		if absent := p.absent(); len(absent) > 0 && len(parcels) == 1 {
			con.note("%s", absentText(p, absent))
		}
	}
	st, live, err := daemonStatus(sp)
	if err != nil {
		return err
	}
	if f := daemonFailure(live, st, sp.Dir(), con.now()); f != nil && live != liveStarting {
		if o.wait {
			f.why += "; what was submitted waits for it"
			return f
		}
		con.note("%s: what was submitted waits for it. Start it with: %s", f.what, f.try)
	}
	if !o.wait {
		return nil
	}
	var refs []queue.Submitted
	for i, s := range sent {
		if !parcels[i].companion {
			refs = append(refs, s.ref)
		}
	}
	return con.waitFor(ctx, sp, refs, o.timeout)
}

// maxAbsent bounds how many files a note names.
const maxAbsent = 5

// absentText says what a manifest waits for, and how to hand in what lies beside it.
func absentText(p parcel, absent []string) string {
	was, it := "was", "it is"
	if len(absent) > 1 {
		was, it = "were", "they are"
	}
	names := absent[:min(len(absent), maxAbsent)]
	list := strings.Join(names, ", ")
	if more := len(absent) - len(names); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	s := fmt.Sprintf("%s names %s, which %s not submitted with it: the job waits until %s in the queue", p.name(), list, was, it)
	if p.doc.path == "-" {
		return s
	}
	if files := filesIn(absent, filepath.Dir(p.doc.path)); files != "" {
		s += ". Hand in what lies beside it: hyperctl manifest submit" + files
	}
	return s
}

// submitLine is the command that hands in a manifest that was just written, with the files that it names and that are in one of dirs.
func submitLine(file string, content []byte, dirs ...string) string {
	doc := document{path: file}
	doc.drafts, _ = manifest.Load(file, content)
	return "hyperctl manifest submit -f " + quoteArg(file) + filesIn(parcel{doc: &doc}.absent(), dirs...)
}

// filesIn are arguments for files that are each in one of dirs; "" when one is not, or there are too many for a line.
func filesIn(names []string, dirs ...string) string {
	if len(names) > maxAbsent {
		return ""
	}
	var args strings.Builder
	for _, name := range names {
		path := findBeside(name, dirs)
		if path == "" {
			return ""
		}
		args.WriteString(" " + quoteArg(path))
	}
	return args.String()
}

// deliveryFailure says what did not get into the queue, and what did.
func deliveryFailure(p parcel, sent []submitted, err error) error {
	f := *explainError(err)
	if !errors.Is(err, context.Canceled) {
		f.what, f.why, f.err = "cannot submit "+p.name(), err.Error(), err
	} else {
		f.what, f.err = "interrupted: "+p.name()+" was not submitted", err
	}
	if len(sent) > 0 {
		var names []string
		for _, s := range sent {
			names = append(names, s.Name)
		}
		f.why = strings.TrimPrefix(f.why+"; submitted were "+strings.Join(names, ", "), "; ")
	}
	return &f
}

// submitted is an entry that is in the queue.
type submitted struct {
	Time time.Time `json:"time"`
	Type string    `json:"type"` // submitted: the events of --wait, which have other types, follow it
	Name string    `json:"name"`
	Path string    `json:"path"`
	From string    `json:"from"`
	ref  queue.Submitted
}

// row implements tabular: the same columns as the events that follow.
func (s submitted) row() any {
	return eventRow{Time: s.Time, Type: s.Type, Name: s.Name, State: queue.Queued, Message: s.From}
}

// acknowledge says that an entry is in the queue.
func (c *console) acknowledge(s submitted) error {
	return printLine(c, s, s.Name, fmt.Sprintf("%s %s submitted as %s", c.now().Format(time.TimeOnly), clean(s.From), clean(s.Name)))
}

// printLine prints one of several results that come one by one: JSON is then JSON lines, and YAML a stream of documents.
func printLine(c *console, doc any, name, people string) error {
	switch {
	case c.opts.output == outName:
		_, err := fmt.Fprintln(c.out, clean(name))
		return err
	case c.opts.output.documents():
		b, err := c.encodeOne(doc)
		if err != nil {
			return err
		}
		_, err = c.out.Write(b)
		return err
	case c.opts.quiet:
		return nil
	}
	_, err := fmt.Fprintln(c.out, people)
	return err
}

// entryName is the name that a parcel gets in the drop zone.
func (p parcel) entryName(wanted string, now time.Time) string {
	several := p.doc != nil && len(p.paths) > 0 || len(p.paths) > 1
	ext := ""
	switch {
	case several:
		ext = ".job"
	case p.doc != nil:
		ext = p.doc.extension()
	case !isDir(p.paths[0]):
		ext = filepath.Ext(p.paths[0])
	}
	switch {
	case wanted != "":
		return strings.TrimSuffix(wanted, ext) + ext
	case p.doc == nil:
		abs, err := filepath.Abs(p.paths[0])
		if err != nil {
			abs = p.paths[0]
		}
		if base := filepath.Base(abs); several {
			return strings.TrimSuffix(base, filepath.Ext(base)) + ext
		}
		return filepath.Base(abs)
	case p.doc.path == "-":
		return "stdin-" + now.Format("20060102-150405") + ext
	}
	base := filepath.Base(p.doc.path)
	return strings.TrimSuffix(base, filepath.Ext(base)) + ext
}

// extension is the one that says what a manifest is written in.
func (d document) extension() string {
	switch {
	case d.path != "-":
		return filepath.Ext(d.path)
	case strings.HasPrefix(strings.TrimSpace(string(d.content)), "{"):
		return ".json"
	}
	return ".yaml"
}
