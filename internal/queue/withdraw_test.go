package queue

import (
	"errors"
	"testing"
)

// Who was told that a job could not be cancelled must not find it cancelled later.
func TestWithdrawThatFailsChangesNothing(t *testing.T) {
	full := &syncBool{}
	s := start(t, t.TempDir(), StartOptions{Before: fullDisk(full)})
	i := inbox(t, s, examine(func(Entry) Need { return Need{Kind: "disk", Hold: "look at it first"} }), InboxOptions{})
	drop(t, s, "x.vmdk", "x")
	waitHeld(t, i, "x.vmdk", Waiting, "look at it first")
	full.set(true)
	if err := i.Withdraw(t.Context(), "x.vmdk", map[string]any{"code": "H2K-JOB-003"}); !errors.Is(err, ErrNoSpace) {
		t.Fatal(err)
	}
	full.set(false)
	eventually(t, "there is space again", func() bool { return s.Trouble() == nil })
	waitHeld(t, i, "x.vmdk", Waiting, "look at it first")
	if err := i.Release("x.vmdk"); err != nil {
		t.Fatal(err)
	}
	if c := next(t, i); c.Record().OriginalName != "x.vmdk" || c.Need().Refuse != nil {
		t.Error(c.Record(), c.Need())
	}
	if left, err := dirNames(s.path(DirFailed), 10); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}
