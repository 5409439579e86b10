package linux

import (
	"encoding/json"
	"testing"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

func TestStorageCases(t *testing.T) {
	guesttest.RunCases(t, "testdata/storage", caseSetup(storageFixers))
}

func TestBootCases(t *testing.T) {
	guesttest.RunCases(t, "testdata/boot", caseSetup(bootFixers))
}

// caseSetup runs one part of the list of fixers with the options of the case.
func caseSetup(fixers func(Options) []guest.Fixer) guesttest.Setup {
	return guesttest.Setup{Fixers: func(t *testing.T, c guesttest.Case) []guest.Fixer {
		t.Helper()
		var o Options
		if err := json.Unmarshal(c.Options, &o); err != nil {
			t.Fatal(err)
		}
		return fixers(o)
	}}
}
