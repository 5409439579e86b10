package proof_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// standstill says where the threads of a process and of all that it started stand: each with its system call and the kernel's stack
// (proc_pid_syscall(5), proc_pid_stack(5); both need root).
func standstill(pid int) string {
	var b strings.Builder
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, thread := range threads {
		fmt.Fprintf(&b, "%s", thread)
		for _, what := range []string{"comm", "syscall", "stack"} {
			said, _ := os.ReadFile(filepath.Join(thread, what))
			fmt.Fprintf(&b, "  %s: %s", what, said)
		}
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		said, _ := os.ReadFile(stat)
		_, after, _ := strings.Cut(string(said), ") ") // a name may hold anything; then come the state and the parent
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			b.WriteString(standstill(child))
		}
	}
	return b.String()
}
