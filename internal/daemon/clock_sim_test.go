package daemon

import (
	"testing"
	"time"
	"unsafe"
)

// stepped is a time of a machine whose clock was set: it shows wall, while durations are measured by steady, which setting the clock does not
// touch. That is what time.Now gives, and what no function of the package time makes: in a bubble there is no monotonic reading at all.
func stepped(wall time.Time, steady time.Duration) time.Time {
	const (
		has1885 = 1 << 63       // there is a monotonic reading, and seconds count from 1885
		to1885  = 2_682_288_000 // seconds from there to 1970
		secs    = 30            // bits below the seconds: nanoseconds
	)
	t := struct {
		wall uint64
		ext  int64
		loc  *time.Location
	}{has1885 | uint64(wall.Unix()+to1885)<<secs | uint64(wall.Nanosecond()), int64(steady), time.Local}
	return *(*time.Time)(unsafe.Pointer(&t)) //nolint:gosec // the layout is held by TestStepped
}

func TestStepped(t *testing.T) {
	wall := time.Date(2026, 3, 1, 23, 59, 58, 7, time.Local)
	a, b := stepped(wall, time.Minute), stepped(wall.Add(-48*time.Hour), time.Minute+time.Second)
	if got := b.Sub(a); got != time.Second {
		t.Errorf("measured %s after the clock was set, want 1s", got)
	}
	if got := b.Round(0).Sub(a.Round(0)); got != -48*time.Hour {
		t.Errorf("the clock shows %s, want -48h", got)
	}
	if !a.Equal(wall) || a.Format(time.DateOnly) != "2026-03-01" || a.UnixNano() != wall.UnixNano() {
		t.Errorf("%s is shown as %s", wall, a)
	}
}
