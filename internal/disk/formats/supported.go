package formats

import (
	"context"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/qcow2"
	"hyper2kvm/internal/disk/vdi"
	"hyper2kvm/internal/disk/vhd"
	"hyper2kvm/internal/disk/vhdx"
	"hyper2kvm/internal/disk/vmdk"
)

// The kinds of VHD that are written: one that holds what is allocated, and one with all content at its place, as Azure wants it.
const (
	vhdDynamic = "dynamic"
	vhdFixed   = "fixed"
)

// supported are the formats that have a reader of their own, in the order in which they are tried; raw is tried after all others.
func supported() []format {
	return []format{
		{
			Format: Format{Name: "qcow2", Title: "qcow2 image", Extensions: []string{"qcow2"}, Read: true, Write: true,
				Compression: []string{"", "zlib", "zstd"}, ClusterSizes: true},
			match: func(s *sample) bool { return qcow2.Probe(s.head) && !s.at(0, qcow1Magic) },
			open: func(ctx context.Context, f disk.File, env disk.Env) (disk.Image, error) {
				return opened(qcow2.Open(ctx, f, env))
			},
			create: func(t disk.Target, size int64, o CreateOptions) (disk.Writer, error) {
				return created(qcow2.NewWriter(t, size, qcow2.Options{Compression: o.Compression, Level: o.Level, ClusterSize: o.ClusterSize}))
			},
		},
		{
			Format: Format{Name: "vmdk", Title: "VMware VMDK image", Extensions: []string{"vmdk"}, Read: true, Write: true,
				Compression: []string{"", "zlib"}, // streamOptimized is always compressed
				Subformats:  []string{vmdk.StreamOptimized, vmdk.MonolithicSparse}},
			match: func(s *sample) bool { return vmdk.Probe(s.head) },
			open: func(ctx context.Context, f disk.File, env disk.Env) (disk.Image, error) {
				return opened(vmdk.Open(ctx, f, env))
			},
			create: func(t disk.Target, size int64, o CreateOptions) (disk.Writer, error) {
				if o.Subformat == vmdk.MonolithicSparse && o.Compression != "" {
					return nil, refusedToCreate("vmdk: %s is not compressed", o.Subformat)
				}
				return created(vmdk.NewWriter(t, size, vmdk.Options{Subformat: o.Subformat, Level: o.Level}))
			},
		},
		{
			Format: Format{Name: "vhdx", Title: "Hyper-V VHDX image", Extensions: []string{"vhdx", "avhdx"}, Read: true, Write: true,
				Compression: []string{""}},
			match: func(s *sample) bool { return vhdx.Probe(s.head) },
			open: func(ctx context.Context, f disk.File, env disk.Env) (disk.Image, error) {
				return opened(vhdx.Open(ctx, f, env))
			},
			create: func(t disk.Target, size int64, _ CreateOptions) (disk.Writer, error) {
				return created(vhdx.NewWriter(t, size, vhdx.Options{}))
			},
		},
		{
			Format: Format{Name: "vdi", Title: "VirtualBox VDI image", Extensions: []string{"vdi"}, Read: true, Write: true,
				Compression: []string{""}},
			match: func(s *sample) bool { return vdi.Probe(s.head) },
			open: func(ctx context.Context, f disk.File, env disk.Env) (disk.Image, error) {
				return opened(vdi.Open(ctx, f, env))
			},
			create: func(t disk.Target, size int64, _ CreateOptions) (disk.Writer, error) {
				return created(vdi.NewWriter(t, size, vdi.Options{}))
			},
		},
		{
			Format: Format{Name: "vhd", Title: "VHD image", Extensions: []string{"vhd", "avhd", "vpc"}, Read: true, Write: true,
				Compression: []string{""}, Subformats: []string{vhdDynamic, vhdFixed}},
			match: func(s *sample) bool { return vhd.Probe(s.head, s.tail) },
			open: func(ctx context.Context, f disk.File, env disk.Env) (disk.Image, error) {
				return opened(vhd.Open(ctx, f, env))
			},
			create: func(t disk.Target, size int64, o CreateOptions) (disk.Writer, error) {
				return created(vhd.NewWriter(t, size, vhd.Options{Fixed: o.Subformat == vhdFixed}))
			},
		},
	}
}
