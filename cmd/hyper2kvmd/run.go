package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"hyper2kvm/internal/accel"
	"hyper2kvm/internal/daemon"
	"hyper2kvm/internal/queue"
	"hyper2kvm/internal/version"
)

// orphanWait is how long a start waits for the children of a killed daemon, which end when their stdin closes.
const orphanWait = 30 * time.Second

// runDaemon is everything that one start of the daemon does.
func runDaemon(ctx context.Context, o options, flags *pflag.FlagSet, out io.Writer) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // from here on: before the daemon is ready, a wish to reload must not end it
	defer signal.Stop(hup)
	c, err := loadConfig(o, flags)
	if err != nil {
		return err
	}
	if o.checkConfig {
		fmt.Fprintln(out, "the configuration is valid")
		return nil
	}
	var file *reopenWriter
	log := newLogger(levelOf(c.LogLevel), nil)
	if c.LogFile != "" {
		if file, err = openLog(c.LogFile); err != nil {
			return &exitCode{exitConfig, err}
		}
		log = newLogger(levelOf(c.LogLevel), file)
	}
	settings, err := settingsOf(c)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return &exitCode{exitError, err}
	}
	tell := newNotifier(log)
	d, err := daemon.New(ctx, daemon.Options{
		Settings: settings, Spawner: daemon.Spawner{Path: self, Args: []string{"job"}},
		Version: version.Get().Version, Clock: time.Now, Log: log, LockWait: orphanWait,
		Accel: acceleration(c.WorkflowDir, log), Watch: tell.watch(), Before: stepHook(c.WorkflowDir),
	})
	if errors.Is(err, queue.ErrLocked) {
		return &exitCode{exitConflict, err}
	}
	if errors.Is(err, context.Canceled) {
		return nil // it was told to stop before it was ready
	}
	if err != nil {
		return &exitCode{exitError, err}
	}
	defer func() {
		if err := d.Close(); err != nil {
			log.Error("close the workflow directory", "error", err)
		}
	}()
	hurry := watchSignals(ctx, hup, func() {
		defer tell.reloading()()
		reload(d, o, flags, file, log)
	}, tell.stopping)
	log.Info("hyper2kvmd starts", "version", version.Get().Version, "workflow_dir", c.WorkflowDir, "output_dir", c.OutputDir,
		"mode", c.Mode, "workers", c.MaxJobs)
	tell.ready()
	if !o.once {
		return d.Run(ctx, hurry)
	}
	held, err := d.Once(ctx, hurry)
	for _, h := range held {
		fmt.Fprintf(out, "%s: %q: %s\n", h.State, h.Name, h.Reason)
	}
	if err != nil {
		return &exitCode{exitError, err}
	}
	if n := d.Failed(); n > 0 {
		return &exitCode{exitJobFailed, fmt.Errorf("%d jobs failed; see them: hyperctl --workflow-dir %s workflow list --status failed", n, c.WorkflowDir)}
	}
	return nil
}

// acceleration tries KVM by starting a VM, and keeps the answer beside the queue's own files: some hosts have a /dev/kvm that does not work.
func acceleration(workflowDir string, log *slog.Logger) daemon.Accelerator {
	return func(ctx context.Context) (kvm bool, why string) {
		res, err := accel.Remember(ctx, filepath.Join(workflowDir, ".hyper2kvm", "acceleration.json"), accel.Options{})
		if err != nil {
			log.Warn("the answer is found again at the next start", "error", err)
		}
		if !res.KVM {
			log.Info("guests are opened and tested without hardware acceleration, which is slow", "reason", res.Why)
		}
		return res.KVM, res.Why
	}
}

// watchSignals calls reload for each signal of hup, and stopping with the first SIGTERM or SIGINT. The context that it returns ends
// with the second.
func watchSignals(ctx context.Context, hup <-chan os.Signal, reload, stopping func()) (hurry context.Context) {
	hurry, cancel := context.WithCancel(context.WithoutCancel(ctx))
	end := make(chan os.Signal, 2)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	go func() {
		for seen := 0; ; {
			select {
			case <-hup:
				reload()
			case <-end: // the first one ends ctx too
				if seen++; seen == 2 {
					cancel()
					return
				}
				stopping()
			}
		}
	}()
	return hurry
}

// reload reads the configuration again; what is not valid, or needs a restart, leaves the old one in force.
func reload(d *daemon.Daemon, o options, flags *pflag.FlagSet, file *reopenWriter, log *slog.Logger) {
	if file != nil {
		if err := file.Reopen(); err != nil {
			log.Error("the log file could not be opened again", "error", err)
		}
	}
	c, err := loadConfig(o, flags)
	var later []string
	var next daemon.Settings
	if err == nil {
		next, err = settingsOf(c)
	}
	if err == nil {
		later, err = d.Reload(next)
	} else {
		d.ReloadRefused()
	}
	if err != nil {
		log.Error("reload: the old configuration stays", "error", err)
		return
	}
	if len(later) > 0 {
		log.Warn("these settings hold from the next start on", "keys", later)
	}
	log.Info("configuration reloaded", "workers", c.MaxJobs)
}
