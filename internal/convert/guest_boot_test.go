package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/manifest"
)

func TestRequiredBootTest(t *testing.T) {
	b, f := guestBench(t)
	f.boot = BootResult{Why: "the kernel panicked"}
	b.req.Job.Check.BootTest, b.req.Job.Check.BootRequire = true, true
	report, err := b.run(t.Context())
	if err == nil || report.Error.Code != manifest.CodeBootFailed {
		t.Fatalf("got %v", err)
	}
	if report.BootTest == nil || report.BootTest.Passed {
		t.Errorf("boot test %+v", report.BootTest)
	}
}

// TestBootTestThatCannotBeMade is a warning, and a failure with its own code where the job requires a boot test.
func TestBootTestThatCannotBeMade(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*fakeGuests)
		code  string
	}{
		"no room for the marker":  {func(f *fakeGuests) { f.planted = guest.ErrSpace }, manifest.CodeBootUnavailable},
		"no VM":                   {func(f *fakeGuests) { f.bootErr = errors.New("qemu ended") }, manifest.CodeBootUnavailable},
		"the host's disk is full": {func(f *fakeGuests) { f.bootErr = fmt.Errorf("%w: %w", guest.ErrAppliance, syscall.ENOSPC) }, manifest.CodeSpaceOutput},
	} {
		for _, require := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", required: ", require), func(t *testing.T) {
				b, f := guestBench(t)
				tc.spoil(f)
				b.req.Job.Check.BootTest, b.req.Job.Check.BootRequire = true, require
				report, err := b.run(t.Context())
				if got := commandWords(report); strings.Contains(got, "qemu-system-x86_64 failed") != (f.bootErr != nil) {
					t.Errorf("the programs that ran are %s", got)
				}
				warned := slices.ContainsFunc(report.Warnings, func(w manifest.Warning) bool { return w.Code == tc.code })
				if fails := require || tc.code == manifest.CodeSpaceOutput; fails != (err != nil) || fails == warned || fails && report.Error.Code != tc.code {
					t.Errorf("got %v, %+v, warnings %+v", err, report.Error, report.Warnings)
				}
			})
		}
	}
}

func TestStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := &recorder{}
		r := &Run{Events: events, stage: StageValidate}
		stop := r.still("it goes on")
		time.Sleep(2*sign + time.Second)
		stop()
		if want := []string{"it goes on: 30s so far", "it goes on: 1m0s so far"}; !slices.Equal(events.logs, want) {
			t.Errorf("logged %q", events.logs)
		}
	})
}
