package cutdisk

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Sweep takes away what a server that was killed left mounted below a directory: its own mount, and file systems on disks of it. Mounts of
// servers that answer stay.
func Sweep(below string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	var dead []string
	var disks [][2]string // where, and of what
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if len(place) < 5 || len(kind) < 2 || !strings.HasPrefix(place[4], below+"/") {
			continue
		}
		if kind[0] == "fuse.cutdisk" {
			if isDead(place[4]) {
				dead = append(dead, place[4])
			}
		} else if loop, ok := strings.CutPrefix(kind[1], "/dev/loop"); ok {
			b, _ := os.ReadFile("/sys/block/loop" + loop + "/loop/backing_file")
			disks = append(disks, [2]string{place[4], strings.TrimSpace(string(b))})
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	var errs []error
	for _, server := range dead {
		for _, disk := range disks {
			if strings.HasPrefix(disk[1], server+"/") {
				errs = append(errs, unix.Unmount(disk[0], unix.MNT_DETACH))
			}
		}
		errs = append(errs, unix.Unmount(server, unix.MNT_DETACH))
	}
	return errors.Join(errs...)
}

// answerWait is how long a server may take to show that it lives.
const answerWait = 2 * time.Second

// isDead says whether nobody serves a mount any more. One that does not answer at all is somebody's.
func isDead(dir string) bool {
	answer := make(chan error, 1)
	go func() {
		var st unix.Statfs_t
		answer <- unix.Statfs(dir, &st)
	}()
	select {
	case err := <-answer:
		return errors.Is(err, unix.ENOTCONN)
	case <-time.After(answerWait):
		return false
	}
}
