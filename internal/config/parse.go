package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	sy "hyper2kvm/internal/strictyaml"
)

// Parse reads a configuration file: YAML, or JSON when its name ends in .json. What the file leaves out has its default. The
// error is a Problems with every fault at its line and column. An empty file is a configuration; it leaves all out.
func Parse(name string, b []byte) (Config, error) {
	c := Default()
	if empty(b) {
		return c, nil
	}
	root, faults := sy.Parse(name, b)
	if root == nil {
		return Config{}, problems(name, faults)
	}
	faults = append(faults, shape.Check(root)...)
	r := &reader{root: root, faults: faults}
	r.read(&c)
	if len(r.faults) == 0 {
		// Validate knows no lines; its problems get those of the keys that they name.
		bad := c
		for _, p := range bad.check() {
			if n := r.find(p.Path); n != nil {
				p.Pos = n.Pos
			}
			r.faults = append(r.faults, p)
		}
	}
	if len(r.faults) > 0 {
		return Config{}, problems(name, r.faults)
	}
	return c, nil
}

// empty reports whether a file has nothing but blanks and comments.
func empty(b []byte) bool {
	if len(b) > sy.MaxBytes {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return false
		}
	}
	return true
}

// reader takes the settings from a checked document.
type reader struct {
	root   *sy.Node
	faults []sy.Fault
}

// find returns the value of a setting by its flat key, wherever the file has it.
func (r *reader) find(key string) *sy.Node {
	if n := r.root.Get(key); n != nil {
		return n
	}
	if at := nested[key]; at != "" {
		return r.root.Get("workflow", at)
	}
	return nil
}

// nested are the keys that may stand under workflow, by their flat names.
var nested = map[string]string{"workflow_dir": "base_dir", "max_concurrent_jobs": "max_workers", "poll_interval": "poll_interval"}

func (r *reader) read(c *Config) {
	for flat, inner := range nested {
		if n := r.root.Get("workflow", inner); n != nil && r.root.Has(flat) {
			r.faults = append(r.faults, sy.Fault{Reason: sy.Conflict, Pos: n.KeyPos, Path: "workflow." + inner,
				Message: "the same setting stands as " + sy.Quote(flat) + " at the top", Hint: "remove one of them"})
		}
	}
	if n := r.root.Get("workflow_mode"); n.Bool() != nil && !*n.Bool() {
		r.faults = append(r.faults, sy.Fault{Reason: sy.Value, Pos: n.Pos, Path: "workflow_mode", Message: "the daemon has no other mode of work", Hint: "write true, or remove the key"})
	}
	for key, into := range map[string]*string{
		"mode": &c.Mode, "workflow_dir": &c.WorkflowDir, "output_dir": &c.OutputDir, "log_file": &c.LogFile, "log_level": &c.LogLevel,
		"out_format": &c.OutFormat, "compression": &c.Compression, "fstab_mode": &c.FstabMode, "network_fix_level": &c.NetworkFixLevel,
		"agent_packages": &c.AgentPackages, "output_owner": &c.OutputOwner, "output_group": &c.OutputGroup, "output_label": &c.OutputLabel,
		"webhook_url": &c.WebhookURL, "webhook_secret_file": &c.WebhookSecretFile,
	} {
		if v := r.find(key).Text(); v != nil {
			*into = *v
		}
	}
	for key, into := range map[string]*bool{
		"compress": &c.Compress, "flatten": &c.Flatten, "inspect": &c.Inspect, "fix": &c.Fix, "regen_initramfs": &c.RegenInitramfs,
		"fix_grub": &c.FixGrub, "fix_network": &c.FixNetwork, "remove_vmware_tools": &c.RemoveVMwareTools, "validate": &c.ValidateResult,
		"boot_test": &c.BootTest, "serial_console": &c.SerialConsole, "compact": &c.Compact, "sandbox": &c.Sandbox,
		"retention_failed": &c.RetentionFailed,
	} {
		if v := r.find(key).Bool(); v != nil {
			*into = *v
		}
	}
	for key, into := range map[string]*int{"max_concurrent_jobs": &c.MaxJobs, "compress_level": &c.CompressLevel} {
		if v := r.find(key).Int(); v != nil && *v >= 1 && *v <= MaxMaxJobs {
			*into = int(*v)
		}
	}
	for key, into := range map[string]*time.Duration{
		"poll_interval": &c.PollInterval, "settle": &c.Settle, "timed_settle": &c.TimedSettle, "missing_timeout": &c.MissingTimeout, "truncated_grace": &c.TruncatedGrace,
		"stop_timeout": &c.StopTimeout, "stall_timeout": &c.StallTimeout, "boot_timeout": &c.BootTimeout,
		"retention_age": &c.RetentionAge, "retention_records": &c.RetentionRecords,
	} {
		if v, ok := r.find(key).Duration(); ok {
			*into = v
		}
	}
	r.guests(c)
	r.retention(c)
	for key, into := range map[string]*[]string{
		"import_roots": &c.ImportRoots, "output_roots": &c.OutputRoots, "operators": &c.Operators, "webhook_events": &c.WebhookEvents,
	} {
		switch n := r.find(key); {
		case n == nil:
		case n.Kind == sy.Text:
			*into = []string{n.Value}
		case n.Kind == sy.List:
			for _, item := range n.Items {
				if item.Kind == sy.Text && !slices.Contains(*into, item.Value) {
					*into = append(*into, item.Value)
				}
			}
		}
	}
}

// guests reads what jobs do with guests and results, where the value is no plain word.
func (r *reader) guests(c *Config) {
	if v := r.find("guest_memory_mb").Int(); v != nil && *v >= 0 && *v <= maxGuestMemory {
		c.GuestMemory = int(*v)
	}
	if n := r.find("output_mode"); n.Text() != nil {
		mode, err := strconv.ParseUint(*n.Text(), 8, 16)
		if err != nil || mode > 0o777 {
			r.faults = append(r.faults, sy.Fault{Reason: sy.Value, Pos: n.Pos, Path: "output_mode",
				Message: "want permissions in octal as in \"0640\", got " + sy.Quote(*n.Text())})
			return
		}
		c.OutputMode = int(mode)
	}
	if n := r.find("network_map"); n != nil && n.Kind == sy.Map {
		c.NetworkMap = map[string]string{}
		for _, e := range n.Entries {
			if e.Value.Kind == sy.Text {
				c.NetworkMap[e.Key] = e.Value.Value
			}
		}
	}
}
