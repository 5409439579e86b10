package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// globalOptions are the flags that every command has.
type globalOptions struct {
	output       outputMode
	color        colorMode
	progress     progressMode
	accessible   bool   // as --accessible says; see console.accessible
	theme        string // of the full screen, as the environment and the file say
	noHeaders    bool
	quiet        bool
	verbose      bool
	fields       []string // of --json
	template     *template.Template
	workflowDir  string
	dirOrigin    string            // where workflowDir comes from, for messages
	origins      map[string]string // where each setting comes from that is not the default
	daemonConfig string
}

// defaultDaemonConfig is where the packages put the daemon's configuration.
const defaultDaemonConfig = "/etc/hyper2kvm/workflow-daemon.yaml"

// defaultWorkflowDirs are where the daemon keeps its workflow in mode disk and in mode manifest, unless told otherwise.
var defaultWorkflowDirs = []string{"/var/lib/hyper2kvm/workflow", "/var/lib/hyper2kvm/manifest-workflow"}

// settingNames are the keys of the configuration file; each is also an environment variable HYPERCTL_<NAME>.
var settingNames = []string{
	"workflow-dir", "output", "template", "json", "color", "progress", "accessible", "no-headers", "quiet", "verbose", "theme", "daemon-config",
}

// readSettings settles the global options: flag, then HYPERCTL_<NAME>, then the user's configuration file, then the default.
func (c *console) readSettings(flags *pflag.FlagSet) error {
	v := viper.New()
	for _, name := range settingNames {
		key := strings.ReplaceAll(name, "-", "_")
		if s := c.getenv("HYPERCTL_" + strings.ToUpper(key)); s != "" {
			v.Set(key, s)
		}
	}
	file := c.userConfig()
	if file != "" {
		v.SetConfigFile(file)
		v.SetConfigType("yaml")
		err := v.ReadInConfig()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			file = ""
		case errors.Is(err, fs.ErrPermission): // runuser and sudo may leave HOME as it was
			return &failure{exit: exitDenied, what: "cannot read " + file, why: "this user has no access to it",
				try: "env XDG_CONFIG_HOME=/nonexistent hyperctl ..., which does without the file, or set HOME to this user's own", err: err}
		case err != nil:
			return &failure{exit: exitError, what: "cannot read " + file, why: cleanLine(err.Error()), err: err}
		}
	}
	for _, key := range v.AllKeys() {
		if !slices.Contains(settingNames, strings.ReplaceAll(key, "_", "-")) {
			return &failure{exit: exitError, what: fmt.Sprintf("%s: unknown setting %q", file, key),
				why: "the settings are " + strings.ReplaceAll(strings.Join(settingNames, ", "), "-", "_")}
		}
	}
	c.opts.origins = map[string]string{}
	for _, name := range settingNames {
		key := strings.ReplaceAll(name, "-", "_")
		f := flags.Lookup(name)
		if f != nil && f.Changed {
			c.opts.origins[name] = "--" + name
		}
		if !v.IsSet(key) || f != nil && f.Changed || name == "template" && flags.Changed("output") {
			continue
		}
		origin := "HYPERCTL_" + strings.ToUpper(key)
		c.opts.origins[name] = origin
		if c.getenv(origin) == "" {
			origin = file
			c.opts.origins[name] = fmt.Sprintf("%s:%d", file, lineOf(file, key))
		}
		if name == "theme" {
			c.opts.theme = v.GetString(key)
		}
		if f == nil {
			continue
		}
		if err := f.Value.Set(v.GetString(key)); err != nil {
			return usagef("%s: %s %q: %s", origin, key, v.GetString(key), err)
		}
		if name == "workflow-dir" {
			c.opts.dirOrigin = origin
		}
	}
	if f := flags.Lookup("workflow-dir"); f != nil && f.Changed {
		c.opts.dirOrigin = "--workflow-dir"
	}
	if len(c.opts.fields) > 0 && !c.opts.output.machine() && c.opts.output != outTSV {
		c.opts.output = outJSON
	}
	c.restyle()
	return nil
}

// userConfig is the user's own configuration file, as the XDG base directories say; "" without a home.
func (c *console) userConfig() string {
	dir := c.getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		home := c.getenv("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "hyperctl", "config.yaml")
}

// findWorkflowDir decides which workflow directory a command works on: what the user said, else what the daemon's
// configuration says, else the one of the defaults that exists. Two that exist are a question, not a guess.
func findWorkflowDir(said, daemonConfig string, defaults []string) (string, error) {
	if said != "" {
		return filepath.Abs(said)
	}
	dir, err := daemonWorkflowDir(daemonConfig)
	if err != nil || dir != "" {
		return dir, err
	}
	var found []string
	for _, d := range defaults {
		if st, err := os.Stat(d); err == nil && st.IsDir() {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", &failure{exit: exitDaemon, what: "there is no workflow directory",
			why: "neither " + strings.Join(defaults, " nor ") + " exists, and nothing names another",
			try: "hyperctl --workflow-dir DIR ..., or start the daemon, which makes it: sudo systemctl start hyper2kvm-workflow"}
	}
	return "", &failure{exit: exitUsage, what: "there are several workflow directories: " + strings.Join(found, " and "),
		why: "only you know which one is meant",
		try: "export HYPERCTL_WORKFLOW_DIR=" + found[0]}
}
