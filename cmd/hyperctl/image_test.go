package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/manifest"
)

func TestCheckSaysWhatIsWrong(t *testing.T) {
	var many disk.Findings
	for range disk.MaxProblems + 7 {
		many.Problem(&disk.Error{Op: "check", File: "a\x1b[2J", Off: 512, Kind: disk.ErrCorrupt})
	}
	for _, c := range []struct {
		found   disk.Findings
		parent  string
		verdict string
		want    []string
	}{
		{disk.Findings{Units: 10, Stored: 4}, "", verdictClean, []string{"+ f: qcow2, no problems; 4 of 10 units stored\n"}},
		{disk.Findings{Units: 1, Leaks: 2}, "", verdictClean, []string{"0 of 1 unit stored", "2 units leaked"}},
		{disk.Findings{Problems: []error{errors.New("x")}}, "base.qcow2", verdictDamaged, []string{"x f: qcow2, 1 problem\n", "its parent base.qcow2"}},
		{many, "", verdictDamaged, []string{"107 problems\n", `a\x1b[2J at 0x200`, "and 7 more\n"}},
	} {
		d := checkDoc{File: "f", Format: "qcow2", Parent: c.parent}
		d.take(c.found)
		if d.Verdict != c.verdict {
			t.Errorf("verdict %q, want %q", d.Verdict, c.verdict)
		}
		var b strings.Builder
		writeCheck(&b, style{}, d)
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%q is not in\n%s", want, b.String())
			}
		}
		if strings.Contains(b.String(), "\x1b") {
			t.Errorf("a control byte of the image came through: %q", b.String())
		}
	}
}

func TestMapIsJoinedWithoutLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []disk.Extent
		off := int64(0)
		for range rapid.IntRange(0, 20).Draw(t, "extents") {
			e := disk.Extent{Off: off, Len: rapid.Int64Range(1, 9).Draw(t, "length"), Kind: disk.Kind(rapid.IntRange(0, 2).Draw(t, "kind"))}
			in = append(in, e)
			off = e.End()
		}
		var out []disk.Extent
		for e, err := range joined(all(in)) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e)
		}
		at := func(list []disk.Extent, off int64) disk.Kind {
			i := slices.IndexFunc(list, func(e disk.Extent) bool { return off >= e.Off && off < e.End() })
			if i < 0 {
				t.Fatalf("offset %d is in no extent of %v", off, list)
			}
			return list[i].Kind
		}
		for o := range off {
			if at(in, o) != at(out, o) {
				t.Fatalf("%v became %v", in, out)
			}
		}
		for i := 1; i < len(out); i++ {
			if out[i].Off != out[i-1].End() || out[i].Kind == out[i-1].Kind {
				t.Fatalf("%v became %v", in, out)
			}
		}
	})
}

// lying is an image whose map is not to be believed.
type lying struct {
	disk.Image
	extent disk.Extent
}

func (lying) Size() int64 { return 100 }

func (l lying) Extent(context.Context, int64) (disk.Extent, error) { return l.extent, nil }

func TestMapThatLiesEnds(t *testing.T) {
	for _, e := range []disk.Extent{{}, {Off: 0, Len: -1}, {Off: 5, Len: 5}, {Off: 0, Len: 101}} {
		n := 0
		var last error
		for _, err := range extents(t.Context(), lying{disk.EmptyImage(100), e}, "x") {
			if n++; n > 1 {
				t.Fatal("the map went on after an error")
			}
			last = err
		}
		if !errors.Is(last, disk.ErrCorrupt) {
			t.Error(fmt.Sprint(e), "gave", last)
		}
	}
}

func TestFullOutputHasItsCode(t *testing.T) {
	full := &disk.Error{Op: "write", Off: 7, Err: syscall.ENOSPC}
	for _, err := range []error{outputFailure("x/y.qcow2", full), convertFailure(convertOptions{source: "a", target: "b"}, fmt.Errorf("write: %w", full))} {
		var f *failure
		if !errors.As(err, &f) || f.code != manifest.CodeSpaceOutput || !strings.Contains(f.try, "free some space") {
			t.Errorf("%+v", err)
		}
	}
}
