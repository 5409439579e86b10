package linux

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"hyper2kvm/internal/guest"
)

// agentPackage is what every distribution calls the agent's package.
const agentPackage = "qemu-guest-agent"

// agentPrograms is where the agent is.
var agentPrograms = []string{"/usr/sbin/qemu-ga", "/usr/bin/qemu-ga", "/sbin/qemu-ga"}

// agentInstalled reports whether the guest has qemu's agent.
func agentInstalled(ctx context.Context, tree guest.FS, db packageDB) (bool, error) {
	if _, ok := db.installed[agentPackage]; ok {
		return true, nil
	}
	return netAnyExists(ctx, tree, agentPrograms...)
}

// agentFixer installs qemu's guest agent from packages that were put into the guest.
type agentFixer struct{ packages []string }

func (agentFixer) Name() string { return agentPackage }

func (f agentFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	var p guest.Proposal
	db, err := readPackages(ctx, tree)
	if err != nil {
		return p, err
	}
	installed, err := agentInstalled(ctx, tree, db)
	if installed || err != nil {
		return p, err
	}
	commands := map[string]struct {
		suffix string
		args   []string
	}{
		"dpkg": {".deb", []string{"--install"}},
		"rpm":  {".rpm", []string{"-U"}},
		"apk":  {".apk", []string{"add", "--no-network", "--no-progress", "--allow-untrusted"}},
	}
	c, known := commands[db.manager]
	packages := slices.DeleteFunc(slices.Clone(f.packages), func(n string) bool { return path.Ext(n) != c.suffix || !path.IsAbs(n) })
	if !known || db.program == "" || len(packages) == 0 {
		p.Warnings = append(p.Warnings, guest.Warning{
			Message: "the guest agent is not installed: none of the packages given is for this guest",
			Hint:    "give a package of the guest's distribution, or install qemu-guest-agent in the guest",
		})
		return p, nil
	}
	p.Changes = []guest.Change{{
		Why: "with its agent the host can ask the guest to shut down, and freeze its file systems",
		Run: &guest.Command{
			Args: slices.Concat([]string{db.program}, c.args, packages), Env: []string{"DEBIAN_FRONTEND=noninteractive"}, Optional: true,
			Proof: "qemu-ga is installed", Prove: proveAgent,
		},
	}}
	return p, nil
}

var errNoAgent = errors.New("qemu-ga is not there")

// proveAgent looks for the agent's program: a package may be known and not unpacked.
func proveAgent(ctx context.Context, tree guest.FS) error {
	there, err := netAnyExists(ctx, tree, agentPrograms...)
	if err == nil && !there {
		err = fmt.Errorf("%w: looked for %q", errNoAgent, agentPrograms)
	}
	return err
}
