package convert

import "time"

// testClock returns a clock that moves one second at every look.
func testClock() func() time.Time {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}
