package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/qcow2"
	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/nbd"
)

// session is an open guest: every disk exported read-only over NBD, an overlay above each export that takes all writes, and an
// appliance over the overlays. The images themselves are never handed to qemu or libguestfs, and never written.
type session struct {
	Appliance
	dir      string // in Request.Partial: the overlays and what the appliance downloads
	sockets  string // a short path, for a socket's has 107 bytes at most
	overlays []string
	servers  []*nbd.Server
	stop     context.CancelFunc
	serving  sync.WaitGroup
	release  func() // of the memory

	ran  func(error) // notes that the appliance ended, and how
	died error       // what the appliance did not survive
}

// guestDir is the directory in Request.Partial that holds overlays; it never becomes part of a result.
const guestDir = ".guest"

// openSession exports the images and starts an appliance over them. name tells the sessions of a run apart.
func (r *Run) openSession(ctx context.Context, name string, images []disk.Image) (*session, error) {
	admitted, err := r.admit(ctx, applianceMemory)
	if err != nil {
		return nil, err
	}
	s := &session{dir: filepath.Join(r.Request.Partial, guestDir, name), release: admitted.Release}
	if err := s.open(ctx, r, admitted.KVM, images); err != nil {
		return nil, errors.Join(s.fault(err), s.end())
	}
	return s, nil
}

// open makes everything that end takes away again.
func (s *session) open(ctx context.Context, r *Run, kvm bool, images []disk.Image) (err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return marked(err)
	}
	if s.sockets, err = os.MkdirTemp(r.temp, "h2k-"); err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	for i, img := range images {
		if err := s.export(ctx, serving, i, img); err != nil {
			return err
		}
	}
	s.ran = r.command(ctx, applianceProgram)
	s.Appliance, err = r.guests.Open(ctx, ApplianceOptions{
		KVM: kvm, Drives: s.overlays, Dir: s.dir, Log: func(line string) { r.Events.Log(r.stage, oneLine(line)) },
	})
	if err != nil {
		s.ran(err)
	}
	return err
}

// admit waits for leave to start an appliance or a VM, and notes how it will run.
func (r *Run) admit(ctx context.Context, mib int) (Admission, error) {
	a, err := r.Host.Admit(ctx, mib)
	if err == nil {
		r.Accel = &manifest.Accel{KVM: a.KVM, Why: oneLine(a.Why)}
	}
	return a, err
}

// export serves an image and makes the overlay above it.
func (s *session) export(ctx, serving context.Context, i int, img disk.Image) error {
	l, err := nbd.Listen(s.sockets)
	if err != nil {
		return err
	}
	server := nbd.New(img, nbd.Options{})
	s.servers = append(s.servers, server)
	s.serving.Go(func() { _ = server.Serve(serving, l) }) // its end shows at the clients, and the image's errors in Err
	overlay := filepath.Join(s.dir, fmt.Sprintf("disk-%d.qcow2", i+1))
	f, err := os.OpenFile(overlay, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return marked(err)
	}
	defer f.Close()
	s.overlays = append(s.overlays, overlay)
	return qcow2.CreateOverlay(ctx, target{f}, img.Size(), qcow2.OverlayOptions{Backing: l.URI(), BackingFormat: "raw"})
}

// fault returns the reason behind an error of an appliance or a VM: a client of an export only hears that a read failed, the export
// knows why; and where the overlays have no room on the host, that is an error of the output.
func (s *session) fault(err error) error {
	if err == nil {
		return nil
	}
	if s.died == nil && errors.Is(err, guest.ErrAppliance) {
		s.died = err
	}
	if cause := s.broken(); cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return marked(err)
	}
	return err
}

// broken is the first error of reading an image for an export.
func (s *session) broken() error {
	for _, server := range s.servers {
		if err := server.Err(); err != nil {
			return err
		}
	}
	return nil
}

// close ends the appliance; from here on the overlays hold what was changed. The exports go on until end.
func (s *session) close(ctx context.Context) error {
	if s.Appliance == nil {
		return nil
	}
	a := s.Appliance
	s.Appliance = nil
	closed := a.Close(ctx)
	err := s.fault(closed)
	s.ran(cmp.Or(s.died, closed))
	s.free()
	return err
}

// free gives the memory back, once.
func (s *session) free() {
	if s.release != nil {
		s.release()
		s.release = nil
	}
}

// end ends the exports, and the appliance if it still runs. It may be called again. The overlays stay until the run ends.
func (s *session) end() error {
	if s.Appliance != nil {
		// Nothing on the drives is wanted any more: a context that is over makes it a kill.
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.close(over) // the end was asked for
	}
	s.free()
	if s.stop != nil {
		s.stop()
	}
	s.serving.Wait()
	if s.sockets == "" {
		return nil
	}
	return os.RemoveAll(s.sockets)
}

// over opens what a session left above an image: the image with all changes. Closing it closes the overlay's file and leaves the image
// open.
func (s *session) over(ctx context.Context, i int, img disk.Image) (disk.Image, error) {
	f, err := disk.OpenFile(s.overlays[i])
	if err != nil {
		return nil, err
	}
	top, err := qcow2.OpenOver(ctx, f, kept{img})
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read the repaired disk %d: %w", i+1, err)
	}
	return disk.Resize(top, img.Size()), nil
}

// kept is an image that stays open.
type kept struct{ disk.Image }

func (kept) Close() error { return nil }
