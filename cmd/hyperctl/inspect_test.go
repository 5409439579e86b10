package main

import (
	"bytes"
	"strings"
	"testing"

	"hyper2kvm/internal/manifest"
)

// TestInspectWithoutASystem tells a guest that nobody could look into from disks that hold none.
func TestInspectWithoutASystem(t *testing.T) {
	for code, want := range map[string]string{
		manifest.CodeFixUnavailable: "System     not known, see the warning H2K-FIX-001",
		manifest.CodeGuestEncrypted: "System     not known, see the warning H2K-GST-002",
		manifest.CodeGuestUnknown:   "System     none was found",
	} {
		var b bytes.Buffer
		inspectDoc{Name: "x", Warnings: []manifest.Warning{{Code: code, Message: "why"}}}.write(&b, style{})
		if !strings.Contains(b.String(), want) || !strings.Contains(b.String(), code+" why") {
			t.Errorf("%s: %s", code, b.String())
		}
	}
}
