package disk

import (
	"sync"
	"sync/atomic"
	"syscall"
)

// earlyBytes is how much is written before the disk begins to store it: enough that the disk gets long runs, and little beside the memory
// that a machine has.
const earlyBytes = 16 << 20

// EarlyTarget returns t so that the kernel begins to store what was written while more comes, where t is a file of the host. Sync at the end,
// which waits until everything is on the disk, else finds all of it in memory: copying and storing would take turns.
func EarlyTarget(t Target) Target {
	if f, ok := t.(syscall.Conn); ok {
		if conn, err := f.SyscallConn(); err == nil {
			return &earlyTarget{Target: t, conn: conn}
		}
	}
	return t
}

type earlyTarget struct {
	Target
	conn    syscall.RawConn // keeps the descriptor open while it is used
	written atomic.Int64    // since storing was begun
	storing sync.Mutex      // held while it is begun, which may take as long as the disk is busy
}

func (e *earlyTarget) WriteAt(p []byte, off int64) (int, error) {
	n, err := e.Target.WriteAt(p, off)
	if e.written.Add(int64(n)) >= earlyBytes && e.storing.TryLock() {
		e.written.Store(0)
		go func() {
			defer e.storing.Unlock()
			_ = e.conn.Control(startStoring) // a hint: Sync tells of errors
		}()
	}
	return n, err
}

// Sync waits for what was begun, and for all the rest.
func (e *earlyTarget) Sync() error {
	e.storing.Lock()
	defer e.storing.Unlock()
	return e.Target.Sync()
}
