package guestfs

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// socketPath is the argument of qemu that names the socket to the appliance's daemon. libguestfs makes its directory below /tmp when it
// runs as root, whatever the environment says, and removes it only when it ends by itself.
var socketPath = regexp.MustCompile(`[=,](/[^,\x00]*/libguestfs[A-Za-z0-9]{6})/guestfsd\.sock`)

// socketDir returns the directory of the sockets of the appliance that runs in a process group, "" if none is found.
func socketDir(group int) string {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return ""
	}
	for _, name := range lines {
		b, err := os.ReadFile(name)
		if err != nil { // it has ended
			continue
		}
		if m := socketPath.FindSubmatch(b); m != nil && groupOf(filepath.Dir(name)) == group {
			return string(m[1])
		}
	}
	return ""
}

// socketPoll is how often it is looked for the sockets of an appliance that starts, which takes seconds.
const socketPoll = 500 * time.Millisecond

// watchSockets looks for the directory of the sockets until it is found or the function that it returns is called, which tells it.
func watchSockets(group int) (seen func() string) {
	end, found := make(chan struct{}), make(chan string, 1)
	go func() {
		tick := time.NewTicker(socketPoll)
		defer tick.Stop()
		for {
			dir := socketDir(group)
			select {
			case <-end: // looked for once more after the start
				found <- dir
				return
			default:
			}
			if dir != "" {
				found <- dir
				return
			}
			select {
			case <-tick.C:
			case <-end:
			}
		}
	}()
	return func() string { close(end); return <-found }
}

// dropSockets removes what libguestfs left of the directory; "" is none. It goes by the names in it, because a confined process may remove
// what is there and not list it.
func dropSockets(dir string) {
	if dir == "" {
		return
	}
	for _, name := range []string{"guestfsd.sock", "console.sock"} {
		_ = os.Remove(filepath.Join(dir, name)) // libguestfs may have done it
	}
	_ = os.Remove(dir)
}

// groupOf reads a process group from proc(5) stat: the third field after the name, which stands in parentheses.
func groupOf(dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 3 {
		return 0
	}
	group, err := strconv.Atoi(string(fields[2]))
	if err != nil {
		return 0
	}
	return group
}
