package ova

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hyper2kvm/internal/machine"
)

func TestChecksums(t *testing.T) {
	disk := strings.Repeat("disk", 50_000)
	line := func(name, content string) string {
		return fmt.Sprintf("SHA256 (%s) = %x\n", name, sha256.Sum256([]byte(content)))
	}
	good := line("x.ovf", "<o/>") + line("d.vmdk", disk)
	a, err := open(pack(t, tar.FormatUSTAR, file{"d.vmdk", disk}, file{"other.mf", "rubbish"}, file{"x.mf", good}, file{"x.ovf", "<o/>"}))
	if err != nil {
		t.Fatal(err)
	}
	total, err := a.ChecksumBytes()
	if err != nil || total != int64(len(disk)+4) {
		t.Errorf("%d bytes to check: %v", total, err)
	}
	var last int64
	if err := a.VerifyChecksums(t.Context(), func(n int64) {
		if n <= last {
			t.Errorf("progress %d after %d", n, last)
		}
		last = n
	}); err != nil || last != total {
		t.Errorf("progress ended at %d: %v", last, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.VerifyChecksums(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for name, c := range map[string]struct {
		files []file
		kind  error
		says  string
	}{
		"changed disk":   {[]file{{"x.ovf", "<o/>"}, {"x.mf", good}, {"d.vmdk", disk + "!"}}, machine.ErrChecksum, "d.vmdk"},
		"missing disk":   {[]file{{"x.ovf", "<o/>"}, {"x.mf", good}}, machine.ErrMissing, "d.vmdk"},
		"bad manifest":   {[]file{{"x.ovf", "<o/>"}, {"x.mf", "what"}}, machine.ErrDescriptor, "x.mf"},
		"two manifests":  {[]file{{"x.ovf", "<o/>"}, {"a.mf", good}, {"b.mf", good}}, machine.ErrDescriptor, "2 manifests"},
		"none":           {[]file{{"x.ovf", "<o/>"}}, nil, ""},
		"in a directory": {[]file{{"vm/x.ovf", "<o/>"}, {"vm/x.mf", good}, {"vm/d.vmdk", disk}}, nil, ""},
	} {
		a, err := open(pack(t, tar.FormatUSTAR, c.files...))
		if err != nil {
			t.Fatal(err)
		}
		err = a.VerifyChecksums(t.Context(), nil)
		if !errors.Is(err, c.kind) || (err != nil && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
