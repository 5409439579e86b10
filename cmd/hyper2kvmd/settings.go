package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"hyper2kvm/internal/config"
	"hyper2kvm/internal/daemon"
	"hyper2kvm/internal/manifest"
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
func settingsOf(c config.Config) daemon.Settings {
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
	}
}

func levelOf(name string) slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // checked by Validate
	return l
}
