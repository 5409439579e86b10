package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// TestEarlyTarget writes enough that storing begins several times, and holds that the file has it all and may be closed at any time.
func TestEarlyTarget(t *testing.T) {
	mem := disktest.NewMemFile("x", nil)
	if got := disk.EarlyTarget(mem); got != disk.Target(mem) {
		t.Errorf("a target in memory became %T", got)
	}
	const chunk, chunks = 1 << 20, 40
	content := disktest.Random(1, chunk)
	for _, sync := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "out")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		target := disk.EarlyTarget(f)
		for i := range int64(chunks) {
			content[0] = byte(i)
			if n, err := target.WriteAt(content, i*chunk); err != nil || n != chunk {
				t.Fatalf("%d bytes, %v", n, err)
			}
		}
		if sync {
			if err := target.Sync(); err != nil {
				t.Error(err)
			}
		}
		f.Close() // an aborted copy does so while storing goes on
		got, err := os.ReadFile(path)
		if err != nil || len(got) != chunk*chunks {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		for i := range chunks {
			content[0] = byte(i)
			if string(got[i*chunk:][:chunk]) != string(content) {
				t.Fatalf("chunk %d differs", i)
			}
		}
		if err := target.Sync(); err == nil {
			t.Error("a closed file was synced")
		}
	}
}
