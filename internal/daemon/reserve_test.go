package daemon

import (
	"testing"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/convert"
)

func TestReservations(t *testing.T) {
	volumes := map[string]volume{
		"/out": {fsid: unix.Fsid{Val: [2]int32{1}}, total: 1000, free: 600},
		"/alt": {fsid: unix.Fsid{Val: [2]int32{2}}, total: 100, free: 100},
	}
	r := newReservations()
	r.statfs = func(dir string) (volume, error) { return volumes[dir], nil }
	take := func(id, dir string, bytes int64) *shortage {
		t.Helper()
		s, err := r.take(id, []convert.SpaceNeed{{Dir: dir, Bytes: bytes}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := take("a", "/out", 400); s != nil {
		t.Fatalf("400 of 600 free were refused: %v", s)
	}
	s := take("b", "/out", 300)
	if s == nil || s.Impossible || s.Need != 300 || s.Has != 200 {
		t.Fatalf("300 beside 400 of 600: got %+v, want a wait for 300 with 200", s)
	}
	if r.fits([]convert.SpaceNeed{{Dir: "/out", Bytes: 300}}) {
		t.Error("300 fit beside 400 of 600")
	}
	if s := take("b", "/alt", 90); s != nil {
		t.Errorf("another file system was refused: %v", s)
	}
	if s := take("c", "/alt", 101); s == nil || !s.Impossible {
		t.Errorf("101 on a file system of 100: got %+v, want impossible", s)
	}
	if s := take("a", "/out", 600); s != nil {
		t.Errorf("a job's second question counts its own first: %v", s)
	}
	r.release("a")
	if s := take("c", "/out", 600); s != nil {
		t.Errorf("after the release 600 of 600 were refused: %v", s)
	}
	r.release("c")
	volumes["/out"] = volume{fsid: volumes["/out"].fsid, total: 1000, free: 350} // a has written 250 of the 600
	if s, _ := r.take("a", []convert.SpaceNeed{{Dir: "/out", Bytes: 600, Held: 250}}); s != nil {
		t.Errorf("600 of which 250 are written were refused with 350 free: %v", s)
	}
	if s := take("b", "/out", 1); s == nil || s.Has != 0 {
		t.Errorf("what a has still to write is not set aside: %+v", s)
	}
	if s, _ := r.take("a", []convert.SpaceNeed{{Dir: "/out", Bytes: 601, Held: 250}}); s == nil || s.Need != 601 || s.Has != 600 {
		t.Errorf("601 of which 250 are written, with 350 free: %+v", s)
	}
	two := []convert.SpaceNeed{{Dir: "/alt", Bytes: 6}, {Dir: "/alt", Bytes: 6}}
	if short, _ := r.take("d", two); short == nil || short.Need != 12 {
		t.Errorf("two needs of one file system are not added: %+v", short)
	}
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 40 << 30: "40.0 GiB", 1<<30 - 1: "1.0 GiB", 1 << 62: "4.0 EiB",
	} {
		if got := formatBytes(n); got != want {
			t.Errorf("formatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}
