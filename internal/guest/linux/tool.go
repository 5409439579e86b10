package linux

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// toolFixers returns what takes the tools of other hypervisors away, and what installs the guest agent.
func toolFixers(o Options) []guest.Fixer {
	var fixers []guest.Fixer
	if o.RemoveTools {
		fixers = append(fixers, toolFixer{})
	}
	if len(o.AgentPackages) > 0 {
		fixers = append(fixers, agentFixer{o.AgentPackages})
	}
	return fixers
}

// installer is tools that were installed by hand and bring what takes them away.
type installer struct {
	title string
	mark  string   // the file whose absence proves that they are gone
	args  []string // nil = what takes them away is not there
}

// toolsFound is what one guest has of one kind.
type toolsFound struct {
	kind      toolKind
	packages  []string
	installer *installer
}

// inspectTools fills system.Tools: packages and installations that serve another hypervisor, and the guest agent.
func inspectTools(ctx context.Context, tree guest.FS, system *guest.System) error {
	db, err := readPackages(ctx, tree)
	if err != nil {
		return err
	}
	found, err := findTools(ctx, tree, db)
	if err != nil {
		return err
	}
	system.Tools = nil
	for _, f := range found {
		system.Tools = append(system.Tools, f.packages...)
		if f.installer != nil {
			system.Tools = append(system.Tools, f.installer.title)
		}
	}
	agent, err := agentInstalled(ctx, tree, db)
	if agent {
		system.Tools = append(system.Tools, agentPackage)
	}
	return err
}

// findTools looks for every kind.
func findTools(ctx context.Context, tree guest.FS, db packageDB) ([]toolsFound, error) {
	var list []toolsFound
	for _, k := range toolKinds {
		f := toolsFound{kind: k}
		var err error
		if f.installer, err = findInstaller(ctx, tree, k.title); err != nil {
			return nil, err
		}
		switch {
		case db.manager == "rpm" && f.installer == nil:
			if f.packages, err = rpmTools(ctx, tree, k); err != nil {
				return nil, err
			}
		default:
			for name := range db.installed {
				if k.holds(name) {
					f.packages = append(f.packages, name)
				}
			}
			slices.Sort(f.packages)
		}
		if len(f.packages) > 0 || f.installer != nil {
			list = append(list, f)
		}
	}
	return list, nil
}

// rpmTools returns the packages whose files are there.
func rpmTools(ctx context.Context, tree guest.FS, k toolKind) ([]string, error) {
	var found []string
	for _, p := range k.rpm {
		ok, err := netExists(ctx, tree, p.file)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(found, p.pkg) {
			found = append(found, p.pkg)
		}
	}
	return found, nil
}

// findInstaller looks for tools that no package manager knows.
func findInstaller(ctx context.Context, tree guest.FS, title string) (*installer, error) {
	switch title {
	case "VMware Tools":
		return findProgram(ctx, tree, installer{title: "VMware Tools (installed from VMware's archive)", mark: vmwareLocations, args: []string{"/usr/bin/vmware-uninstall-tools.pl"}})
	case "Parallels Tools":
		return findProgram(ctx, tree, installer{title: "Parallels Tools (installed from their disc)", mark: "/usr/bin/prltoolsd", args: []string{"/usr/lib/parallels-tools/install", "-r"}})
	case "VirtualBox Guest Additions":
		text, err := tree.ReadFile(ctx, "/var/lib/VBoxGuestAdditions/config")
		if err != nil {
			if netUnreadable(err) {
				return nil, nil
			}
			return nil, err
		}
		vars := parseShellVars(text)
		dir, _ := vars.Get("INSTALL_DIR")
		program, ok := vars.Get("UNINSTALLER")
		if !ok {
			program = "uninstall.sh"
		}
		i := installer{title: "VirtualBox Guest Additions (installed from their disc)", mark: "/var/lib/VBoxGuestAdditions/config"}
		if full := path.Join(dir, program); path.IsAbs(dir) && path.Clean(dir) == dir && path.Dir(full) == dir {
			i.args = []string{full}
		}
		return findProgram(ctx, tree, i)
	}
	return nil, nil
}

// findProgram returns the installer if its mark is there, without a command where that is not.
func findProgram(ctx context.Context, tree guest.FS, i installer) (*installer, error) {
	there, err := netExists(ctx, tree, i.mark)
	if !there || err != nil {
		return nil, err
	}
	if len(i.args) > 0 {
		info, err := tree.Stat(ctx, i.args[0])
		switch {
		case err != nil && !netUnreadable(err):
			return nil, err
		case err != nil || !info.Mode.IsRegular() || info.Mode&0o111 == 0:
			i.args = nil
		}
	}
	return &i, nil
}

// vmwareLocations is the database of VMware's own installer.
const vmwareLocations = "/etc/vmware-tools/locations"

// toolFixer removes the tools of other hypervisors, or keeps them from starting where they cannot be removed cleanly.
type toolFixer struct{}

func (toolFixer) Name() string { return "hypervisor-tools" }

func (toolFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	var p guest.Proposal
	db, err := readPackages(ctx, tree)
	if err != nil {
		return p, err
	}
	found, err := findTools(ctx, tree, db)
	if err != nil {
		return p, err
	}
	for _, f := range found {
		if f.installer != nil {
			if err := uninstall(ctx, tree, f, &p); err != nil {
				return p, err
			}
		}
		if len(f.packages) == 0 {
			continue
		}
		runs, blocked := db.removal(f)
		if blocked == "" {
			p.Changes = append(p.Changes, runs...)
			continue
		}
		if err := maskTools(ctx, tree, f, blocked, &p); err != nil {
			return p, err
		}
	}
	return p, nil
}

// uninstall proposes the tools' own way out. They are masked before: should it fail, they don't start.
func uninstall(ctx context.Context, tree guest.FS, f toolsFound, p *guest.Proposal) error {
	i := *f.installer
	why := i.title + " serve another hypervisor"
	if len(i.args) == 0 {
		return maskTools(ctx, tree, f, "what would uninstall them is not there", p)
	}
	masks, err := maskServices(ctx, tree, f.kind, why+"; should their own uninstaller fail, they don't start")
	if err != nil {
		return err
	}
	p.Changes = append(p.Changes, masks...)
	if i.mark == vmwareLocations {
		if err := dropRestores(ctx, tree, p); err != nil {
			return err
		}
	}
	p.Changes = append(p.Changes, guest.Change{Why: why, Run: &guest.Command{
		Args: i.args, Optional: true, Proof: i.mark + " is gone", Prove: gone(i.mark),
	}})
	return nil
}

// dropRestores takes VMware's list of files to restore away: they are as old as the installation, and would undo later changes.
func dropRestores(ctx context.Context, tree guest.FS, p *guest.Proposal) error {
	text, err := tree.ReadFile(ctx, vmwareLocations)
	if err != nil {
		return err
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "answer RESTORE_") {
			b.WriteString(line)
		}
	}
	c, ok, err := guest.Edit(ctx, tree, vmwareLocations, "the uninstaller must not bring back files as they were before the tools", []byte(b.String()))
	if ok {
		p.Changes = append(p.Changes, c)
	}
	return err
}

// gone proves that a file is not there.
func gone(name string) func(context.Context, guest.FS) error {
	return func(ctx context.Context, tree guest.FS) error {
		there, err := netExists(ctx, tree, name)
		if there {
			return fmt.Errorf("%s is still there", name)
		}
		return err
	}
}

var errStillInstalled = errors.New("is still installed")
