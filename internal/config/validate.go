package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	sy "hyper2kvm/internal/strictyaml"
)

// stateDirs are the directories of a workflow directory; no output belongs into one of them.
var stateDirs = []string{"to_be_processed", "processing", "processed", "failed", ".hyper2kvm"}

// Validate checks the settings, whichever way they were set, and completes them: an empty WorkflowDir becomes that of the mode,
// paths are cleaned, and the network level full becomes aggressive. The error is a Problems with everything that is wrong; then
// the settings are left as they were.
func (c *Config) Validate() error {
	checked := *c
	checked.ImportRoots, checked.OutputRoots = slices.Clone(c.ImportRoots), slices.Clone(c.OutputRoots)
	if faults := checked.check(); len(faults) > 0 {
		return problems("", faults)
	}
	*c = checked
	return nil
}

// check completes the settings and returns what is wrong with them. The path of a fault is the setting's flat key.
func (c *Config) check() []sy.Fault {
	k := &checker{}
	if c.NetworkFixLevel == "full" {
		c.NetworkFixLevel = "aggressive"
	}
	for key, value := range map[string]string{
		"mode": c.Mode, "log_level": c.LogLevel, "out_format": c.OutFormat, "compression": c.Compression, "fstab_mode": c.FstabMode,
		"network_fix_level": c.NetworkFixLevel,
	} {
		if words := shape.Field(key).Values; !slices.Contains(words, value) {
			k.fault(key, "", "want one of %s, got %s", strings.Join(words, ", "), sy.Quote(value))
		}
	}
	if c.WorkflowDir == "" {
		c.WorkflowDir = DefaultWorkflowDir
		if c.Mode == ModeManifest {
			c.WorkflowDir = DefaultManifestWorkflowDir
		}
	}
	c.WorkflowDir = k.dir("workflow_dir", c.WorkflowDir)
	c.OutputDir = k.dir("output_dir", c.OutputDir)
	if c.LogFile != "" {
		c.LogFile = k.dir("log_file", c.LogFile)
	}
	if c.AgentPackages != "" {
		c.AgentPackages = k.dir("agent_packages", c.AgentPackages)
	}
	k.guests(*c)
	k.retention(*c)
	k.webhook(c)
	if c.WorkflowDir == c.OutputDir {
		k.fault("output_dir", "", "the output cannot go into the workflow directory itself")
	}
	for _, d := range stateDirs {
		if inside := path.Join(c.WorkflowDir, d); c.OutputDir == inside || strings.HasPrefix(c.OutputDir, inside+"/") {
			k.fault("output_dir", "", "the output cannot go into %s, which holds jobs", d+"/")
		}
	}
	for i := range c.ImportRoots {
		c.ImportRoots[i] = k.dir("import_roots", c.ImportRoots[i])
	}
	for i := range c.OutputRoots {
		c.OutputRoots[i] = k.dir("output_roots", c.OutputRoots[i])
	}
	for _, user := range c.Operators {
		if user == "" || user == "@" || len(user) > 256 || strings.ContainsAny(user, ":/ \t\n") || user[0] == '-' || sy.Printable(user) != user {
			k.fault("operators", "", "want the name of a user, or of a group with an @ before it, got %s", sy.Quote(user))
		}
	}
	if c.MaxJobs < 1 || c.MaxJobs > MaxMaxJobs {
		k.fault("max_concurrent_jobs", "", "want a whole number from 1 to %d, got %d", MaxMaxJobs, c.MaxJobs)
	}
	levels := map[string]int{"zlib": 9, "zstd": 19}[c.Compression]
	if c.CompressLevel < 0 || (levels > 0 && c.CompressLevel > levels) {
		k.fault("compress_level", "", "%s has the levels 1 to %d, got %d", c.Compression, levels, c.CompressLevel)
	}
	for key, d := range map[string]struct{ value, least time.Duration }{
		"poll_interval": {c.PollInterval, MinPoll}, "settle": {c.Settle, 0}, "timed_settle": {c.TimedSettle, time.Second},
		"missing_timeout": {c.MissingTimeout, time.Second}, "truncated_grace": {c.TruncatedGrace, 0}, "stop_timeout": {c.StopTimeout, 0}, "stall_timeout": {c.StallTimeout, time.Second},
		"boot_timeout": {c.BootTimeout, minBoot}, "retention_age": {c.RetentionAge, 0}, "retention_records": {c.RetentionRecords, 0},
	} {
		if d.value < d.least || d.value > sy.MaxDuration {
			k.fault(key, "", "want a duration from %s to %s, got %s", d.least, sy.MaxDuration, d.value)
		}
	}
	slices.SortFunc(k.faults, func(a, b sy.Fault) int { return strings.Compare(a.Path, b.Path) })
	return k.faults
}

type checker struct{ faults []sy.Fault }

func (k *checker) fault(key, hint, format string, args ...any) {
	k.faults = append(k.faults, sy.Fault{Reason: sy.Value, Path: key, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// dir checks an absolute path and cleans it.
func (k *checker) dir(key, s string) string {
	switch {
	case sy.Printable(s) != s:
		k.fault(key, "", "the path %s holds a character that cannot be printed", sy.Quote(s))
	case !path.IsAbs(s):
		k.fault(key, "begin with a slash", "want an absolute path, got %s", sy.Quote(s))
	case slices.Contains(strings.Split(s, "/"), ".."):
		k.fault(key, "write the path without ..", "the path %s climbs with ..", sy.Quote(s))
	default:
		return path.Clean(s)
	}
	return s
}

// guests checks what jobs do with guests and results.
func (k *checker) guests(c Config) {
	for _, target := range c.NetworkMap {
		kind, name, found := strings.Cut(target, ":")
		if !found || (kind != "network" && kind != "bridge") || name == "" || sy.Printable(name) != name || strings.ContainsAny(name, "/\\ ") {
			k.fault("network_map", "", "want network:NAME or bridge:NAME, got %s", sy.Quote(target))
		}
	}
	if c.GuestMemory != 0 && c.GuestMemory < minGuestMemory {
		k.fault("guest_memory_mb", "", "one appliance needs %d MiB, got %d; 0 is half of the host's memory", minGuestMemory, c.GuestMemory)
	}
	if c.OutputMode < 0 || c.OutputMode > 0o777 || c.OutputMode&0o400 == 0 {
		k.fault("output_mode", "", "want permissions from 0400 to 0777 with which the owner can read, got %#o", c.OutputMode)
	}
	for key, name := range map[string]string{"output_owner": c.OutputOwner, "output_group": c.OutputGroup, "output_label": c.OutputLabel} {
		if name != "" && (len(name) > 256 || sy.Printable(name) != name || strings.ContainsAny(name, "/ \t")) {
			k.fault(key, "", "want a name or a number, got %s", sy.Quote(name))
		}
	}
}

// minGuestMemory is what one appliance takes, in MiB.
const minGuestMemory = 1536
