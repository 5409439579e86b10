package daemon

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// keepEvidence saves what a boot test left, when it fails its job: the directory that it stands in goes with the job. The files are a
// child's, so nothing is followed and only regular files are read.
func (j *job) keepEvidence(partial string, test *manifest.BootTest) {
	for name, rel := range map[string]string{queue.EvidenceSerial: test.SerialLog, queue.EvidenceScreen: test.Screenshot} {
		if rel == "" {
			continue
		}
		if err := j.keepFile(partial, rel, name); err != nil {
			j.log.line("daemon", fmt.Sprintf("%s of the boot test is not kept: %v", name, err))
		}
	}
}

func (j *job) keepFile(partial, rel, name string) error {
	dir, err := convert.OpenDirBelow(partial, filepath.Dir(rel))
	if err != nil {
		return err
	}
	defer dir.Close()
	fd, err := unix.Openat(int(dir.Fd()), filepath.Base(rel), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: rel, Err: err}
	}
	f := os.NewFile(uintptr(fd), rel)
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return &os.PathError{Op: "read", Path: rel, Err: queue.ErrNotRegular}
	}
	return j.claim.KeepEvidence(name, f)
}
