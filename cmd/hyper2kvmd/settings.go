package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"golang.org/x/sys/unix"

	"hyper2kvm/internal/config"
	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/daemon"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// defaultConfig is read where it exists and no other is named.
const defaultConfig = "/etc/hyper2kvm/workflow-daemon.yaml"

// killAfter is how long a job has after SIGTERM before SIGKILL.
const killAfter = 10 * time.Second

// loadConfig reads the file and lays flags and environment over it.
func loadConfig(o options, flags *pflag.FlagSet) (config.Config, error) {
	path := o.config
	if path == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			path = defaultConfig
		}
	}
	c := config.Default()
	if path != "" {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return c, &exitCode{exitConfig, fmt.Errorf("%w; an example stands in examples/workflow-daemon.yaml", err)}
		}
		if err != nil {
			return c, &exitCode{exitConfig, err}
		}
		c, err = config.Parse(path, b)
		if err != nil {
			return c, &exitCode{exitConfig, describe(err, b)}
		}
	}
	if err := overlay(&c, flags); err != nil {
		return c, &exitCode{exitUsage, err}
	}
	if err := c.Validate(); err != nil {
		return c, &exitCode{exitConfig, describe(err, nil)}
	}
	return c, nil
}

// describe prints every problem of a configuration with its line.
func describe(err error, source []byte) error {
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		return err
	}
	var text strings.Builder
	_ = problems.Write(&text, source) // a Builder takes everything
	return fmt.Errorf("%w:\n%s", config.ErrInvalid, strings.TrimRight(text.String(), "\n"))
}

// overlay lays flags, and HYPER2KVMD_* of the environment, over what the file says.
func overlay(c *config.Config, flags *pflag.FlagSet) error {
	v := viper.New()
	v.SetEnvPrefix("HYPER2KVMD")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	texts := map[string]*string{
		"workflow-dir": &c.WorkflowDir, "output-dir": &c.OutputDir, "mode": &c.Mode, "log-file": &c.LogFile, "log-level": &c.LogLevel,
	}
	given := func(key string) bool {
		f := flags.Lookup(key)
		if f.Changed {
			_ = v.BindPFlag(key, f) // f is not nil
		}
		return f.Changed || v.IsSet(key)
	}
	for key, into := range texts {
		if given(key) {
			*into = v.GetString(key)
		}
	}
	for _, dir := range []*string{&c.WorkflowDir, &c.OutputDir, &c.LogFile} {
		if *dir == "" {
			continue
		}
		abs, err := filepath.Abs(*dir) // a flag may be relative to where the person stands
		if err != nil {
			return err
		}
		*dir = abs
	}
	if given("max-concurrent-jobs") {
		c.MaxJobs = v.GetInt("max-concurrent-jobs")
	}
	return nil
}

// settingsOf turns the configuration into what the daemon runs by.
func settingsOf(c config.Config) (daemon.Settings, error) {
	owner, err := ownership(c)
	if err != nil {
		return daemon.Settings{}, &exitCode{exitConfig, err}
	}
	hook, err := webhookOf(c)
	if err != nil {
		return daemon.Settings{}, &exitCode{exitConfig, err}
	}
	return daemon.Settings{
		Mode: c.Mode, WorkflowDir: c.WorkflowDir, OutputDir: c.OutputDir, Workers: c.MaxJobs,
		Defaults: manifest.Defaults{
			Format: c.OutFormat, Compress: c.Compress, Compression: c.Compression, Level: c.CompressLevel, Flatten: c.Flatten,
			FstabMode: c.FstabMode, Grub: c.FixGrub, Initramfs: c.RegenInitramfs, Network: c.FixNetwork, NetworkLevel: c.NetworkFixLevel,
			RemoveTools: c.RemoveVMwareTools, Inspect: c.Inspect, Fix: c.Fix, Validate: c.ValidateResult, BootTest: c.BootTest,
			Serial: c.SerialConsole, Compact: c.Compact, Networks: c.NetworkMap,
		},
		ImportRoots: c.ImportRoots, OutputRoots: c.OutputRoots, Operators: c.Operators,
		Settle: c.Settle, TimedSettle: c.TimedSettle, MissingTimeout: c.MissingTimeout, TruncatedGrace: c.TruncatedGrace,
		Rescan: c.PollInterval, StallTimeout: c.StallTimeout, StopTimeout: c.StopTimeout, KillAfter: killAfter,
		GuestMemory: guestMemory(c.GuestMemory), BootTimeout: c.BootTimeout, AgentPackages: c.AgentPackages, Owner: owner,
		Retention: queue.Retention{Age: c.RetentionAge, Count: c.RetentionCount, Free: c.RetentionFree, Records: c.RetentionRecords, Failed: c.RetentionFailed},
		Webhook:   hook, Sandbox: c.Sandbox,
	}, nil
}

// guestMemory is the budget of appliances in MiB: what the configuration says, else half of the host's memory.
func guestMemory(mib int) int64 {
	if mib > 0 {
		return int64(mib)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return fallbackMemory
	}
	return int64(info.Totalram) * int64(info.Unit) / 2 >> 20
}

// fallbackMemory is room for two appliances, in MiB.
const fallbackMemory = 4 << 10

// ownership looks up who gets the files of results.
func ownership(c config.Config) (convert.Ownership, error) {
	o := convert.Ownership{Label: c.OutputLabel}
	if c.OutputMode != config.Default().OutputMode { // which is how they are made
		o.Mode = uint32(c.OutputMode)
	}
	if c.OutputOwner != "" {
		id, err := accountID(c.OutputOwner, func(name string) (string, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		})
		if err != nil {
			return o, fmt.Errorf("output_owner: %w", err)
		}
		o.UID = &id
	}
	if c.OutputGroup != "" {
		id, err := accountID(c.OutputGroup, func(name string) (string, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		})
		if err != nil {
			return o, fmt.Errorf("output_group: %w", err)
		}
		o.GID = &id
	}
	return o, nil
}

// accountID is the number of a user or group that is given by number or by name.
func accountID(name string, lookup func(string) (string, error)) (int, error) {
	if id, err := strconv.Atoi(name); err == nil && id >= 0 {
		return id, nil
	}
	number, err := lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(number)
}

func levelOf(name string) slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // checked by Validate
	return l
}
