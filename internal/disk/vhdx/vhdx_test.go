package vhdx

import (
	"context"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

func TestFixtures(t *testing.T) {
	for _, x := range disktest.FixturesOf(t, "vhdx") {
		t.Run(x.Name, func(t *testing.T) {
			img, err := Open(t.Context(), x.Open(t), disk.Env{})
			if err != nil {
				t.Fatal(err)
			}
			disktest.CheckContent(t, img, x)
			found, err := img.Check(t.Context())
			t.Log(found, err, img.Describe())
		})
	}
}

func TestWriter(t *testing.T) {
	disktest.TestWriter(t, func(t disk.Target, size int64) (disk.Writer, error) { return NewWriter(t, size, Options{}) },
		func(ctx context.Context, f disk.File) (disk.Image, error) { return Open(ctx, f, disk.Env{}) })
}
