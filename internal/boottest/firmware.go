package boottest

import (
	"fmt"
	"io"
	"os"
)

// OVMF is a UEFI firmware of the host: code, and the variables that a new VM begins with.
type OVMF struct {
	Code, Vars string
	// SMM says that the code keeps its variables in system management mode, and does not start on a machine without.
	SMM bool
}

// maxVars is the largest file of variables that is copied; OVMF's have 128 or 528 KiB.
const maxVars = 4 << 20

// KnownOVMF returns the places where distributions put a firmware for VMs without Secure Boot, the better ones first.
func KnownOVMF() []OVMF {
	return []OVMF{
		{Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd"},                            // Debian, Ubuntu
		{Code: "/usr/share/edk2/ovmf/OVMF_CODE.fd", Vars: "/usr/share/edk2/ovmf/OVMF_VARS.fd"},                        // Fedora
		{Code: "/usr/share/OVMF/OVMF_CODE.fd", Vars: "/usr/share/OVMF/OVMF_VARS.fd"},                                  // older ones, Alpine
		{Code: "/usr/share/edk2/x64/OVMF_CODE.4m.fd", Vars: "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},                    // Arch
		{Code: "/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", Vars: "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"},                // older Arch
		{Code: "/usr/share/edk2-ovmf/OVMF_CODE.fd", Vars: "/usr/share/edk2-ovmf/OVMF_VARS.fd"},                        // Gentoo
		{Code: "/usr/share/qemu/ovmf-x86_64-4m-code.bin", Vars: "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"},            // SUSE
		{Code: "/usr/share/qemu/ovmf-x86_64-code.bin", Vars: "/usr/share/qemu/ovmf-x86_64-vars.bin"},                  // older SUSE
		{Code: "/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", Vars: "/usr/share/edk2/ovmf/OVMF_VARS.fd", SMM: true},     // RHEL
		{Code: "/usr/share/OVMF/OVMF_CODE.secboot.fd", Vars: "/usr/share/OVMF/OVMF_VARS.fd", SMM: true},               // older RHEL
		{Code: "/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd", Vars: "/usr/share/edk2/x64/OVMF_VARS.4m.fd", SMM: true}, // Arch
	}
}

// FindOVMF returns the first firmware of KnownOVMF that this host has. Without one it is ErrUnavailable, with what to install.
func FindOVMF() (OVMF, error) {
	for _, o := range KnownOVMF() {
		if readable(o.Code) && readable(o.Vars) {
			return o, nil
		}
	}
	return OVMF{}, fmt.Errorf("boot test: %w: no UEFI firmware was found; install ovmf (Debian, Ubuntu), edk2-ovmf (Fedora, RHEL, Arch) or qemu-ovmf-x86_64 (SUSE)", ErrUnavailable)
}

func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	return err == nil && st.Mode().IsRegular()
}

// copyVars makes the VM's own copy of the variables, which a firmware writes to.
func copyVars(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxVars+1))
	if err != nil {
		return err
	}
	if len(b) > maxVars {
		return fmt.Errorf("%s has more than %d bytes", from, maxVars)
	}
	return os.WriteFile(to, b, 0o600)
}
