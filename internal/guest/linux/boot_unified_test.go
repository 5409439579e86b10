package linux

import (
	"encoding/binary"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// cmdlineImage is a PE image with a section .cmdline.
func cmdlineImage(cmdline string) []byte {
	b := make([]byte, 512)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[60:], 64)
	copy(b[64:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[64+6:], 2) // sections
	binary.LittleEndian.PutUint16(b[64+20:], 16)
	table := b[64+24+16:]
	copy(table, ".initrd")
	copy(table[40:], ".cmdline")
	binary.LittleEndian.PutUint32(table[40+8:], uint32(len(cmdline)))
	binary.LittleEndian.PutUint32(table[40+16:], 512)
	binary.LittleEndian.PutUint32(table[40+20:], 512)
	b = append(b, cmdline...)
	return append(b, make([]byte, 512)...)
}

func TestUnifiedImageIsNamed(t *testing.T) {
	for cmdline, want := range map[string]string{
		"root=/dev/sda1 ro quiet\n": `"root=/dev/sda1"`, "quiet resume=/dev/sdz1": `"resume=/dev/sdz1"`, "root=UUID=aaaa-1 ro": "", "root=/dev/vg/lv": "", "": "",
	} {
		tree := guesttest.NewTree()
		tree.Put("/boot/efi/EFI/Linux/a.efi", guest.File{Data: cmdlineImage(cmdline), Mode: 0o755})
		work, err := guest.NewWork(t.Context(), fuzzSystem(), tree, bootFixers(Options{BootLoader: true}))
		if err != nil || len(work.Changes) > 0 {
			t.Fatalf("%q: %v, %v", cmdline, work.Changes, err)
		}
		switch {
		case want == "" && len(work.Warnings) > 0:
			t.Errorf("%q: %+v", cmdline, work.Warnings)
		case want != "" && (len(work.Warnings) != 1 || !strings.Contains(work.Warnings[0].Message, want)):
			t.Errorf("%q: %+v, want %s", cmdline, work.Warnings, want)
		}
	}
}
